"""A plugin as a process: the protocol, its errors, and its end. No engine is needed, only its side of the protocol."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.plugins.provider import Secret, marshal, unmarshal

PLUGIN = """
import tempfile
from sandbox.plugins.provider import *

class Thing(Resource):
    supported = frozenset({"name", "token", "size", "fail"})
    replace_on = frozenset({"name"})
    delete_before_replace = True
    computed = frozenset({"url"})

    def create(self, request):
        fail = request.inputs.get("fail")
        if fail == "crash":
            raise KeyError("the token is " + reveal(request.inputs["token"]))
        if fail == "half":
            raise InitFailedError("half", request.inputs, ["not ready"])
        if fail == "exists":
            raise AlreadyExistsError("It exists already.")
        if fail == "wait":
            provider.cancellation.wait(60, "ever")
        return State("id", {**request.inputs, "url": "http://x"})

    def read(self, request):
        return None if request.id == "gone" else State(request.id, {"url": "http://x"}, {"name": request.id})

    def update(self, request):
        if request.inputs.get("fail") == "refuse":
            raise ProviderError(f"{request.state['name']} refused the {reveal(request.state['token'])}")
        return {**request.inputs, "url": "http://y"}

    def delete(self, request):
        pass

class Example(Provider):
    name = "example"
    version = "1.2.3"
    supported_config = frozenset({"endpoint"})

    def __init__(self):
        super().__init__()
        self.resources["example:index:Thing"] = Thing()

    def warm_up(self):
        print("nothing but the port may come before this")
        tempfile.mkstemp(prefix="left-behind")

