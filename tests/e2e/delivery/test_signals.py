"""A signal ends a deployment in the middle of what it does, and the next one goes on at once."""

import signal
from pathlib import Path

import pytest

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.record import Outcome
from deploytag.delivery.records import Records
from deploytag.ownership import SYSTEM_NAMESPACE
from tests.e2e.delivery.killing import victim
from tests.e2e.delivery.pushing import pushing
from tests.e2e.names import own
from tests.e2e.program.checkout import page
from tests.e2e.program.inventory import kubectl

pytestmark = pytest.mark.e2e


IMAGE, RELEASE = "begun create Image shop-images-base", "begun create Release shop-release"


# The component that a release is in has its name, and begins before it.
@pytest.mark.parametrize("moments", [[IMAGE], [RELEASE, RELEASE]], ids=["while an image is built", "while Helm runs"])
def test_signals_end_a_deployment_and_the_next_one_goes_on(
    tmp_path: Path, cluster: Cluster, moments: list[str]
) -> None:
    ref = own(f"feature/signalled-{moments[-1].split()[2].lower()}")
    with pushing(tmp_path) as it:
        it.small()
        commit, identity = it.push(ref), it.identity(ref)
        with victim(["deploytag", "deploy", ref, "--verbose"], it.path, it.checkout.environ) as run:
            assert all(map(run.says, moments)), "".join(run.output)
            # What comes after the first changes nothing: Pulumi would take a second one for an order to stop half-way.
            assert run.signal_until(signal.SIGTERM, "already ending"), "".join(run.output)
            code = run.wait()
            said = "".join(run.output)
            assert code == 130, said
            assert run.pids() == [], "it said that everything has ended"
        assert "stopped by SIGTERM; everything that ran has ended" in said
        record = Records(cluster).get(identity)
        assert record is not None
        assert record.attempt is not None
        assert record.attempt.outcome is Outcome.INTERRUPTED
        lease = ("get", "lease", identity.namespace, "-n", SYSTEM_NAMESPACE, "--ignore-not-found")
        assert kubectl(*lease, "-o", "jsonpath={.spec.holderIdentity}") == "", "nobody has to wait for it to expire"

        again = it.deploytag("deploy", ref)
        assert again.ok, again.output
        assert "waiting for" not in again.output
        report = it.report("deploy", ref)
        assert (report["outcome"], report["repaired"]) == ("unchanged", [])
        assert page(report["url"])["revision"] == commit
