"""Every broken state and what is done about it: one table."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.recovery.decide import decide, is_unknown_to_pulumi
from deploytag.delivery.recovery.facts import Facts, NamespaceFacts, Revision, ServerFacts, Status
from deploytag.delivery.recovery.repairs import (
    Administer,
    Adopt,
    AllowConnections,
    AwaitNamespaceGone,
    DeleteLedgerEntry,
    DeleteNamespace,
    DeleteObjects,
    DropDatabase,
    DropRole,
    GiveRights,
    MakeNamespace,
    Ours,
    Refresh,
    Repair,
    RollBackRelease,
    UninstallRelease,
)
from deploytag.delivery.recovery.state import (
    ObjectName,
    PendingOperation,
    Resource,
    State,
    ledger_id,
    release_id,
    rights_id,
)
from deploytag.delivery.resource_types import (
    CONFIG_MAP,
    DATABASE,
    GRANT,
    GRANT_ROLE,
    IMAGE,
    NAMESPACE,
    RELEASE,
    ROLE,
    ROLE_BINDING,
)
from deploytag.delivery.run import Action
from deploytag.errors import OwnershipError
from deploytag.identity import identify
from deploytag.ownership import SERVER, DatabaseFacts, annotations, ledger_entry

IT = identify("shop", "feature/test")
OTHER = identify("shop", "bug/other")
DB = "db.test:5432"
LEDGER = {**ledger_entry(IT), SERVER: DB}
SECRET = "kubernetes:core/v1:Secret"
ENV = ObjectName("v1", "Secret", IT.namespace, "env-1")
RIGHTS = ObjectName("rbac.authorization.k8s.io/v1", "RoleBinding", IT.namespace, "deploytag")


def resource(type_: str, id_: str, *, failed: bool = False) -> Resource:
    return Resource(f"urn:{type_}::{id_}", type_, id_, failed)


RESOURCES = {
    "namespace": resource(NAMESPACE, IT.namespace),
    "ledger": resource(CONFIG_MAP, ledger_id(IT)),
    "role": resource(ROLE, IT.role),
    "database": resource(DATABASE, IT.database),
    "variables": resource(SECRET, f"{IT.namespace}/env-1"),
    "release": resource(RELEASE, release_id(IT)),
}
FAILED_RELEASE = resource(RELEASE, release_id(IT), failed=True)


def state(*without: str, pending: tuple[PendingOperation, ...] = (), release: Resource | None = None) -> State:
    """Everything but what `without` names."""
    resources = {**RESOURCES, **({"release": release} if release else {})}
    return State(tuple(it for name, it in resources.items() if name not in without), pending)


def pending(operation: str, type_: str, name: str = "it", it: ObjectName | None = None) -> PendingOperation:
    return PendingOperation(operation, f"urn:{type_}::{name}", type_, it)


DROPPING, UNKNOWN = "whose drop had been interrupted", "which Pulumi's state did not know"


def server(
    owner: str | None = IT.role,
    role: bool = True,
    ledger: Mapping[str, str] | None = LEDGER,
    allows: bool = True,
    administered: bool = True,
    invalid: bool = False,
    asked: str = DB,
) -> ServerFacts:
    return ServerFacts(DatabaseFacts(owner, role, ledger, asked), allows, administered, invalid)


def revisions(*statuses: Status) -> tuple[Revision, ...]:
    return tuple(Revision(version, status) for version, status in enumerate(statuses, start=1))


WELL = Facts(
    identity=IT,
    state=state(),
    namespace=NamespaceFacts("uid", annotations(IT)),
    revisions=revisions(Status.SUPERSEDED, Status.DEPLOYED),
    objects=(ENV,),
    ledger=LEDGER,
    server=server(),
)
NOTHING = Facts(IT, server=server(None, False, None))
"""Before the first deployment."""


BOUND = State((*state().resources, resource(ROLE_BINDING, rights_id(IT))))
"""The state of an environment with a RoleBinding."""


def but(**changes: Any) -> Facts:
    return WELL.but(**changes)


def uninstall(why: str) -> UninstallRelease:
    return UninstallRelease(IT.namespace, IT.release, why)


def roll_back(revision: int, why: str) -> RollBackRelease:
    return RollBackRelease(IT.namespace, IT.release, revision, why)


@pytest.mark.parametrize(
    ("facts", "unknown"),
    [
        (WELL, False),
        (NOTHING, False),
        (but(state=state("namespace")), True),
        (but(state=State()), True),
        (but(state=State(), namespace=NamespaceFacts("uid", annotations(IT), terminating=True)), False),
        (but(namespace=None), False),
    ],
)
def test_a_state_that_was_lost_is_seen(facts: Facts, unknown: bool) -> None:
    assert is_unknown_to_pulumi(facts) is unknown


UPDATING = PendingOperation("updating", RESOURCES["release"].urn, RELEASE)
INSTALLED_BUT_UNKNOWN = "was installed by an interrupted run and is not in Pulumi's state"
FAILED_UNKNOWN = "failed, and Pulumi's state does not say so"


@pytest.mark.parametrize("type_", ["pulumi:providers:aws", IMAGE, GRANT, GRANT_ROLE])
def test_what_may_be_made_a_second_time_is_in_no_doubt(type_: str) -> None:
    [refresh] = decide(but(state=state(pending=(pending("creating", type_),))), Action.DEPLOY)
    assert isinstance(refresh, Refresh)
    assert "may exist" not in refresh.because


@pytest.mark.parametrize(
    ("facts", "repairs"),
    [
        pytest.param(WELL, [], id="nothing is wrong"),
        pytest.param(NOTHING, [], id="nothing is there yet"),
        pytest.param(but(server=None, state=state("database", "role", "ledger"), ledger=None), [], id="no database"),
        # the right to work in it
        pytest.param(
            but(locked_out=True, revisions=(), objects=(), state=BOUND),
            [GiveRights(IT.namespace)],
            id="the RoleBinding was removed",
        ),
        pytest.param(
            but(namespace=None, revisions=(), objects=(), state=BOUND),
            [MakeNamespace(IT.namespace)],
            id="the namespace was removed, and the RoleBinding with it",
        ),
        pytest.param(
            but(locked_out=True, revisions=(), objects=()),
            [],
            id="a namespace that never had its RoleBinding gets it from Pulumi, and is not said to be empty",
        ),
        pytest.param(
            but(objects=(ENV, RIGHTS)),
            [DeleteObjects((RIGHTS,))],
            id="a RoleBinding that the state does not know",
        ),
        pytest.param(but(objects=(ENV, RIGHTS), state=BOUND), [], id="a RoleBinding that the state knows"),
        # the namespace
        pytest.param(
            but(namespace=NamespaceFacts("uid", annotations(IT), terminating=True)),
            [AwaitNamespaceGone(IT.namespace)],
            id="the namespace is being deleted",
        ),
        pytest.param(
            but(state=state("namespace", "variables", "release"), revisions=(), objects=()),
            [DeleteNamespace(IT.namespace, "uid")],
            id="a namespace that the state does not know",
        ),
        pytest.param(
            but(state=state("variables")),
            [DeleteObjects((ENV,))],
            id="a Secret that the state does not know",
        ),
        pytest.param(
            but(namespace=None, revisions=(), objects=()),
            [Refresh(f"the namespace {IT.namespace}, the Helm release {IT.release} had been removed")],
            id="the namespace was removed by hand",
        ),
        # the release
        pytest.param(
            but(revisions=revisions(Status.PENDING_INSTALL)),
            [uninstall("was left pending-install")],
            id="pending-install",
        ),
        pytest.param(
            but(revisions=revisions(Status.DEPLOYED, Status.PENDING_UPGRADE)),
            [roll_back(1, "was left pending-upgrade")],
            id="pending-upgrade",
        ),
        pytest.param(
            but(revisions=revisions(Status.SUPERSEDED, Status.DEPLOYED, Status.FAILED, Status.PENDING_ROLLBACK)),
            [roll_back(2, "was left pending-rollback")],
            id="pending-rollback",
        ),
        pytest.param(
            but(revisions=revisions(Status.FAILED, Status.PENDING_UPGRADE)),
            [uninstall("was left pending-upgrade")],
            id="pending-upgrade of what never was deployed",
        ),
        pytest.param(
            but(revisions=revisions(Status.DEPLOYED, Status.UNKNOWN)),
            [roll_back(1, "was left unknown")],
            id="unknown",
        ),
        pytest.param(
            but(revisions=revisions(Status.DEPLOYED, Status.UNINSTALLING)),
            [uninstall("was left uninstalling")],
            id="uninstalling",
        ),
        pytest.param(
            but(revisions=revisions(Status.UNINSTALLED)), [uninstall("was left uninstalled")], id="history was kept"
        ),
        pytest.param(
            but(revisions=revisions(Status.FAILED), state=state(release=FAILED_RELEASE)),
            [uninstall("failed when it was first installed")],
            id="the first installation failed",
        ),
        pytest.param(
            but(revisions=revisions(Status.DEPLOYED, Status.FAILED), state=state(release=FAILED_RELEASE)),
            [],
            id="a failed upgrade: the next one goes on from it",
        ),
        pytest.param(
            but(revisions=revisions(Status.DEPLOYED, Status.FAILED), state=state(pending=(UPDATING,))),
            [roll_back(1, FAILED_UNKNOWN)],
            id="an upgrade that failed because the engine was killed",
        ),
        pytest.param(
            but(revisions=revisions(Status.DEPLOYED, Status.FAILED)),
            [uninstall(FAILED_UNKNOWN)],
            id="a failure that a refresh made the state forget",
        ),
        pytest.param(
            but(state=state("release", pending=(pending("creating", RELEASE),))),
            [uninstall(INSTALLED_BUT_UNKNOWN)],
            id="installed, and the engine was killed before it noted that",
        ),
        pytest.param(
            but(revisions=()), [Refresh(f"the Helm release {IT.release} had been removed")], id="uninstalled by hand"
        ),
        # the database
        pytest.param(but(server=server(allows=False)), [AllowConnections(IT.database)], id="it refuses connections"),
        pytest.param(
            but(server=server(allows=False, administered=False)),
            [Administer(IT.role), AllowConnections(IT.database)],
            id="nobody may let connections in",
        ),
        pytest.param(
            but(server=server(allows=False, invalid=True)),
            [DropDatabase(IT.database, DROPPING)],
            id="its drop was interrupted, and it cannot be altered any more",
        ),
        pytest.param(
            but(server=server(None), state=state("database")),
            [],
            id="role and ledger are there, the database is still to be made",
        ),
        pytest.param(
            but(server=server(None)),
            [Refresh(f"the database {IT.database} had been removed")],
            id="the database was removed by hand",
        ),
        pytest.param(
            but(server=server(None), state=state("database", "role")),
            [DropRole(IT.role)],
            id="a role that the state does not know",
        ),
        pytest.param(
            but(server=server(None, False), state=state("database", "role", "ledger")),
            [DeleteLedgerEntry("deploytag-system", IT.namespace)],
            id="an entry of the ledger that the state does not know",
        ),
        pytest.param(
            but(server=server(None), state=state("database", "ledger")),
            [Adopt((Ours.LEDGER,), IT.database)],
            id="an entry that the state does not know, for a role that it does",
        ),
        pytest.param(
            but(state=state("database", "variables", "release"), revisions=(), objects=()),
            [Adopt((Ours.DATABASE,), IT.database)],
            id="a database that the state does not know",
        ),
        pytest.param(
            but(state=State(), namespace=None, revisions=(), objects=()),
            [Adopt((Ours.LEDGER, Ours.ROLE, Ours.DATABASE), IT.database)],
            id="the state is lost, the namespace is gone",
        ),
        pytest.param(
            but(state=State()), [uninstall(INSTALLED_BUT_UNKNOWN)], id="the state is lost, everything is there"
        ),
        # operations of unknown end
        pytest.param(
            but(state=state(pending=(pending("updating", SECRET, "variables"),))),
            [
                Refresh(
                    "it was not known how an interrupted run's operations had ended (updating variables)",
                    clear_pending=True,
                )
            ],
            id="an update of unknown end",
        ),
        pytest.param(
            but(
                state=state("database", "variables", "release", pending=(pending("creating", DATABASE, "database"),)),
                revisions=(),
                objects=(),
            ),
            [
                Refresh(
                    "it was not known how an interrupted run's operations had ended (creating database)",
                    clear_pending=True,
                )
            ],
            id="the database was just being made: first forget, then import",
        ),
        pytest.param(
            but(state=state("variables", pending=(pending("creating", SECRET, "variables", ENV),))),
            [DeleteObjects((ENV,))],
            id="a Secret was just being made",
        ),
        pytest.param(
            but(state=state(pending=(pending("creating", "aws:s3/bucket:Bucket", "files"),))),
            [
                Refresh(
                    "it was not known how an interrupted run's operations had ended (creating files); files may exist "
                    "without being in Pulumi's state",
                    clear_pending=True,
                )
            ],
            id="something of the program's own was just being made",
        ),
        pytest.param(
            but(
                revisions=revisions(Status.DEPLOYED, Status.FAILED),
                server=server(None),
                state=state(release=FAILED_RELEASE),
            ),
            [Refresh(f"the database {IT.database} had been removed", exclude=(FAILED_RELEASE.urn,))],
            id="a refresh must not forget that the release failed",
        ),
    ],
)
def test_what_is_repaired_before_a_deployment(facts: Facts, repairs: list[Repair]) -> None:
    assert list(decide(facts, Action.DEPLOY)) == repairs


@pytest.mark.parametrize(
    ("facts", "repairs"),
    [
        pytest.param(WELL, [], id="nothing is wrong"),
        pytest.param(but(state=State()), [], id="the state is lost: what is there is swept, not repaired"),
        pytest.param(but(revisions=revisions(Status.PENDING_INSTALL)), [], id="Helm uninstalls whatever it is"),
        pytest.param(but(namespace=NamespaceFacts("uid", annotations(IT), terminating=True)), [], id="it goes anyway"),
        pytest.param(but(server=server(allows=False)), [AllowConnections(IT.database)], id="connections"),
        pytest.param(
            but(server=server(allows=False, invalid=True)), [DropDatabase(IT.database, DROPPING)], id="a drop"
        ),
        pytest.param(
            but(revisions=()), [Refresh(f"the Helm release {IT.release} had been removed")], id="uninstalled by hand"
        ),
        pytest.param(
            but(state=State(), namespace=NamespaceFacts("uid", annotations(OTHER))), [], id="not ours, not touched"
        ),
        pytest.param(
            but(state=state("database", "role", "release")),
            [DropDatabase(IT.database, UNKNOWN)],
            id="the ledger's entry would go, and with it the proof of whose the database is",
        ),
        pytest.param(but(state=state("database")), [DropDatabase(IT.database, UNKNOWN)], id="the database alone"),
        pytest.param(
            but(state=state("role")), [DropDatabase(IT.database, UNKNOWN)], id="first of all what the role owns"
        ),
        pytest.param(
            but(state=state("database", "role"), server=server(None)), [DropRole(IT.role)], id="a role was just made"
        ),
        pytest.param(
            but(
                state=state("database", "role", pending=(pending("creating", ROLE, "role"),)),
                server=server(None),
            ),
            [DropRole(IT.role)],
            id="and nobody knew how that had ended",
        ),
        pytest.param(
            but(state=state("database", "role", "ledger")), [], id="the sweep has the proof: Pulumi does not take it"
        ),
    ],
)
def test_what_is_repaired_before_a_destruction(facts: Facts, repairs: list[Repair]) -> None:
    assert list(decide(facts, Action.DESTROY)) == repairs


@pytest.mark.parametrize(
    ("facts", "action", "sentence"),
    [
        (but(namespace=NamespaceFacts("uid", {})), Action.DEPLOY, f"the namespace {IT.namespace} exists"),
        (but(namespace=NamespaceFacts("uid", annotations(OTHER))), Action.DESTROY, "is not that of feature/test"),
        (NOTHING.but(namespace=NamespaceFacts("uid", annotations(OTHER))), Action.DEPLOY, "is not that of"),
        (but(server=server("postgres")), Action.DEPLOY, "belongs to the role postgres"),
        (but(server=server("postgres")), Action.DESTROY, "belongs to the role postgres"),
        (NOTHING.but(server=server(IT.role, True, None)), Action.DEPLOY, "the ledger in deploytag-system does not"),
        (
            but(ledger={**ledger_entry(OTHER), SERVER: DB}, server=server(None, False)),
            Action.DEPLOY,
            "names another environment",
        ),
        (but(server=server(None, False, asked="new.test:5432")), Action.DEPLOY, f"is on {DB}, and PGHOST names new"),
        (but(server=server(None, False, asked="new.test:5432")), Action.DESTROY, f"is on {DB}, and PGHOST names new"),
    ],
)
def test_what_is_not_ours_is_left_alone(facts: Facts, action: Action, sentence: str) -> None:
    with pytest.raises(OwnershipError, match=sentence):
        decide(facts, action)


STATES = st.builds(lambda names: state(*names), st.sets(st.sampled_from(sorted(RESOURCES))))
FACTS = st.builds(
    Facts,
    identity=st.just(IT),
    state=STATES,
    namespace=st.none() | st.builds(NamespaceFacts, st.just("uid"), st.just(annotations(IT)), st.booleans()),
    revisions=st.lists(st.sampled_from(Status), max_size=3).map(lambda statuses: revisions(*statuses)),
    objects=st.sampled_from([(), (ENV,)]),
    ledger=st.just(LEDGER),
    server=st.none()
    | st.builds(server, st.sampled_from([None, IT.role]), st.just(True), st.just(LEDGER), st.booleans()),
)


@given(FACTS)
def test_a_database_is_never_dropped(facts: Facts) -> None:
    for it in decide(facts, Action.DEPLOY):
        if isinstance(it, DropRole | DeleteLedgerEntry):
            assert facts.server is not None
            assert facts.server.database.owner is None


@given(FACTS)
def test_what_the_state_knows_is_not_deleted(facts: Facts) -> None:
    for it in decide(facts, Action.DEPLOY):
        if isinstance(it, DeleteNamespace):
            assert facts.state.find(NAMESPACE, it.namespace) is None
        if isinstance(it, DeleteObjects):
            assert not any(facts.state.knows(each) for each in it.objects)


def test_every_status_of_helm_is_known_and_another_is_unknown() -> None:
    assert Status("pending-install") is Status.PENDING_INSTALL
    assert Status("something-new") is Status.UNKNOWN
