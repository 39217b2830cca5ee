"""`git push` to the sandbox's git remote deploys, and deleting the branch there leaves nothing."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from deploytag.identity import identify
from tests.e2e.names import own
from tests.e2e.program.checkout import PROJECT, Checkout, page
from tests.e2e.program.inventory import databases_like, kubectl

pytestmark = pytest.mark.e2e


class Pusher:
    """A checkout that pushes to the sandbox."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.refs: set[str] = set()
        remote = Path(os.environ["DEPLOYTAG_SANDBOX"], "repository.git")
        checkout.must("git", "remote", "add", "sandbox", str(remote))
        self._shrink()

    def _shrink(self) -> None:
        """Leave of the sample application what a push needs."""
        path = self.checkout.path / "deploytag.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["tests"] = None
        settings["chart"]["values"] = {name: {"enabled": False} for name in ("redis", "worker", "clean")}
        path.write_text(yaml.safe_dump(settings))

    def commit(self) -> str:
        """Everything there is, as one more commit."""
        identity = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.com")
        self.checkout.must("git", "add", "--all")
        self.checkout.must("git", *identity, "commit", "--quiet", "--allow-empty", "-m", "a push")
        return self.checkout.must("git", "rev-parse", "HEAD").strip()

    def start(self, *refs: str) -> subprocess.Popen[str]:
        """`git push` of the checkout's commit, in a process group of its own; `:ref` deletes."""
        self.refs |= {ref.removeprefix(":") for ref in refs}
        refspecs = [ref if ref.startswith(":") else f"+HEAD:refs/heads/{ref}" for ref in refs]
        return subprocess.Popen(
            ["git", "push", "sandbox", *refspecs],
            cwd=self.checkout.path,
            env=self.checkout.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def push(self, *refs: str) -> list[str]:
        """What the remote said."""
        process = self.start(*refs)
        said, _ = process.communicate(timeout=400)
        assert process.returncode == 0, said
        return [line.removeprefix("remote: ").rstrip() for line in said.splitlines() if line.startswith("remote: ")]


@pytest.fixture
def pusher(repository: Checkout) -> Iterator[Pusher]:
    made = Pusher(repository)
    yield made
    there = repository.must("git", "ls-remote", "--heads", "sandbox")
    if left := [f":{ref}" for ref in made.refs if there.find(f"\trefs/heads/{ref}\n") >= 0]:
        made.push(*left)


def served(said: list[str], ref: str) -> str:
    """The URL of the last line."""
    found = re.fullmatch(rf"{ref} is (?:deployed|up to date): (http://\S+)", said[-1])
    assert found, "\n".join(said)
    return found[1]


def test_the_life_of_a_pushed_branch(pusher: Pusher) -> None:
    ref = own("feature/push-life")
    identity = identify(PROJECT, ref)
    first = pusher.commit()
    said = pusher.push(ref)
    assert said[0] == f"{ref} is at {first[:12]}"
    url = served(said, ref)
    assert page(url)["revision"] == first
    # The same content in another commit: nothing is deployed.
    pusher.commit()
    assert served(pusher.push(ref), ref) == url
    assert page(url)["revision"] == first
    pusher.checkout.edit("app/web.py", '"ref"', '"edited": True, "ref"')
    last = pusher.commit()
    assert served(pusher.push(ref), ref) == url
    assert (page(url)["revision"], page(url)["edited"]) == (last, True)
    # Its branch, its program and its settings are gone when it is destroyed.
    assert pusher.push(f":{ref}")[-1] == f"{ref} is gone"
    assert identity.namespace not in kubectl("get", "namespaces", "-o", "name")
    assert databases_like(identity) == []


def test_each_branch_of_a_push_is_dealt_with(pusher: Pusher) -> None:
    commit = pusher.commit()
    one, two, three = map(own, ("feature/push-one", "bug/push-two", "chore/push-three"))
    said = pusher.push(one, two, three)
    for ref in (one, two):
        mine = [line.removeprefix(f"{ref}: ") for line in said if line.startswith(f"{ref}: ")]
        assert page(served(mine, ref))["revision"] == commit
    assert any(line.startswith(f"{three}: ") and "belongs to no class" in line for line in said)
    assert said.count(f"{three}: {three}: nothing to do") == 1


def test_what_cannot_be_deployed_is_said_and_pushing_its_repair_deploys_it(pusher: Pusher) -> None:
    ref = own("feature/push-broken")
    path = pusher.checkout.path / "deploytag.yaml"
    settings = path.read_text()
    path.write_text(settings + "nonsense: true\n")
    pusher.commit()
    said = pusher.push(ref)
    assert any("nonsense: unknown key" in line for line in said)
    again = f"Push a correction, or again: python -m sandbox rerun {ref}"
    assert said[-1] == f"{ref} was pushed, but its run ended with code 3. {again}"
    path.write_text(settings)
    pusher.commit()
    served(pusher.push(ref), ref)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_push_that_is_interrupted_deploys_all_the_same(pusher: Pusher, number: signal.Signals) -> None:
    ref = own(f"feature/push-{number.name.lower()}")
    commit = pusher.commit()
    process = pusher.start(ref)
    assert process.stdout is not None
    next(line for line in process.stdout if "Interrupting this does not stop the run" in line)
    os.killpg(process.pid, number)
    process.wait(timeout=30)
    identity = identify(PROJECT, ref)
    served_at = ("get", "service", identity.release, "-n", identity.namespace, "--ignore-not-found")
    address = "jsonpath={.status.loadBalancer.ingress[*].ip}"

    @retry(
        stop=stop_after_delay(300),
        wait=wait_fixed(0.5),
        retry=retry_if_exception_type((AssertionError, httpx.HTTPError)),
        reraise=True,
    )
    def deployed() -> None:
        host = kubectl(*served_at, "-o", address).strip()
        assert host, "no address yet"
        assert page(f"http://{host}")["revision"] == commit

    deployed()
