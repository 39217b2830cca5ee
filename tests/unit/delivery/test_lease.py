"""Taking, holding, losing and giving back a lease: the real code in simulated time, against an API server's rules."""

import copy
import itertools
import logging
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from deploytag.api import Object
from deploytag.delivery.lease.acquire import GaveUpError, Lease, LeaseState
from deploytag.delivery.lease.state import claimed, object_of
from deploytag.delivery.run import Action, Run
from deploytag.errors import BusyError, DeployTagError, OwnershipError, UnreachableError
from deploytag.identity import Identity, identify
from tests.unit.delivery.fake_leases import EPOCH, LeaseServer, leases
from tests.unit.delivery.simulation import Process, World

IDENTITY = identify("shop", "feature/test")
NAME = IDENTITY.namespace
NEVER = threading.Event()


def a_run(action: Action = Action.DEPLOY, commit: str | None = "c" * 40) -> Run:
    return Run(uuid4().hex, action, commit, "runner-1", "boot/pid:[1]", 4242)


def take(
    server: LeaseServer,
    process: Process,
    run: Run | None = None,
    *,
    patience: float = 1000,
    give_up: Callable[[], str | None] = lambda: None,
    waiting: Callable[[LeaseState], None] = lambda _: None,
) -> Lease:
    return leases(server, process).acquire(
        IDENTITY, run or a_run(), patience=patience, give_up=give_up, waiting=waiting
    )


@pytest.fixture
def world() -> Iterator[World]:
    it = World()
    yield it
    it.close()


@pytest.fixture
def server(world: World) -> LeaseServer:
    return LeaseServer(world)


def holding(server: LeaseServer, seconds: float, run: Run | None = None) -> Callable[[Process], None]:
    """A process that holds the lease for some time."""

    def main(process: Process) -> None:
        with take(server, process, run):
            process.sleep(seconds)

    return main


def left_behind(server: LeaseServer, state: LeaseState, identity: Identity = IDENTITY) -> None:
    """A lease that is there already."""
    server.create(object_of(identity, state))


def test_a_free_lease_is_taken_and_says_who_holds_it(world: World, server: LeaseServer) -> None:
    run = a_run()

    def main(process: Process) -> None:
        with take(server, process, run, patience=0) as lease:
            stored = server.stored[NAME]
            assert stored["metadata"]["labels"] == {
                "app.kubernetes.io/managed-by": "deploytag",
                "deploytag.dev/project": "shop",
                "deploytag.dev/stack": "feature-test",
            }
            assert stored["metadata"]["annotations"] == {
                "deploytag.dev/project": "shop",
                "deploytag.dev/ref": "feature/test",
                "deploytag.dev/run": run.id,
                "deploytag.dev/action": "deploy",
                "deploytag.dev/commit": "c" * 40,
                "deploytag.dev/host": "runner-1",
                "deploytag.dev/machine": "boot/pid:[1]",
                "deploytag.dev/pid": "4242",
            }
            assert (stored["spec"]["holderIdentity"], stored["spec"]["leaseDurationSeconds"]) == (run.id, 30)
            assert (lease.previous, lease.engines, lease.lost.is_set()) == (None, (), False)
            state = leases(server, process).read(IDENTITY)
            assert state is not None
            assert (state.run, state.live) == (run, True)
            assert leases(server, process).all("shop") == {NAME: state}
            assert leases(server, process).all("other") == {}
        assert server.stored == {}
        assert leases(server, process).read(IDENTITY) is None

    world.process(main)
    world.run()


def test_a_lease_is_renewed_as_long_as_it_is_held_and_callbacks_hear_of_it(world: World, server: LeaseServer) -> None:
    told: list[float] = []

    def main(process: Process) -> None:
        with take(server, process) as lease:
            lease.on_renewed(told.append)
            assert told == [lease.deadline]
            for _ in range(100):
                process.sleep(3)
                lease.check()
            assert told[-1] == lease.deadline

    world.process(main)
    world.run()
    assert told == sorted(told)
    assert len(told) > 300 / 6.2


def test_renewals_tell_the_api_servers_time_whatever_the_hosts_clock_says(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process):
            process.sleep(100)
            state = leases(server, process).read(IDENTITY)
            assert state is not None
            assert state.renewed is not None
            assert abs(state.renewed - EPOCH - timedelta(seconds=world.time)) < timedelta(seconds=8)

    world.process(main)
    world.run()


