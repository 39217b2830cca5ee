"""The manifest of rights: what is shipped is what the table says, and whatever name it is made for stays data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.doctor.authority import lacking
from deploytag.delivery.doctor.permissions import PERMISSIONS, Where, questions_inside
from deploytag.delivery.doctor.rights import manifest, subjects
from deploytag.errors import UsageError
from deploytag.identity import identify
from deploytag.rights import ENVIRONMENT_ROLE, Subject, project_rights, role_binding

SHIPPED = Path(__file__).parents[3] / "docs" / "reference" / "rights.yaml"
ROLES = {Where.CLUSTER: "deploytag", Where.ENVIRONMENTS: ENVIRONMENT_ROLE, Where.OVERVIEW: "deploytag:overview"}


def objects(text: str) -> dict[tuple[str, str], Any]:
    """The manifest's objects by kind and name."""
    return {(it["kind"], it["metadata"]["name"]): it for it in yaml.safe_load_all(text)}


def allowed(role: Any) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    for rule in role["rules"]:
        for verb in rule["verbs"]:
            yield rule["apiGroups"][0], rule["resources"][0], verb, tuple(rule.get("resourceNames", ()))


def test_the_shipped_manifest_is_what_the_command_prints() -> None:
    printed = manifest("shop", [Subject("User", "deploytag")])
    assert SHIPPED.read_text() == printed, (
        "run `deploytag rights --project shop --user deploytag > docs/reference/rights.yaml`"
    )


@pytest.mark.parametrize("where", ROLES)
def test_each_role_allows_what_the_table_says_and_nothing_else(where: Where) -> None:
    role = objects(SHIPPED.read_text())["ClusterRole", ROLES[where]]
    table = {(it.group, it.resource, verb, it.names) for it in PERMISSIONS if it.where is where for verb in it.verbs}
    marks = {it for it in allowed(role) if it[0] == "deploytag.dev"}
    assert set(allowed(role)) - marks == table
    fenced = where in (Where.CLUSTER, Where.ENVIRONMENTS)
    assert {it[1:3] for it in marks} == ({("wrappers", "be-fenced")} if fenced else set())


def test_nothing_dangerous_is_allowed_anywhere() -> None:
    roles = [it for (kind, _), it in objects(SHIPPED.read_text()).items() if kind in ("Role", "ClusterRole")]
    everything = [it for role in roles for it in allowed(role)]
    assert not {it for it in everything if "*" in it or it[1] in ("pods/exec", "pods/attach", "serviceaccounts/token")}
    assert not {it for it in everything if it[2] in ("escalate", "impersonate")}
    assert {it[3] for it in everything if it[2] == "bind"} == {(ENVIRONMENT_ROLE,)}
    outside = [it for it in roles if it["metadata"]["name"] != ENVIRONMENT_ROLE]
    assert not {it for role in outside for it in allowed(role) if it[1] == "secrets"}, "no policy can fence a read"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(str.isprintable))
def test_any_name_of_a_subject_stays_one_name(name: str) -> None:
    found = objects(manifest("shop", subjects([name], [name], [])))
    bound = found["RoleBinding", project_rights("shop")]["subjects"]
    assert [(it["kind"], it["name"]) for it in bound] == [("User", name), ("Group", name)]
    assert found.keys() == objects(SHIPPED.read_text()).keys()


@pytest.mark.parametrize("project", ["shop", "null", "1", "a.b_c-D", "yes"])
def test_each_project_has_bindings_of_its_own(project: str) -> None:
    found = objects(manifest(project, [Subject.service_account("runners", "ci")]))
    role = found["Role", f"deploytag:{project}"]
    assert ("deploytag.dev", "projects", "deploy", (project,)) in set(allowed(role))
    assert found["ClusterRoleBinding", f"deploytag:{project}"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "ci", "namespace": "runners"}
    ]


@pytest.mark.parametrize(
    ("users", "accounts", "complaint"),
    [
        ([], [], "Say who deploys"),
        ([""], [], "cannot be the name"),
        (["a\nb"], [], "cannot be the name"),
        ([], ["ci"], "NAMESPACE/NAME"),
        ([], ["a/b/c"], "NAMESPACE/NAME"),
    ],
)
def test_who_cannot_exist_is_refused(users: list[str], accounts: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        subjects(users, [], accounts)


def test_an_environment_binds_whom_the_administrator_named() -> None:
    bound = role_binding(identify("shop", "feature/test"), [Subject("Group", "ci")])
    assert bound["metadata"]["namespace"] == "shop-feature-test"
    assert bound["metadata"]["annotations"]["deploytag.dev/project"] == "shop"
    assert bound["roleRef"]["name"] == ENVIRONMENT_ROLE
    assert bound["subjects"] == [{"kind": "Group", "name": "ci", "apiGroup": "rbac.authorization.k8s.io"}]


def test_what_a_role_lacks_is_named() -> None:
    rules = [
        {
            "apiGroups": [it.group],
            "resources": [it.resource],
            "verbs": [verb for verb in it.verbs if verb != "watch"],
        }
        for it in PERMISSIONS
        if it.where is Where.ENVIRONMENTS
    ]
    assert {it.verb for it in lacking(rules)} == {"watch"}
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    assert len(lacking([])) == len(list(questions_inside()))
    assert lacking([everything]) == []
    assert len(lacking([{**everything, "resourceNames": ["one"]}])) == len(list(questions_inside()))


def test_each_policy_is_in_force_and_refuses_nobody_for_want_of_something_to_compare_with() -> None:
    found = objects(SHIPPED.read_text())
    policies = {name: it["spec"] for (kind, name), it in found.items() if kind == "ValidatingAdmissionPolicy"}
    bound = {
        it["spec"]["policyName"]: it["spec"]
        for (kind, _), it in found.items()
        if kind == "ValidatingAdmissionPolicyBinding"
    }
    assert {name for name, it in bound.items() if it["validationActions"] == ["Deny"]} == policies.keys()
    compared = {name for name, it in policies.items() if "paramKind" in it}
    assert compared == {name for name, it in bound.items() if "paramRef" in it} == {"deploytag-role-binding-subjects"}
    # Parameters are looked for before a policy's conditions are asked: an administrator would be refused, too.
    assert {bound[name]["paramRef"]["parameterNotFoundAction"] for name in compared} == {"Allow"}
