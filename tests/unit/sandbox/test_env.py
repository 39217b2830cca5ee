import subprocess
from pathlib import Path

import pytest

from sandbox.config import Config
from sandbox.env import exports, variables
from sandbox.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "it's a sandbox")
    made.root.mkdir()
    made.database_password.write_text("s3cr$t")
    return made


def test_a_shell_reads_exactly_these_values(layout: Layout) -> None:
    wanted = variables(Config(), layout, Path("/tools/bin"), {"PATH": "/usr/bin"})
    script = exports(wanted) + "".join(f'printf "%s\\0" "${name}"\n' for name in wanted)
    shell = subprocess.run(["/bin/sh", "-eu", "-c", script], capture_output=True, text=True, check=True, env={})
    assert shell.stdout.split("\0")[:-1] == list(wanted.values())


def test_the_toolchain_comes_first_and_once(layout: Layout) -> None:
    path = variables(Config(), layout, Path("/tools/bin"), {"PATH": "/usr/bin:/tools/bin:/bin"})["PATH"].split(":")
    assert path[0] == "/tools/bin"
    assert path.count("/tools/bin") == 1
    assert path[-2:] == ["/usr/bin", "/bin"]


def test_every_tool_is_pointed_at_the_sandbox(layout: Layout) -> None:
    values = variables(Config(), layout, Path("/tools/bin"), {})
    assert values["KUBECONFIG"] == f"{layout.root}/kubeconfigs/deploytag.yaml"
    assert values["SANDBOX_ADMIN_KUBECONFIG"] == f"{layout.root}/kubeconfigs/admin.yaml"
    assert values["PULUMI_BACKEND_URL"] == f"file://{layout.root}/state"
    assert values["AWS_ENDPOINT_URL"] == "http://172.30.0.1:4566"
    assert (values["PGHOST"], values["PGUSER"], values["PGPASSWORD"]) == ("172.30.0.1", "deploytag_admin", "s3cr$t")
    assert values["BUILDKIT_HOST"] == f"unix://{layout.root}/buildkit/buildkitd.sock"


def test_a_proxy_is_not_asked_for_the_sandbox(layout: Layout) -> None:
    proxied = {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "intranet"}
    values = variables(Config(), layout, Path("/tools/bin"), proxied)
    assert values["NO_PROXY"] == values["no_proxy"]
    assert values["NO_PROXY"].split(",")[:3] == ["intranet", "172.30.0.0/24", "172.30.0.1"]
    assert "172.30.0.250" in values["NO_PROXY"].split(",")
    assert "NO_PROXY" not in variables(Config(), layout, Path("/tools/bin"), {"no_proxy": "intranet"})


def test_a_cache_elsewhere_is_named_and_the_usual_one_is_not(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYTAG_CACHE", "/elsewhere")
    assert variables(Config(), layout, Path("/tools/bin"), {})["DEPLOYTAG_CACHE"] == "/elsewhere"
    monkeypatch.delenv("DEPLOYTAG_CACHE")
    assert "DEPLOYTAG_CACHE" not in variables(Config(), layout, Path("/tools/bin"), {})
