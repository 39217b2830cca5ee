"""The base image and, on its digest, the application image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pulumi
import pulumi_docker as docker
import pulumi_docker_build as docker_build

from deploytag.content import StagedTree
from deploytag.errors import ContentError
from deploytag.program.build_record import told_on_failure
from deploytag.settings import Images as ImagesSettings


@dataclass(frozen=True, slots=True)
class ImagesArgs:
    """What is built, where from and where to."""

    settings: ImagesSettings
    base_tree: StagedTree
    app_tree: StagedTree
    repository: str
    """Registry and path, such as `registry.example.com/shop`; the images are `…/base` and `…/app`."""
    builder: str | None
    """The buildx builder; None takes buildx's current one."""
    base_from: str | None = None
    """`image@sha256:…` that the base is built from, where the settings follow a tag."""
    secrets: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """What a build may mount, by the id that a Dockerfile names: secret outputs."""


class Images(pulumi.ComponentResource):
    """Both images, named by what is in them, so that branches with the same content share them.

    An image in the registry may run in another branch's environment, and deleting the resource would delete its digest:
    hence `retain_on_delete`. What nothing refers to any more is collected by `deploytag gc`.
    """

    base: pulumi.Output[str]
    """`repository:tag@sha256:…`"""
    app: pulumi.Output[str]
    """`repository:tag@sha256:…`"""
    app_image: docker_build.Image

    def __init__(self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("deploytag:index:Images", name, None, opts)
        settings = args.settings
        base = self._build(
            f"{name}-base",
            args,
            image=f"{args.repository}/base",
            tag=args.base_tree.digest[:40],
            tree=args.base_tree,
            dockerfile=settings.base.dockerfile,
            build_args={settings.base.follow_arg: args.base_from} if args.base_from else {},
        )
        app = self._build(
            f"{name}-app",
            args,
            image=f"{args.repository}/app",
            tag=f"{args.app_tree.digest[:20]}-{args.base_tree.digest[:20]}",
            tree=args.app_tree,
            dockerfile=settings.app.dockerfile,
            build_args={settings.app.base_arg: base.ref},
        )
        self.base, self.app, self.app_image = base.ref, app.ref, app
        self.register_outputs({"base": self.base, "app": self.app})

    def _build(
        self,
        name: str,
        args: ImagesArgs,
        *,
        image: str,
        tag: str,
        tree: StagedTree,
        dockerfile: str,
        build_args: dict[str, pulumi.Input[str]],
    ) -> docker_build.Image:
        # What was built from exactly this content, then whatever was built last. The first is sure to stay: by it, a
        # machine that never built this image finds all layers in the registry and runs no step.
        caches = (f"{image}:cache-{tag}", f"{image}:cache")
        return docker_build.Image(
            name,
            context=docker_build.BuildContextArgs(location=str(tree.path)),
            dockerfile=docker_build.DockerfileArgs(location=str(PurePosixPath(tree.path) / dockerfile)),
            # The same layers must make the same image on every machine: no time of building in its configuration.
            build_args={**build_args, "SOURCE_DATE_EPOCH": "0"},
            tags=[f"{image}:{tag}"],
            push=True,
            # Mounted while a step runs: they are in no layer, no history and no cache. A new value builds nothing anew,
            # as an image is decided by the content it is built from.
            secrets=dict(args.secrets) or None,
            ignore_secrets_in_diff_calculation=sorted(args.secrets) or None,
            builder=docker_build.BuilderConfigArgs(name=args.builder) if args.builder else None,
            cache_from=[
                docker_build.CacheFromArgs(registry=docker_build.CacheFromRegistryArgs(ref=cache)) for cache in caches
            ],
            cache_to=[_cache_to(cache) for cache in caches],
            # The default would build in every preview, too.
            build_on_preview=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                retain_on_delete=True,
                hooks=pulumi.ResourceHookBinding(on_error=[told_on_failure(name, tree, self)]),
            ),
        )


def _cache_to(ref: str) -> docker_build.CacheToArgs:
    return docker_build.CacheToArgs(
        registry=docker_build.CacheToRegistryArgs(
            ref=ref,
            mode=docker_build.CacheMode.MAX,
            image_manifest=True,
            oci_media_types=True,
            # The cache only saves time: a registry that refuses it must not fail the build.
            ignore_error=True,
        )
    )


def digest_of_tag(image: str) -> str:
    """`image@sha256:…` for the digest its tag points to now, so that a moved tag is a changed input.

    Raises:
        ContentError: the registry does not know the tag, or does not answer.
    """
    try:
        found = docker.get_registry_image(name=image)
    except Exception as error:
        raise ContentError(
            f"the image {image}, which `images.base.follow` names, cannot be looked up: {error} Correct its name, "
            "or log in to its registry (`docker login`)."
        ) from None
    return f"{image}@{found.sha256_digest}"