def test_a_waiter_is_told_of_the_holder_once_and_has_a_released_lease_at_once(
    world: World, server: LeaseServer
) -> None:
    holder, heard, got = a_run(), list[LeaseState](), list[float]()

    def wait(process: Process) -> None:
        with take(server, process, waiting=heard.append) as lease:
            got.append(world.time)
            assert lease.previous is None

    world.process(holding(server, 50, holder))
    world.process(wait, start=10)
    world.run()
    assert [state.run for state in heard] == [holder]
    assert 50 < got[0] < 50.5


def test_where_nothing_can_be_watched_a_released_lease_is_found_all_the_same(world: World, server: LeaseServer) -> None:
    server.watchable = False
    got: list[float] = []

    def wait(process: Process) -> None:
        with take(server, process):
            got.append(world.time)

    world.process(holding(server, 50))
    world.process(wait, start=10)
    world.run()
    assert 50 < got[0] < 53
    assert server.log.count("watch") < 100, "without haste"


def test_a_waiter_gives_up_when_it_is_told_to(world: World, server: LeaseServer) -> None:
    asked: list[float] = []

    def wait(process: Process) -> None:
        def give_up() -> str | None:
            asked.append(world.time)
            return "superseded by 1234" if world.time > 30 else None

        with pytest.raises(GaveUpError) as gave_up:
            take(server, process, give_up=give_up)
        assert gave_up.value.reason == "superseded by 1234"
        assert 30 < world.time < 33

    world.process(holding(server, 50))
    world.process(wait, start=10)
    world.run()
    assert all(later - earlier < 2.5 for earlier, later in itertools.pairwise(asked))


def test_a_superseded_waiter_does_not_take_what_is_released(world: World, server: LeaseServer) -> None:
    def wait(process: Process) -> None:
        with pytest.raises(GaveUpError):
            take(server, process, give_up=lambda: "superseded" if not server.stored else None)

    world.process(holding(server, 50))
    world.process(wait, start=10)
    world.run()
    assert server.stored == {}


def test_patience_ends_with_who_holds_it(world: World, server: LeaseServer) -> None:
    def wait(process: Process) -> None:
        with pytest.raises(BusyError) as busy:
            take(server, process, patience=20)
        for said in ("feature/test", "deploy of cccccccccccc", "runner-1", "2026-01-02 03:04:05 UTC", "20 s", "30 s"):
            assert said in str(busy.value)
        assert 30 <= world.time < 33

    world.process(holding(server, 50))
    world.process(wait, start=10)
    world.run()


def test_who_died_is_taken_over_after_the_expiry_and_not_before(world: World, server: LeaseServer) -> None:
    run, deadlines, got = a_run(), list[float](), list[float]()

    def die(process: Process) -> None:
        with take(server, process, run) as lease:
            lease.on_renewed(lambda deadline: deadlines.append(process.when(deadline)))
            lease.engine_started(77)
            process.sleep(1000)

    def wait(process: Process) -> None:
        with take(server, process) as lease:
            got.append(world.time)
            assert lease.previous is not None
            assert lease.previous.run == run
            assert [(engine.host, engine.pid) for engine in lease.engines] == [("runner-1", 77)]
            state = leases(server, process).read(IDENTITY)
            assert state is not None
            assert state.transitions == 1
            lease.engines_ended()
            assert lease.engines == ()

    victim = world.process(die)
    world.at(40, victim.kill)
    world.process(wait, start=10)
    world.run()
    last_renewal = deadlines[-1] - 24
    assert last_renewal + 30 <= got[0] < last_renewal + 30 + 1
    assert server.stored == {}


def test_who_died_long_ago_is_taken_over_at_once(world: World, server: LeaseServer) -> None:
    left_behind(server, claimed(IDENTITY, a_run(), 30, None, EPOCH - timedelta(seconds=331)))

    def main(process: Process) -> None:
        with take(server, process, patience=0) as lease:
            assert lease.previous is not None

    world.process(main)
    world.run()


@pytest.mark.parametrize("tells_time", [True, False])
def test_whether_somebody_died_is_not_told_by_the_hosts_clock(
    world: World, server: LeaseServer, tells_time: bool
) -> None:
    server.tells_time = tells_time
    long_ago = timedelta(minutes=5) if tells_time else timedelta(days=365)
    left_behind(server, claimed(IDENTITY, a_run(), 30, None, EPOCH - long_ago))

    def main(process: Process) -> None:
        with take(server, process):
            assert world.time >= 30

    world.process(main)
    world.run()


