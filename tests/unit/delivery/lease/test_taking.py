"""Taking a lease: what it says then, whose it must not be, and an API server that refuses or is silent."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from deploytag.api import Object
from deploytag.delivery.lease.state import claimed
from deploytag.errors import DeployTagError, OwnershipError, UnreachableError
from tests.unit.delivery.lease.fake_leases import EPOCH, LeaseServer, leases
from tests.unit.delivery.lease.runs import IDENTITY, NAME, a_run, left_behind, take
from tests.unit.delivery.lease.simulation import Process, World


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
