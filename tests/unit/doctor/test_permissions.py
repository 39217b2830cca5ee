"""The table of what must be allowed, and how a refusal is said."""

from collections import Counter

from deploytag.delivery.doctor.authority import denied
from deploytag.delivery.doctor.findings import Level
from deploytag.delivery.doctor.permissions import PERMISSIONS, Where, questions, questions_inside
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.rights import ENVIRONMENT_ROLE


def test_nothing_is_in_the_table_twice_and_everything_has_a_reason() -> None:
    rows = Counter((it.group, it.resource, it.where, it.names) for it in PERMISSIONS)
    assert max(rows.values()) == 1
    assert all(permission.reason and permission.verbs for permission in PERMISSIONS)
    assert all(len(set(permission.verbs)) == len(permission.verbs) for permission in PERMISSIONS)


def test_nothing_is_asked_for_by_a_star() -> None:
    assert not any("*" in (permission.group, permission.resource, *permission.verbs) for permission in PERMISSIONS)


def test_each_verb_is_one_question_in_the_right_place() -> None:
    asked = [*questions(), *questions_inside()]
    assert len(asked) == sum(len(it.verbs) * max(len(it.names), 1) for it in PERMISSIONS)
    places = {question.permission.where: question.namespace for question in asked}
    assert places == dict.fromkeys(Where, "") | {Where.SYSTEM: SYSTEM_NAMESPACE}
    assert all(question.permission.where is Where.ENVIRONMENTS for question in questions_inside())
    bind = next(question for question in asked if question.verb == "bind")
    assert (bind.resource, bind.name) == ("clusterroles", ENVIRONMENT_ROLE)
    log = next(question for question in asked if question.subresource)
    assert (log.resource, log.subresource, log.verb) == ("pods", "log", "get")


def test_what_is_refused_of_one_resource_is_one_line() -> None:
    refused = [
        question
        for question in (*questions_inside(), *questions())
        if (question.resource == "jobs" and question.verb in ("create", "delete"))
        or (question.resource == "leases" and question.verb == "update")
    ]
    lines = list(denied(refused))
    assert all(line.level is Level.PROBLEM for line in lines)
    assert sorted(line.seen for line in lines) == [
        "may not create, delete jobs.batch in the environments (the chart's hooks: migrations)",
        "may not update leases.coordination.k8s.io in deploytag-system (one run at a time on an environment)",
    ]
    assert list(denied([])) == []


def test_what_only_makes_a_run_say_less_is_a_warning() -> None:
    (line,) = denied(question for question in questions() if question.resource == "persistentvolumes")
    assert line.level is Level.WARNING
