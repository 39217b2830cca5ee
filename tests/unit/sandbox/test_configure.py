import configparser
import json
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from sandbox.config import Config
from sandbox.configure import Caller, files, fingerprint, nameservers, resolv_conf
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.services import parts

LAYOUT = Layout(Path("/somewhere/100%/sandbox"))
TOOLCHAIN = Path("/somewhere/bin")


def generated(config: Config | None = None) -> dict[str, str]:
    made = files(config or Config(), LAYOUT, TOOLCHAIN, "nameserver 192.0.2.1\n")
    return {str(path.relative_to(LAYOUT.etc)): text for path, text in made.items()}


@pytest.mark.parametrize("name", sorted(generated()))
def test_every_file_is_well_formed(name: str) -> None:
    text = generated()[name]
    match Path(name).suffix:
        case ".toml":
            assert tomllib.loads(text)
        case ".yaml":
            assert all(yaml.safe_load_all(text))
        case ".conflist":
            assert json.loads(text)["plugins"]
        case _:
            assert text.endswith("\n")


def test_supervisord_is_told_every_command_exactly() -> None:
    # Supervisord's own parser: it expands %(...)s and takes % as an escape.
    parser = configparser.ConfigParser(inline_comment_prefixes=(";", "#"), strict=True)
    parser.read_string(generated()["supervisord.conf"])
    everything = parts(Config(), LAYOUT, TOOLCHAIN)
    assert len(everything) > 10
    for part in everything:
        assert tuple(shlex.split(parser[f"program:{part.name}"]["command"])) == part.command


def test_the_builder_and_the_node_know_the_registry_by_its_address() -> None:
    made = generated(Config(registry_port=5999))
    registries = tomllib.loads(made["buildkitd.toml"])["registry"]
    assert registries["172.30.0.1:5999"] == {"http": True}
    assert registries["docker.io"] == {"mirrors": ["172.30.0.1:5999"]}
    assert "172.30.0.1:5999" in made["certs.d/172.30.0.1:5999/hosts.toml"]
    assert made["certs.d/docker.io/hosts.toml"] == made["certs.d/172.30.0.1:5999/hosts.toml"]


def mark(config: Config | None = None, server: str = "192.0.2.1") -> str:
    return fingerprint(config or Config(), LAYOUT, TOOLCHAIN, f"nameserver {server}\n")


def test_any_change_of_the_configuration_calls_for_a_restart() -> None:
    assert mark() == mark()
    assert mark() != mark(Config(aws_port=4999))
    assert mark() != mark(server="192.0.2.2")


def test_another_clone_s_interpreter_and_another_shell_s_limits_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before, written = mark(), generated()["supervisord.conf"]
    monkeypatch.setattr(Caller, "here", lambda: Caller("/another clone/.venv/bin/python", 1024))
    assert mark() == before
    assert "/another clone/.venv/bin/python" in generated()["supervisord.conf"] != written
    assert "minfds = 1024" in generated()["supervisord.conf"]


def test_parts_wait_only_for_parts_that_are_started_earlier() -> None:
    started: set[str] = set()
    everything = parts(Config(), LAYOUT, TOOLCHAIN)
    pending = list(everything)
    while ready := [part for part in pending if set(part.needs) <= started]:
        started |= {part.name for part in ready}
        pending = [part for part in pending if part.name not in started]
    assert pending == []
    assert len(started) == len(everything)


def test_nameservers_are_read_as_the_resolver_reads_them() -> None:
    assert nameservers("# nameserver 1.1.1.1\nnameserver 192.0.2.1\nsearch x\nnameserver fd00::1\n") == ["192.0.2.1"]


def test_a_resolver_on_the_host_s_loopback_is_passed_by(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    real.write_text("nameserver 192.0.2.1\n")
    assert resolv_conf((stub, real)) == "nameserver 192.0.2.1\n"


def test_a_loopback_resolver_alone_is_an_error_that_says_so(tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.write_text("nameserver 127.0.0.1\n")
    with pytest.raises(SandboxError, match="names no nameserver that the sandbox could reach"):
        resolv_conf((stub, tmp_path / "missing"))


def test_a_directory_too_deep_for_sockets_is_refused() -> None:
    LAYOUT.check()
    with pytest.raises(SandboxError, match="too long"):
        Layout(Path("/" + "x" * 80)).check()
