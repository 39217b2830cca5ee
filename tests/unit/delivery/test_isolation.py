"""What `status` says of what keeps an environment apart."""

from dataclasses import replace
from typing import Any

import pytest

from deploytag.delivery.inventory.things import RoleLimits
from deploytag.delivery.isolation import (
    Facts,
    Isolation,
    Limit,
    LimitRange,
    Pod,
    Policy,
    Quota,
    ServiceAccount,
    Space,
    in_force,
    lines,
)


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "creationTimestamp": "2026-03-01T12:00:00Z", **more}}


SPACE = Space.model_validate(metadata("x", labels={"pod-security.kubernetes.io/enforce": "restricted"}))
QUOTA = Quota.model_validate(
    {**metadata("environment"), "status": {"hard": {"pods": "20", "limits.cpu": "2"}, "used": {"pods": "3"}}}
)
RANGE = LimitRange.model_validate(
    {
        **metadata("environment"),
        "spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}, {"type": "Container", "default": {"cpu": "250m"}}]},
    }
)
ACCOUNTS = [
    ServiceAccount.model_validate(metadata("default")),
    ServiceAccount.model_validate({**metadata("app"), "automountServiceAccountToken": False}),
]
ADMITTED = {"name": "kube-api-access-1", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
PODS = [
    Pod.model_validate({**metadata("web"), "spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}}),
    Pod.model_validate({**metadata("bare"), "spec": {"volumes": None}}),
]
ROLE = RoleLimits(20, "300000")
POLICIES = [
    Policy.model_validate(metadata("inside", annotations={"deploytag.dev/allows": "its own"})),
    Policy.model_validate(metadata("charts-own")),
]
FULL = Facts([SPACE], [QUOTA], [RANGE], POLICIES, ACCOUNTS, PODS, ROLE)


def test_what_is_in_force_is_read_from_the_cluster() -> None:
    assert in_force(FULL) == Isolation(
        pod_security="restricted",
        limits={"limits.cpu": Limit("0", "2"), "pods": Limit("3", "20")},
        containers={"cpu": "250m"},
        network={"charts-own": "what its own text says", "inside": "its own"},
        token=False,
        database=ROLE,
    )


def test_a_token_that_a_pod_has_is_seen_whatever_its_account_is_said_to_give() -> None:
    has = Pod.model_validate({**metadata("redis"), "spec": {"serviceAccountName": "default", "volumes": [ADMITTED]}})
    assert in_force(replace(FULL, pods=[*PODS, has])).token


def test_an_account_that_gives_tokens_is_seen_before_a_pod_has_one() -> None:
    assert in_force(replace(FULL, accounts=[ServiceAccount.model_validate(metadata("app"))])).token


def test_a_quota_that_nobody_has_counted_yet_limits_nothing() -> None:
    assert in_force(Facts(quotas=[Quota.model_validate(metadata("environment"))])).limits == {}


def test_what_is_not_in_force_is_said() -> None:
    assert lines(in_force(Facts())) == [
        "pod security: not enforced",
        "quota: none",
        "containers that name no limits: none",
        "network: open, there is no network policy",
        "service account: pods may get a token",
        "database: none",
    ]


def test_a_person_reads_what_each_policy_allows() -> None:
    assert lines(in_force(FULL)) == [
        "pod security: restricted",
        "quota: limits.cpu 0 of 2, pods 3 of 20",
        "containers that name no limits: cpu 250m",
        "network: charts-own: what its own text says",
        "network: inside: its own",
        "service account: without a token",
        "database: 20 connections, 300000 ms for a statement",
    ]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (RoleLimits(-1, "0"), "any number of connections, any time for a statement"),
        (RoleLimits(3, "5min"), "3 connections, 5min for a statement"),
    ],
)
def test_what_a_database_does_not_limit_is_said_too(limits: RoleLimits, said: str) -> None:
    assert lines(in_force(Facts(database=limits)))[-1] == f"database: {said}"
