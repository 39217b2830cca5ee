"""A whole life of an environment whose state is in a bucket, and encrypted by a key service.

What is not said here is the same as in a folder, and with a passphrase.
"""

import random
from pathlib import Path

import pytest

from tests.e2e.delivery.everything import Everything
from tests.e2e.delivery.matrix import Death, Scenario, trial
from tests.e2e.delivery.pushing import pushing
from tests.e2e.names import own

pytestmark = pytest.mark.e2e

REF = own("feature/in-a-bucket")


def test_an_environment_lives_and_ends(bucket: str, secrets_provider: str, tmp_path: Path) -> None:
    with pushing(tmp_path) as it:
        it.checkout.environ |= {"PULUMI_BACKEND_URL": bucket, "DEPLOYTAG_SECRETS_PROVIDER": secrets_provider}
        del it.checkout.environ["PULUMI_CONFIG_PASSPHRASE"]
        it.small()
        identity = it.identity(REF)
        # Deployed, pushed again, killed, and deployed by the same command.
        assert trial(it, REF, Scenario.UPDATE, Death.ALL, random.randint(1, 40)) is not None
        there = Everything.now(it.checkout.environ).of(identity)
        assert f"state file stacks/{identity.project}/{identity.stack}.json" in there
        it.delete(REF)
        destroyed = it.report("destroy", REF)
        assert {"namespace", "database", "role", "stack"} <= {removed.split()[0] for removed in destroyed["removed"]}
        assert Everything.now(it.checkout.environ).of(identity) == set()
        # It is asked only what it would do: to this remote the branches of all other tests are gone.
        found = it.report("gc", "--allow-shrink")
        assert found["refused"] is None
        assert REF not in {entry["ref"] for entry in found["entries"]}
        assert not [note for note in found["left_alone"] if identity.stack in note["subject"]]
