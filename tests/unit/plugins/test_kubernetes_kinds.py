"""Tokens, ids, names: what an object is called."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.plugins.kubernetes.kinds import Kind, auto_name, object_id, split_id
from sandbox.plugins.kubernetes.names import refused, with_name, with_namespace
from sandbox.plugins.provider import UNKNOWN, InvalidInputError, Secret

CONFIG_MAP = Kind("", "v1", "ConfigMap")


@pytest.mark.parametrize(
    ("token", "kind", "api_version"),
    [
        ("kubernetes:core/v1:Namespace", Kind("", "v1", "Namespace"), "v1"),
        ("kubernetes:apps/v1:Deployment", Kind("apps", "v1", "Deployment"), "apps/v1"),
        (
            "kubernetes:networking.k8s.io/v1:NetworkPolicy",
            Kind("networking.k8s.io", "v1", "NetworkPolicy"),
            "networking.k8s.io/v1",
        ),
    ],
)
def test_tokens_are_kinds(token: str, kind: Kind, api_version: str) -> None:
    assert Kind.from_token(token) == kind
    assert kind.api_version == api_version
    assert Kind.of(api_version, kind.kind) == kind


@pytest.mark.parametrize(
    "token",
    [
        "kubernetes:helm.sh/v4:Chart",
        "kubernetes:yaml/v2:ConfigFile",
        "kubernetes:core/v1:ConfigMapList",
        "kubernetes:core/v1:NamespacePatch",
        "kubernetes:Thing",
        "kubernetes:v1:Thing",
    ],
)
def test_what_is_no_plain_kind_is_refused_by_name(token: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(token)):
        Kind.from_token(token)


@given(st.sampled_from(["", "ns"]), st.from_regex(r"[a-z.-]+", fullmatch=True))
def test_ids_come_apart_as_they_were_put_together(namespace: str, name: str) -> None:
    assert split_id(object_id(namespace, name)) == (namespace, name)


def test_generated_names_are_the_same_for_the_same_seed() -> None:
    assert auto_name("web", b"seed") == auto_name("web", b"seed") != auto_name("web", b"other")
    assert re.fullmatch(r"web-[0-9a-f]{8}", auto_name("web", b""))
    assert auto_name("web", b"") != auto_name("web", b"")


def test_a_name_is_made_once_and_kept() -> None:
    first = with_name({"metadata": {"labels": {"a": "b"}}}, {}, "web", b"one")
    assert re.fullmatch(r"web-[0-9a-f]{8}", first["metadata"]["name"])
    assert first["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    assert first["metadata"]["labels"] == {"a": "b"}
    again = with_name({"metadata": {}}, first, "web", b"another")
    assert again["metadata"]["name"] == first["metadata"]["name"]
    chosen = {"metadata": {"name": "mine"}}
    assert with_name(chosen, first, "web", b"x") == chosen
    # A name the program no longer gives is not a generated one: the object gets a new one.
    assert with_name({"metadata": {}}, chosen, "web", b"x")["metadata"]["name"] != "mine"


def test_names_and_namespaces_reach_secret_and_leave_unknown_metadata() -> None:
    secret = with_namespace(with_name({"metadata": Secret({"labels": {}})}, {}, "web", b"x"), "here")
    assert isinstance(secret["metadata"], Secret)
    assert secret["metadata"].value["namespace"] == "here"
    unknown = {"metadata": UNKNOWN}
    assert with_namespace(with_name(unknown, {}, "web", b"x"), "here") == unknown
    assert with_namespace({"metadata": {"namespace": UNKNOWN}}, "here") == {"metadata": {"namespace": UNKNOWN}}


def test_what_would_have_to_be_ignored_is_refused() -> None:
    def properties(metadata: dict[str, object], kind: Kind = CONFIG_MAP) -> list[str]:
        return [failure.property for failure in refused({"metadata": metadata}, kind)]

    assert properties({"name": "x", "annotations": {"pulumi.com/skipAwait": "true", "other.com/x": "y"}}) == []
    assert properties({"generateName": "x-"}) == ["metadata.generateName"]
    assert properties({"annotations": {"pulumi.com/waitFor": "condition=Ready"}}) == [
        'metadata.annotations["pulumi.com/waitFor"]'
    ]
    ingress = Kind("networking.k8s.io", "v1", "Ingress")
    assert properties({"name": "x"}, ingress) == ["metadata.annotations"]
    assert properties({"annotations": {"pulumi.com/skipAwait": "true"}}, ingress) == []
