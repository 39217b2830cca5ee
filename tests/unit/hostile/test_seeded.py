"""A small part of the long run of `tests/soak/test_hostile.py`."""

from tests.unit.hostile.seeded import names, payloads, refs, variables


def test_hostile_refs_and_secrets() -> None:
    found = {ref: identity for ref in refs(2_000, seed=1) if (identity := names(ref))}
    assert len(found) > 50, "some are names that git allows"
    assert len({identity.namespace for identity in found.values()}) == len(found)
    assert sum(variables(payload) is not None for payload in payloads(1_000, seed=1)) > 50
