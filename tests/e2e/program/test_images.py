"""What decides whether an image is built: its content, on whatever machine."""

import contextlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tenacity import retry, stop_after_delay, wait_fixed

from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(1)]


@contextlib.contextmanager
def another_buildkit(folder: Path) -> Iterator[dict[str, str]]:
    """A BuildKit that never built anything, inside the sandbox's network; variables that make it the builder."""
    sandbox = Path(folder.joinpath("sandbox").read_text())
    socket, root = folder / "buildkitd.sock", folder / "root"
    configuration = (sandbox / "etc" / "buildkitd.toml").read_text()
    lines = [line for line in configuration.splitlines() if not line.startswith("root") and "address" not in line]
    (folder / "buildkitd.toml").write_text("\n".join([f'root = "{root}"', *lines]))
    record = json.loads(Path("/run/deploytag-sandbox.json").read_text())
    command = ["nsenter", f"--target={record['pid']}", "--net", "--cgroup", "buildkitd"]
    with (folder / "buildkitd.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--config", str(folder / "buildkitd.toml"), "--addr", f"unix://{socket}"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        answers(socket)
        (folder / "buildx" / "instances").mkdir(parents=True)
        node = {"Name": "deploytag0", "Endpoint": f"unix://{socket}"}
        instance = {"Name": "deploytag", "Driver": "remote", "Nodes": [node]}
        (folder / "buildx" / "instances" / "deploytag").write_text(json.dumps(instance))
        yield {"BUILDX_CONFIG": str(folder / "buildx")}
    finally:
        process.terminate()
        process.wait(timeout=30)


@retry(stop=stop_after_delay(20), wait=wait_fixed(0.1), reraise=True)
def answers(socket: Path) -> None:
    subprocess.run(["buildctl", "--addr", f"unix://{socket}", "debug", "workers"], check=True, capture_output=True)


def vertices(socket: Path) -> str:
    """Everything this BuildKit keeps of what it ran or fetched."""
    return subprocess.run(
        ["buildctl", "--addr", f"unix://{socket}", "du", "--verbose"], check=True, capture_output=True, text=True
    ).stdout


def test_a_machine_that_never_built_anything_runs_no_step_and_gets_the_same_digest(
    repository: Checkout, tmp_path: Path
) -> None:
    with (repository.path / "Dockerfile.base").open("a") as dockerfile:
        dockerfile.write(f"\nRUN echo {uuid.uuid4()} > /built-once && date +%s%N >> /built-once\n")
    first = repository.stack(own("feature/built-here"))
    done = repository.up(first)
    assert done.ok, done.output
    here = repository.outputs(first)

    # Another branch's base, built in between, must not push this one out of the registry's cache.
    unchanged = (repository.path / "Dockerfile.base").read_text()
    (repository.path / "Dockerfile.base").write_text(f"{unchanged}RUN echo {uuid.uuid4()} > /another\n")
    assert "shop-images-base" in repository.changes(first)
    (repository.path / "Dockerfile.base").write_text(unchanged)

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "sandbox").write_text(repository.environ["DEPLOYTAG_SANDBOX"])
    second = repository.stack(own("feature/built-elsewhere"))
    with another_buildkit(folder) as environ:
        # The step writes the time: had it run again, the digest would be another.
        done = repository.up(second, environ=environ)
        assert done.ok, done.output
        kept = vertices(folder / "buildkitd.sock")
    there = repository.outputs(second)
    assert there["base_image"] == here["base_image"]
    assert there["app_image"] == here["app_image"]
    assert "mount / from exec" not in kept


def test_checkout_path_umask_and_untracked_files_change_no_image(repository: Checkout, tmp_path: Path) -> None:
    # Without the executable bits the copy differs from its commit, which is worth a mention in the revision.
    repository.environ["DEPLOYTAG_REVISION"] = "the-same"
    identity = repository.stack(own("feature/same"))
    done = repository.up(identity)
    assert done.ok, done.output
    before = repository.outputs(identity)
    (repository.path / "app" / "untracked.txt").write_text("not part of anything")
    moved = tmp_path / "somewhere" / "else"
    moved.parent.mkdir()
    subprocess.run(["cp", "-R", "--no-preserve=all", str(repository.path), str(moved)], check=True)
    subprocess.run(["rm", "-rf", str(moved / ".deploytag")], check=True)
    elsewhere = Checkout(moved, repository.environ)
    assert elsewhere.changes(identity) == set()
    assert elsewhere.outputs(identity) == before


def test_a_moved_from_tag_rebuilds_the_base_when_the_settings_follow_it(repository: Checkout, tmp_path: Path) -> None:
    registry = "172.30.0.1:5000"
    tag = f"{registry}/e2e/followed:{uuid.uuid4().hex}"
    publish(tag, tmp_path / "first")
    repository.edit(
        "deploytag.yaml", "dockerfile: Dockerfile.base\n", f"dockerfile: Dockerfile.base\n    follow: {tag}\n"
    )
    identity = repository.stack(own("feature/follow"))
    for key, value in (("address", f"http://{registry}"), ("authDisabled", "true")):
        repository.must("pulumi", "config", "set", "--path", f"docker:registryAuth[0].{key}", value)
    repository.must("pulumi", "config", "set", "docker:disableDockerDaemonCheck", "true")
    done = repository.up(identity)
    assert done.ok, done.output
    assert repository.changes(identity) == set()
    publish(tag, tmp_path / "second")
    assert repository.changes(identity) >= {"shop-images-base", "shop-images-app"}


def test_a_class_with_a_repository_of_its_own_shares_neither_images_nor_caches(repository: Checkout) -> None:
    with (repository.path / "app" / "web.py").open("a") as code:
        code.write(f"# {uuid.uuid4()}\n")
    repository.policy(image_repository="e2e/own")
    identity = repository.stack(own("feature/own-repository"))
    done = repository.up(identity)
    assert done.ok, done.output
    image = repository.outputs(identity)["app_image"]
    registry, _, tag = image.partition("@")[0].partition("/e2e/own/app:")
    kept = {
        name: httpx.get(f"http://{registry}/v2/{name}/app/tags/list").json()["tags"] for name in ("e2e/own", "shop")
    }
    assert {tag, f"cache-{tag}", "cache"} <= set(kept["e2e/own"])
    assert not [it for it in kept["shop"] or () if tag in it]


def publish(image: str, folder: Path) -> None:
    """Point the tag `image` to an image like Debian's that nobody has seen before."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM debian:bookworm-slim\nENV MADE_FOR={uuid.uuid4()}\n")
    subprocess.run(
        [
            *("buildctl", "build", "--frontend=dockerfile.v0", f"--local=context={folder}"),
            *(f"--local=dockerfile={folder}", f"--output=type=image,name={image},push=true"),
        ],
        check=True,
        capture_output=True,
    )
