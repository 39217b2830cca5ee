"""What `status` says of what keeps an environment apart."""

from typing import Any

from deploytag.delivery.isolation import Isolation, Limit, Policy, Quota, Space, in_force, lines


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "creationTimestamp": "2026-03-01T12:00:00Z", **more}}


SPACE = Space.model_validate(metadata("x", labels={"pod-security.kubernetes.io/enforce": "restricted"}))
QUOTA = Quota.model_validate(
    {**metadata("environment"), "status": {"hard": {"pods": "20", "limits.cpu": "2"}, "used": {"pods": "3"}}}
)
POLICIES = [
    Policy.model_validate(metadata("inside", annotations={"deploytag.dev/allows": "its own"})),
    Policy.model_validate(metadata("charts-own")),
]


def test_what_is_in_force_is_read_from_the_cluster() -> None:
    assert in_force([SPACE], [QUOTA], POLICIES) == Isolation(
        pod_security="restricted",
        limits={"limits.cpu": Limit("0", "2"), "pods": Limit("3", "20")},
        network={"charts-own": "what its own text says", "inside": "its own"},
    )


def test_a_quota_that_nobody_has_counted_yet_limits_nothing() -> None:
    assert in_force([SPACE], [Quota.model_validate(metadata("environment"))], []).limits == {}


def test_what_is_not_in_force_is_said() -> None:
    assert lines(in_force([], [], [])) == [
        "pod security: not enforced",
        "quota: none",
        "network: open, there is no network policy",
    ]


def test_a_person_reads_what_each_policy_allows() -> None:
    assert lines(in_force([SPACE], [QUOTA], POLICIES)) == [
        "pod security: restricted",
        "quota: limits.cpu 0 of 2, pods 3 of 20",
        "network: charts-own: what its own text says",
        "network: inside: its own",
    ]
