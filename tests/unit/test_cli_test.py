"""`deploytag test`: the application's tests, without credentials and with an end."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from deploytag import settings, tests_command
from deploytag.cli import app
from deploytag.credentials import stripped
from deploytag.errors import FailedTestsError
from deploytag.tests_command import run_tests


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "PGHOST",
        "PULUMI_CONFIG_PASSPHRASE",
        "KUBECONFIG",
        "DOCKER_CONFIG",
        "BUILDX_CONFIG",
        "BUILDKIT_HOST",
        "SSH_AUTH_SOCK",
        "GITHUB_TOKEN",
        "npm_token",
        "APP_SECRET",
        "MAIL_PASSWORD",
        "STRIPE_API_KEY",
        "SIGNING_KEY_ID",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "SMTP_PASS",
        "MYSQL_PWD",
        "GH_PAT",
        "NPM_CONFIG__AUTH",
        "KUBECONFIG_DATA",
        "KUBE_CONFIG",
        "KUBE_CONFIG_PATH",
        "DEPLOYTAG_KUBECONFIG",
        "SANDBOX_ADMIN_KUBECONFIG",
    ],
)
def test_what_leads_to_services_is_not_passed_on(name: str) -> None:
    assert stripped({name: "x"}) == {}


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "LANG", "LC_ALL", "TERM", "CI", "TMPDIR", "HTTPS_PROXY", "KEYBOARD", "PWD", "OLDPWD"),
        *("GIT_ASKPASS", "PYTHONPATH", "XAUTHORITY", "GIT_AUTHOR_NAME", "COMPASS", "KUBERNETES_SERVICE_HOST"),
        *("DEPLOYTAG_BRANCH", "DEPLOYTAG_POLICY", "DEPLOYTAG_SANDBOX", "HELM_CACHE_HOME"),
    ],
)
def test_what_tests_need_is_passed_on(name: str) -> None:
    assert stripped({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("https://user:hunter2@index.test/simple", False),
        ("https://hunter2@index.test/simple", False),
        ("https://hunter2:@index.test/simple", False),
        ("https://index.test/simple?mail=a@b", True),
        ("ssh://git@git.test/shop", True),
    ],
)
def test_an_address_with_a_credential_is_not_passed_on(value: str, *, kept: bool) -> None:
    assert stripped({"INDEX": value}) == ({"INDEX": value} if kept else {})


def python(program: str, timeout: int = 60) -> settings.Tests:
    return settings.Tests(command=(sys.executable, "-c", program), timeout=timeout)


def test_tests_run_at_the_root_without_the_secrets(tmp_path: Path) -> None:
    run_tests(
        python("import os; open('seen', 'w').write(f'{os.environ}')"),
        tmp_path,
        {"PGPASSWORD": "hunter2", "LANG": "C.UTF-8"},
    )
    seen = (tmp_path / "seen").read_text()
    assert "hunter2" not in seen
    assert "C.UTF-8" in seen


@pytest.mark.parametrize(
    ("tests", "sentence"),
    [
        (python("raise SystemExit(3)"), r"the tests failed \(exit code 3\)"),
        (python("import os; os.kill(os.getpid(), 9)"), r"the tests failed \(ended by SIGKILL\)"),
        (settings.Tests(command=("nonexistent-command",)), r"cannot be started \(nonexistent-command\): No such file"),
    ],
)
def test_tests_that_fail_are_a_sentence(tmp_path: Path, tests: settings.Tests, sentence: str) -> None:
    with pytest.raises(FailedTestsError, match=sentence):
        run_tests(tests, tmp_path, os.environ)


def test_tests_that_do_not_end_are_stopped_with_all_they_started(tmp_path: Path) -> None:
    """The pipe ends only when every process that writes to it is gone."""
    os.mkfifo(tmp_path / "pipe")
    tests = settings.Tests(command=("sh", "-c", "exec >pipe; echo up; sleep 300 & wait"), timeout=1)
    with ThreadPoolExecutor(1) as reader:
        heard = reader.submit((tmp_path / "pipe").read_text)
        with pytest.raises(FailedTestsError, match="have not ended within 1 s and were stopped"):
            run_tests(tests, tmp_path, os.environ)
        assert heard.result(60) == "up\n"


def test_tests_that_do_not_want_to_end_are_stopped_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests_command, "GRACE", 0.2)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
    with pytest.raises(FailedTestsError, match="were stopped"):
        run_tests(python(stubborn, timeout=1), tmp_path, os.environ)


def test_what_tests_leave_behind_goes_with_them(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as reader:
        heard = reader.submit((tmp_path / "pipe").read_text)
        run_tests(settings.Tests(command=("sh", "-c", "exec >pipe; sleep 300 & echo done")), tmp_path, os.environ)
        assert heard.result(60) == "done\n"


POLICY = {
    "cluster": {"server": "https://cluster.test"},
    "classes": {"feature": {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False}},
}


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, application: object | None) -> int:
    if application is not None:
        (folder / "deploytag.yaml").write_text(yaml.safe_dump(application))
    (folder / "deploytag.policy.yaml").write_text(yaml.safe_dump(POLICY))
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    with pytest.raises(SystemExit) as ended:
        app(["test"])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("application", "code"),
    [
        ({"tests": {"command": ["test", "-d", "below"]}}, 0),
        ({"tests": {"command": ["false"]}}, 10),
        ({}, 0),
        ({"tests": {"command": []}}, 3),
        (None, 2),
    ],
)
def test_the_command_runs_them_and_has_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, application: object | None, code: int
) -> None:
    assert run(tmp_path, monkeypatch, application) == code


def test_ctrl_c_ends_the_tests_and_then_the_command(tmp_path: Path) -> None:
    endless = "import time; print('up', flush=True); time.sleep(300)"
    (tmp_path / "deploytag.yaml").write_text(yaml.safe_dump({"tests": {"command": [sys.executable, "-c", endless]}}))
    (tmp_path / "deploytag.policy.yaml").write_text(yaml.safe_dump(POLICY))
    with subprocess.Popen(
        [sys.executable, "-m", "deploytag", "test"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        assert command.stdout
        assert command.stderr
        assert command.stdout.readline() == "up\n"
        os.killpg(command.pid, signal.SIGINT)
        said = command.stderr.read()
    assert "KeyboardInterrupt" in said, "the tests were asked to end"
    assert said.splitlines()[-1].startswith("deploytag: the tests were stopped (SIGINT): ")
    assert command.returncode == 130
