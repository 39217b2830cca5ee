"""The pure parts of recovery: reading a checkpoint, choosing what to import, saying what keeps a namespace."""

import pytest

from deploytag.delivery.recovery.namespaces import Condition, remaining_kinds, why_it_stays
from deploytag.delivery.recovery.repair import adoption
from deploytag.delivery.recovery.repairs import Adopt, Ours
from deploytag.delivery.recovery.state import ObjectName, State
from deploytag.delivery.resource_types import DATABASE, NAMESPACE
from deploytag.errors import DeploymentError
from deploytag.identity import identify

IT = identify("shop", "feature/test")
URN = "urn:pulumi:feature-test::shop::"


def test_a_checkpoint_is_read_for_what_exists_and_what_may_exist() -> None:
    state = State.of(
        {
            "resources": [
                {"urn": f"{URN}pulumi:pulumi:Stack::s", "type": "pulumi:pulumi:Stack"},
                {"urn": f"{URN}a::n", "type": NAMESPACE, "custom": True, "id": IT.namespace},
                {
                    "urn": f"{URN}a::s",
                    "type": "kubernetes:core/v1:Service",
                    "custom": True,
                    "external": True,
                    "id": "x/y",
                },
                {
                    "urn": f"{URN}a::p",
                    "type": "kubernetes:networking.k8s.io/v1:NetworkPolicy",
                    "custom": True,
                    "id": "x/inside",
                    "initErrors": ["not ready"],
                },
            ],
            "pending_operations": [
                {
                    "type": "creating",
                    "resource": {
                        "urn": f"{URN}a::v",
                        "type": "kubernetes:core/v1:Secret",
                        "inputs": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "env", "namespace": "x"}},
                    },
                },
                {"type": "deleting", "resource": {"urn": f"{URN}b::d", "type": DATABASE, "inputs": {"name": "d"}}},
            ],
        }
    )
    assert [it.id for it in state.resources] == [IT.namespace, "x/inside"]
    assert [it.has_init_errors for it in state.resources] == [False, True]
    assert state.find(NAMESPACE, IT.namespace)
    assert not state.find(DATABASE, IT.namespace)
    assert state.knows(ObjectName("networking.k8s.io/v1", "NetworkPolicy", "x", "inside"))
    assert not state.knows(ObjectName("v1", "Service", "x", "y"))
    creating, deleting = state.pending
    assert (creating.name, creating.object) == ("v", ObjectName("v1", "Secret", "x", "env"))
    assert (deleting.operation, deleting.object) == ("deleting", None)
    assert State.of({}) == State()


def entry(type_: str, name: str, parent: str | None = None, **more: object) -> dict[str, object]:
    return {"type": type_, "name": name, **({"parent": parent} if parent else {}), **more}


ENVIRONMENT = entry("deploytag:index:Environment", "shop", component=True)
COMPONENT = entry("deploytag:index:Database", "shop-database", "shop", component=True)
RESOURCES = [
    entry("kubernetes:core/v1:ConfigMap", "mine", "shop-database", id="<PLACEHOLDER>", version="4"),
    entry("kubernetes:core/v1:ConfigMap", "another", "shop", id="<PLACEHOLDER>"),
    entry("postgresql:index/role:Role", "role", "shop-database", id="<PLACEHOLDER>"),
    entry(DATABASE, "databaseDatabase", "shop-database", id="<PLACEHOLDER>", logicalName="database"),
    entry(DATABASE, "analytics", id="<PLACEHOLDER>"),
]


def test_a_lost_state_is_imported_with_what_it_is_inside_of() -> None:
    creations = {"resources": [RESOURCES[3], COMPONENT, ENVIRONMENT, *RESOURCES]}
    creations["resources"].pop(0)
    found = adoption(creations, IT, Adopt((Ours.LEDGER, Ours.ROLE, Ours.DATABASE), IT.database))
    assert [it["name"] for it in found["resources"]] == ["shop", "shop-database", "mine", "role", "databaseDatabase"]
    assert [it.get("id") for it in found["resources"][2:]] == [
        "deploytag-system/shop-feature-test",
        "shop_feature_test",
        "shop_feature_test",
    ]
    assert found["resources"][4]["logicalName"] == "database"


def test_a_lost_database_is_imported_into_what_exists() -> None:
    table = {"shop-database": f"{URN}deploytag:index:Environment$deploytag:index:Database::shop-database"}
    found = adoption({"nameTable": table, "resources": RESOURCES}, IT, Adopt((Ours.DATABASE,), IT.database))
    assert found == {"nameTable": table, "resources": [{**RESOURCES[3], "id": "shop_feature_test"}]}


def test_a_program_that_does_not_declare_the_database_cannot_take_it_back() -> None:
    with pytest.raises(DeploymentError, match="the program does not declare them"):
        adoption({"resources": [RESOURCES[4]]}, IT, Adopt((Ours.DATABASE,), IT.database))


CONTENT = Condition(
    "NamespaceContentRemaining",
    "Some resources are remaining: configmaps. has 1 resource instances, deployments.apps has 2 resource instances",
)
DISCOVERY = Condition(
    "NamespaceDeletionDiscoveryFailure",
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1",
)


def test_what_keeps_a_namespace_is_named() -> None:
    assert remaining_kinds([CONTENT, DISCOVERY]) == {("configmaps", ""), ("deployments", "apps")}
    said = why_it_stays("shop-x", 60, [CONTENT], ["ConfigMap held (example.com/hold)"])
    assert "shop-x is being deleted and was not gone within 60 s" in said
    assert "What remains in it: ConfigMap held (example.com/hold)" in said
    assert "The APIService v1beta1.metrics.k8s.io does not answer" in why_it_stays("shop-x", 60, [DISCOVERY], [])
    other = Condition("NamespaceDeletionContentFailure", "something else")
    assert "Kubernetes says: something else" in why_it_stays("shop-x", 60, [other], [])
