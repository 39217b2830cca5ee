"""A hundred thousand hostile refs and secrets, and every parser with many more inputs than in `make check`."""

import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploytag.remote import Remote
from tests.unit.checkout import Checkout
from tests.unit.hostile.parsers import PARSERS
from tests.unit.hostile.seeded import names, payloads, refs, variables

pytestmark = pytest.mark.soak

COUNT = 100_000


def test_a_hundred_thousand_refs() -> None:
    spaces: dict[str, str] = {}
    for ref in refs(COUNT, seed=random.randrange(1 << 32)):
        if identity := names(ref):
            assert spaces.setdefault(identity.namespace, ref) == ref


def test_a_hundred_thousand_secrets() -> None:
    assert sum(variables(payload) is not None for payload in payloads(COUNT, seed=random.randrange(1 << 32))) > 1000


def test_a_remote_with_a_hundred_thousand_branches(tmp_path: Path) -> None:
    checkout = Checkout.init(tmp_path / "checkout")
    commit = checkout.commit()
    bare = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(checkout.path), str(bare)], check=True)
    # Among them what `git branch` would refuse and a server may have all the same.
    lines = [f"{commit} refs/heads/{kind}{number:06}" for number in range(COUNT // 2) for kind in ("feature/", "-x")]
    lines = sorted([*lines, f"{commit} refs/heads/main"], key=lambda line: line.split()[1])
    (bare / "packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + "\n".join(lines) + "\n")
    found = Remote(checkout.path, str(bare)).refs()
    assert len(found) == COUNT // 2 + 1
    assert not [ref for ref in found if ref.startswith("-")]


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=2_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(data=st.data())
def test_nothing_but_our_own_errors(name: str, data: st.DataObject) -> None:
    parser = PARSERS[name]
    given_ = data.draw(parser.inputs)
    try:
        parser.read(given_)
    except parser.raises as error:
        assert str(error)
