"""The table of what must be allowed, and how a refusal is said."""

from collections import Counter

from deploytag.delivery.doctor.cluster import denied
from deploytag.delivery.doctor.findings import Level
from deploytag.delivery.doctor.permissions import PERMISSIONS, Where, questions
from deploytag.ownership import SYSTEM_NAMESPACE


def test_nothing_is_in_the_table_twice_and_everything_has_a_reason() -> None:
    rows = Counter((permission.group, permission.resource, permission.where) for permission in PERMISSIONS)
    assert max(rows.values()) == 1
    assert all(permission.reason and permission.verbs for permission in PERMISSIONS)
    assert all(len(set(permission.verbs)) == len(permission.verbs) for permission in PERMISSIONS)


def test_nothing_is_asked_for_by_a_star() -> None:
    assert not any("*" in (permission.group, permission.resource, *permission.verbs) for permission in PERMISSIONS)


def test_each_verb_is_one_question_in_the_right_place() -> None:
    asked = list(questions())
    assert len(asked) == sum(len(permission.verbs) for permission in PERMISSIONS)
    places = {question.permission.where: question.namespace for question in asked}
    assert places == {Where.CLUSTER: "", Where.SYSTEM: SYSTEM_NAMESPACE, Where.ENVIRONMENTS: ""}
    log = next(question for question in asked if question.subresource)
    assert (log.resource, log.subresource, log.verb) == ("pods", "log", "get")


def test_what_is_refused_of_one_resource_is_one_line() -> None:
    refused = [
        question
        for question in questions()
        if (question.resource == "jobs" and question.verb in ("create", "delete"))
        or (question.resource == "leases" and question.verb == "update")
    ]
    lines = list(denied(refused))
    assert all(line.level is Level.PROBLEM for line in lines)
    assert sorted(line.seen for line in lines) == [
        "may not create, delete jobs.batch in every namespace (the chart's hooks: migrations)",
        "may not update leases.coordination.k8s.io in deploytag-system (one run an environment)",
    ]
    assert list(denied([])) == []


def test_what_only_makes_a_run_say_less_is_a_warning() -> None:
    (line,) = denied(question for question in questions() if question.resource == "persistentvolumes")
    assert line.level is Level.WARNING