def test_engines_of_unknown_end_outlive_every_run(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        for pid in (1, 2, 3):
            with take(server, process, patience=0) as lease:
                before = [engine.pid for engine in lease.engines]
                assert before == list(range(1, pid))
                lease.engine_started(pid)
                state = leases(server, process).read(IDENTITY)
                assert state is not None
                assert [engine.pid for engine in state.engines] == [*before, pid]
            left = leases(server, process).read(IDENTITY)
            assert left is not None
            assert (left.holder, left.live, len(left.engines)) == (None, False, pid)
        with take(server, process, patience=0) as lease:
            assert lease.previous is not None
            lease.engines_ended()
            state = leases(server, process).read(IDENTITY)
            assert state is not None
            assert state.engines == ()

    world.process(main)
    world.run()
    assert server.stored == {}


def test_who_could_not_be_ended_is_told_to_the_next(world: World, server: LeaseServer) -> None:
    dead = a_run()
    left_behind(server, claimed(IDENTITY, dead, 30, None, EPOCH - timedelta(days=1)))

    def main(process: Process) -> None:
        for _ in range(2):
            with take(server, process, patience=0) as lease:
                assert lease.previous is not None
                assert lease.previous.run == dead
                lease.leave_to_next(dead)
        with take(server, process, patience=0) as lease:
            assert lease.previous is not None
            assert lease.previous.run == dead, "until somebody could end it"

    world.process(main)
    world.run()
    assert server.stored == {}


def test_noting_an_engine_is_a_renewal(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            process.sleep(4)
            before = process.now()
            lease.engine_started(5)
            assert lease.deadline >= before + 24

    world.process(main)
    world.run()


def test_a_stopped_run_has_lost_its_lease_even_if_nobody_took_it(world: World, server: LeaseServer) -> None:
    told: list[float] = []

    def main(process: Process) -> None:
        with take(server, process) as lease:
            lease.on_renewed(told.append)
            process.sleep(15)
            deadline = lease.deadline
            process.stopped_until = world.time + 100
            process.sleep(1)
            with pytest.raises(BusyError, match=r"lost its lease of feature/test.*Run it again"):
                lease.check()
            assert lease.lost.is_set()
            process.sleep(30)
            assert told[-1] == lease.deadline == deadline, "it is never held again"
            with pytest.raises(BusyError):
                lease.engine_started(1)

    world.process(main)
    world.run()
    assert NAME in server.stored, "left to expire"


def test_a_stopped_run_learns_who_took_its_lease(world: World, server: LeaseServer) -> None:
    stopped: list[Lease] = []

    def main(process: Process) -> None:
        with take(server, process) as lease:
            stopped.append(lease)
            process.sleep(10)
            process.stopped_until = 200
            process.sleep(1)
            with pytest.raises(BusyError):
                lease.check()

    world.process(main)
    world.process(holding(server, 500), start=50)
    world.run(300)
    assert stopped[0].lost.is_set()
    assert server.stored[NAME]["spec"]["leaseTransitions"] == 1


def test_who_is_cut_off_holds_it_until_the_deadline_and_no_longer(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            process.sleep(10)
            process.cut_off_until = 1000
            end = process.when(lease.deadline)
            while world.time < end - 0.1:
                lease.check()
                assert not lease.lost.is_set()
                process.sleep(0.1)
            process.sleep(0.2)
            assert lease.lost.is_set()
            with pytest.raises(BusyError, match=r"could not be renewed in time.*did not answer"):
                lease.check()

    world.process(main)
    world.run()


@pytest.mark.parametrize("seconds", [1, 5, 9, 12])
def test_a_short_silence_is_survived(world: World, server: LeaseServer, seconds: float) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            process.sleep(5)
            process.cut_off_until = world.time + seconds
            process.sleep(60)
            lease.check()

    world.process(main)
    world.run()
    assert server.stored == {}


def test_a_renewal_that_hangs_does_not_hide_the_deadline(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with pytest.raises(KeyError, match="the body's"), take(server, process) as lease:
            process.sleep(10)
            server.hangs = True
            assert process.wait(lease.lost, 30)
            assert process.now() >= lease.deadline
            raise KeyError("the body's")

    world.process(main)
    world.run()


def test_a_lease_that_somebody_removes_is_lost_and_stays_removed(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            server.delete(NAME)
            assert process.wait(lease.lost, 10)
            with pytest.raises(BusyError, match="somebody removed it"):
                lease.check()

    world.process(main)
    world.run()
    assert server.stored == {}


@pytest.mark.parametrize(("holder", "why"), [("9" * 32, "run 99999999.*holds it now"), ("", "somebody gave it back")])
def test_a_lease_that_somebody_edits_is_lost(world: World, server: LeaseServer, holder: str, why: str) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            edited = copy.deepcopy(server.stored[NAME])
            edited["spec"]["holderIdentity"] = holder
            server.replace(edited)
            assert process.wait(lease.lost, 10)
            with pytest.raises(BusyError, match=why):
                lease.check()

    world.process(main)
    world.run()
    assert server.stored[NAME]["spec"]["holderIdentity"] == holder


def test_what_was_written_without_an_answer_was_written(
    world: World, server: LeaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = a_run()
    left_behind(server, claimed(IDENTITY, before, 30, None, EPOCH - timedelta(days=1)))

    replace = server.replace

    def main(process: Process) -> None:
        def replace_without_an_answer(body: Object) -> Object:
            monkeypatch.setattr(server, "replace", replace)
            process.deafened_until = world.time + 7
            return replace(body)

        run = a_run()
        monkeypatch.setattr(server, "replace", replace_without_an_answer)
        with take(server, process, run) as lease:
            assert lease.previous is not None
            assert lease.previous.run == before
            state = leases(server, process).read(IDENTITY)
            assert state is not None
            assert (state.holder, state.transitions) == (run.id, 1)
            # and so with a renewal
            monkeypatch.setattr(server, "replace", replace_without_an_answer)
            process.sleep(40)
            lease.check()
            assert server.replace == replace

    world.process(main)
    world.run()
    assert server.stored == {}


def test_one_run_does_not_take_it_twice(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        run = a_run()
        with take(server, process, run), pytest.raises(ValueError, match="already"):
            take(server, process, run)

    world.process(main)
    world.run()


@pytest.mark.parametrize("mine", ["project", "ref", None])
def test_what_is_not_provably_ones_own_is_left_alone(world: World, server: LeaseServer, mine: str | None) -> None:
    other = replace(
        IDENTITY, project="shop" if mine == "project" else "x", ref="feature/test" if mine == "ref" else "y"
    )
    left_behind(server, claimed(IDENTITY, a_run(), 30, None, EPOCH), other)
    if mine is None:
        server.stored[NAME]["metadata"] = {"name": NAME}
    before = server.version

    def main(process: Process) -> None:
        with pytest.raises(OwnershipError, match=rf"the lease {NAME} .* is not that of feature/test"):
            take(server, process)
        with pytest.raises(OwnershipError):
            leases(server, process).read(IDENTITY)
        assert NAME not in leases(server, process).all("shop") or mine == "project"

    world.process(main)
    world.run()
    assert server.version == before


@pytest.mark.parametrize(
    ("verb", "status", "kind", "said"),
    [
        ("list", 401, UnreachableError, "does not know the kubeconfig's user"),
        ("list", 403, UnreachableError, "may not list leases in the namespace deploytag-system"),
        ("create", 403, UnreachableError, "may not create leases"),
        ("create", 404, OwnershipError, "kubectl create namespace deploytag-system"),
        ("list", 500, UnreachableError, "answered 500"),
        ("create", 422, UnreachableError, "answered 422"),
    ],
)
def test_a_refusal_is_a_sentence(
    world: World, server: LeaseServer, verb: str, status: int, kind: type[DeployTagError], said: str
) -> None:
    server.refuse[verb] = status

    def main(process: Process) -> None:
        with pytest.raises(kind, match=said) as refused:
            take(server, process)
        assert type(refused.value).exit_code == kind.exit_code
        assert "feature/test" in str(refused.value)

    world.process(main)
    world.run()


def test_an_api_server_that_is_silent_is_waited_for_but_not_long(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        process.cut_off_until = 8
        with take(server, process):
            assert world.time >= 8
        process.cut_off_until = math.inf
        begun = world.time
        with pytest.raises(UnreachableError, match="did not answer"):
            take(server, process)
        assert 15 < world.time - begun < 25

    world.process(main)
    world.run()


def test_what_the_body_failed_with_is_what_is_raised(
    world: World, server: LeaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    def main(process: Process) -> None:
        with pytest.raises(KeyError, match="the body's"), take(server, process):
            server.refuse["delete"] = 500
            raise KeyError("the body's")

    world.process(main)
    with caplog.at_level(logging.WARNING):
        world.run()
    assert "was not given back, the next run waits 30 s" in caplog.text


def test_giving_back_is_tried_again(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process):
            process.sleep(1)
            process.deafened_until = world.time + 5

    world.process(main)
    world.run()
    assert server.stored == {}
    assert server.log.count("delete") == 1, "the first was carried out, which a look shows"
