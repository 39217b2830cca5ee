"""What a state says without the engine."""

from typing import Any

import pytest

from deploytag.delivery.inventory import checkpoint
from deploytag.identity import identify
from deploytag.ownership import annotations

OURS = identify("shop", "feature/test")
URN = "urn:pulumi:feature-test::shop::"


def resource(type_: str, name: str = "it", *, custom: bool = True, **more: Any) -> dict[str, Any]:
    return {"urn": f"{URN}{type_}::{name}", "type": type_, "custom": custom, **more}


STACK = resource(
    "pulumi:pulumi:Stack", custom=False, outputs={"ref": "feature/test", "app_image": "r/shop/app:1@sha256:a"}
)
NAMESPACE = resource(
    "kubernetes:core/v1:Namespace",
    inputs={"metadata": {"name": OURS.namespace, "annotations": annotations(OURS)}},
    protect=True,
)


@pytest.mark.parametrize(
    ("resources", "ref"),
    [
        ([STACK], "feature/test"),
        ([resource("pulumi:pulumi:Stack", custom=False), NAMESPACE], "feature/test"),
        ([resource("pulumi:pulumi:Stack", custom=False, outputs={"ref": None})], None),
        ([resource("aws:s3:Bucket", inputs={"metadata": {"annotations": annotations(OURS)}})], None),
        (
            [
                resource(
                    "kubernetes:core/v1:Namespace",
                    inputs={"metadata": {"annotations": annotations(identify("other", "feature/x"))}},
                )
            ],
            None,
        ),
        ([], None),
    ],
)
def test_the_ref_is_an_output_or_an_annotation_of_this_project(
    resources: list[dict[str, Any]], ref: str | None
) -> None:
    assert checkpoint.ref_of({"resources": resources}) == ref


@pytest.mark.parametrize("urn", ["", "urn:pulumi:feature-test", "::"])
def test_what_is_no_urn_is_of_no_project(urn: str) -> None:
    assert checkpoint.ref_of({"resources": [{**NAMESPACE, "urn": urn}]}) is None


def test_of_several_states_the_first_that_names_a_ref_counts() -> None:
    empty: dict[str, Any] = {"resources": [resource("pulumi:pulumi:Stack", custom=False)]}
    other = {"resources": [resource("pulumi:pulumi:Stack", custom=False, outputs={"ref": "feature/other"})]}
    assert checkpoint.ref_among([{}, empty, {"resources": [STACK]}, other]) == "feature/test"
    assert checkpoint.ref_among([{}, empty]) is None
    assert checkpoint.ref_among([]) is None


def test_a_stack_without_a_deployment_says_nothing() -> None:
    assert checkpoint.ref_of({}) is None
    assert checkpoint.protected({}) == []
    assert checkpoint.images({}) == set()


def test_what_is_protected_is_named() -> None:
    component = resource("deploytag:index:Environment", custom=False, protect=True)
    assert checkpoint.protected({"resources": [STACK, component, NAMESPACE]}) == ["Namespace it"]


def test_images_are_those_of_the_outputs_and_of_the_builds() -> None:
    build = resource("docker-build:index:Image", outputs={"ref": "r/shop/base:2@sha256:b"})
    unbuilt = resource("docker-build:index:Image", outputs={"ref": ""})
    found = checkpoint.images({"resources": [STACK, build, unbuilt]})
    assert found == {"r/shop/app:1@sha256:a", "r/shop/base:2@sha256:b"}


def test_what_a_program_exports_instead_of_an_image_is_none() -> None:
    stack = resource("pulumi:pulumi:Stack", outputs={"base_image": ["r/shop/base@sha256:b"], "app_image": {}})
    build = resource("docker-build:index:Image", outputs={"ref": [[]]})
    assert checkpoint.images({"resources": [stack, build]}) == set()


@pytest.mark.parametrize(
    ("it", "goes_along"),
    [
        (NAMESPACE, True),
        (
            resource("kubernetes:core/v1:Secret", inputs={"metadata": {"namespace": OURS.namespace, "name": "env"}}),
            True,
        ),
        (
            resource(
                "kubernetes:core/v1:ConfigMap",
                inputs={"metadata": {"namespace": "deploytag-system", "name": OURS.namespace}},
            ),
            True,
        ),
        (
            resource(
                "kubernetes:core/v1:ConfigMap", inputs={"metadata": {"namespace": "default", "name": OURS.namespace}}
            ),
            False,
        ),
        (resource("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", inputs={"metadata": {"name": "all"}}), False),
        (resource("kubernetes:helm.sh/v3:Release", inputs={"namespace": OURS.namespace}), True),
        (resource("kubernetes:helm.sh/v3:Release", inputs={"namespace": "monitoring"}), False),
        (resource("postgresql:index/database:Database", inputs={"name": OURS.database}), True),
        (resource("postgresql:index/grantRole:GrantRole", inputs={"role": "admin", "grantRole": OURS.role}), True),
        (resource("postgresql:index/database:Database", inputs={"name": "warehouse"}), False),
        (resource("docker-build:index:Image"), True),
        (resource("pulumi:providers:aws"), True),
        (resource("aws:s3/bucket:Bucket"), False),
        (resource("aws:s3/bucket:Bucket", external=True), True),
        (resource("kubernetes:core/v1:Secret", inputs={"metadata": [["of another form"]]}), False),
        (resource("deploytag:index:Environment", custom=False), True),
    ],
)
def test_what_only_pulumi_can_delete(it: dict[str, Any], goes_along: bool) -> None:
    assert (checkpoint.beyond({"resources": [it]}, OURS) == []) == goes_along