provider = Example()
serve(provider)
"""
TYPE = "example:index:Thing"
URN = f"urn:pulumi:stack::project::{TYPE}::thing"


@dataclass
class Plugin:
    """A running plugin, as the engine sees it."""

    process: "subprocess.Popen[str]"
    engine: Any


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    script = tmp_path / "plugin.py"
    script.write_text(PLUGIN)
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path / "tmp")}
    with (
        subprocess.Popen(
            [sys.executable, str(script), "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Plugin(process, provider_pb2_grpc.ResourceProviderStub(channel))
        process.kill()


def _create(plugin: Plugin, preview: bool = False, **inputs: Any) -> Any:
    request = provider_pb2.CreateRequest(urn=URN, type=TYPE, properties=marshal(inputs), preview=preview)
    return plugin.engine.Create(request)


def test_identity_and_configuration(plugin: Plugin) -> None:
    assert plugin.engine.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets
    checked = plugin.engine.CheckConfig(
        provider_pb2.CheckRequest(urn=URN, news=marshal({"endpoint": "x", "version": "1.2.3", "colour": "red"}))
    )
    assert [failure.property for failure in checked.failures] == ["colour"]
    configured = plugin.engine.Configure(provider_pb2.ConfigureRequest(args=marshal({"endpoint": "x"})))
    assert configured.acceptSecrets
    assert configured.supportsPreview


def test_an_input_that_is_not_supported_is_refused_by_name(plugin: Plugin) -> None:
    checked = plugin.engine.Check(
        provider_pb2.CheckRequest(urn=URN, type=TYPE, news=marshal({"name": "a", "colour": "red"}))
    )
    assert [failure.property for failure in checked.failures] == ["colour"]
    assert "offline plugin" in checked.failures[0].reason


def test_create_keeps_secrets_and_preview_knows_what_it_does_not_know(plugin: Plugin) -> None:
    created = _create(plugin, name="a", token=Secret("hunter22"))
    assert (created.id, unmarshal(created.properties)["token"]) == ("id", Secret("hunter22"))
    previewed = unmarshal(_create(plugin, preview=True, name="a", fail="crash").properties)
    assert repr(previewed["url"]) == "UNKNOWN"


def test_diff_says_what_replaces(plugin: Plugin) -> None:
    diff = plugin.engine.Diff(
        provider_pb2.DiffRequest(
            urn=URN, type=TYPE, old_inputs=marshal({"name": "a", "size": 1}), news=marshal({"name": "b", "size": 2})
        )
    )
    assert diff.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(diff.replaces) == ["name"]
    assert diff.deleteBeforeReplace
    assert diff.detailedDiff["name"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
    assert diff.detailedDiff["size"].kind == provider_pb2.PropertyDiff.UPDATE


def test_reading_what_is_gone_answers_nothing(plugin: Plugin) -> None:
    gone = plugin.engine.Read(provider_pb2.ReadRequest(urn=URN, type=TYPE, id="gone"))
    assert gone.id == ""
    there = plugin.engine.Read(provider_pb2.ReadRequest(urn=URN, type=TYPE, id="there"))
    assert (there.id, unmarshal(there.inputs)) == ("there", {"name": "there"})


def test_a_crash_does_not_tell_the_secret(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _create(plugin, name="a", token=Secret("hunter22"), fail="crash")
    assert "the token is [secret]" in str(caught.value.details())


def test_inputs_recorded_as_one_secret_do_not_mask_the_names_in_a_message(plugin: Plugin) -> None:
    inputs = {"name": "shop-main", "token": Secret("hunter22"), "fail": "refuse"}
    state = {**inputs, "__inputs": Secret(inputs)}
    request = provider_pb2.UpdateRequest(urn=URN, type=TYPE, id="id", olds=marshal(state), news=marshal(inputs))
    with pytest.raises(grpc.RpcError) as caught:
        plugin.engine.Update(request)
    assert str(caught.value.details()) == "shop-main refused the [secret]"


def test_a_secret_too_short_to_be_one_leaves_the_sentence_readable(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _create(plugin, name="a", token=Secret("alre"), size=Secret("app"), fail="exists")
    assert str(caught.value.details()) == "It exists already."


def test_errors_have_their_code_and_their_sentence(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _create(plugin, name="a", fail="exists")
    assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert str(caught.value.details()) == "It exists already."


def test_a_half_made_resource_is_reported_with_its_state(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _create(plugin, name="a", token=Secret("hunter22"), fail="half")
    trailing: Any = caught.value.trailing_metadata()
    status = status_pb2.Status.FromString(dict(trailing)["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("half", ["not ready"])
    assert unmarshal(detail.properties)["token"] == Secret("hunter22")


@pytest.mark.parametrize("token", ["example:index:Other", "example:index/thing:Thing"])
def test_an_unknown_type_is_refused(plugin: Plugin, token: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.engine.Check(provider_pb2.CheckRequest(urn=f"urn:pulumi:s::p::{token}::x", type=token))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert token in str(caught.value.details())


def test_cancel_ends_what_waits(plugin: Plugin) -> None:
    request = provider_pb2.CreateRequest(urn=URN, type=TYPE, properties=marshal({"name": "a", "fail": "wait"}))
    waiting = plugin.engine.Create.future(request)
    plugin.engine.Check(provider_pb2.CheckRequest(urn=URN, type=TYPE))
    plugin.engine.Cancel(empty_pb2.Empty())
    with pytest.raises(grpc.RpcError) as caught:
        waiting.result(timeout=10)
    assert caught.value.code() == grpc.StatusCode.CANCELLED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_and_leaves_nothing_behind(plugin: Plugin, number: signal.Signals, tmp_path: Path) -> None:
    common = tmp_path / "tmp" / f"pulumi-resource-{os.getuid()}"
    until = time.monotonic() + 30
    while not list(common.glob("*/left-behind*")):
        assert plugin.process.poll() is None
        assert time.monotonic() < until
    plugin.process.send_signal(number)
    # The engine kills after 5 s, and until then the user waits.
    assert plugin.process.wait(timeout=3) == 0
    assert list((tmp_path / "tmp").iterdir()) == [common]
    assert list(common.iterdir()) == []


@pytest.mark.parametrize("attempt", range(5))
def test_it_ends_when_told_at_once(plugin: Plugin, attempt: int) -> None:
    plugin.process.send_signal(signal.SIGINT)
    assert plugin.process.wait(timeout=3) == 0


def test_it_ends_when_its_engine_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "plugin.py"
    script.write_text(PLUGIN)
    engine = tmp_path / "engine.py"
    engine.write_text(
        "import subprocess, sys, time\n"
        f"plugin = subprocess.Popen([sys.executable, {str(script)!r}, '127.0.0.1:1'], stdout=subprocess.PIPE)\n"
        "plugin.stdout.readline()\n"
        "print(plugin.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, str(engine)], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        plugin = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        psutil.wait_procs([plugin], timeout=5)
        assert not plugin.is_running() or plugin.status() == psutil.STATUS_ZOMBIE
