"""What is found out about a repository, without asking anybody."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.initialise import Options, Pipeline, Target, current_cluster, find_out
from deploytag.delivery.initialise.answers import (
    PLACEHOLDER_SERVER,
    charts_in,
    exposed_port,
    first_image,
    pipeline_of,
    project_name,
    requirement,
)
from deploytag.errors import RefError, SettingsError, UsageError
from deploytag.identity import identify
from tests.unit.checkout import Checkout


@pytest.mark.parametrize(
    ("url", "pipeline"),
    [
        ("git@github.com:acme/shop.git", Pipeline.GITHUB),
        ("https://github.com/acme/shop", Pipeline.GITHUB),
        ("https://token@github.acme.com/acme/shop.git", Pipeline.GITHUB),
        ("ssh://git@gitlab.com/acme/shop.git", Pipeline.GITLAB),
        ("git@gitlab.acme.com:2222/acme/shop.git", Pipeline.GITLAB),
        ("https://git.acme.com/gitlab/shop.git", Pipeline.SHELL),
        ("https://notgithub.com/acme/shop", Pipeline.SHELL),
        ("/srv/git/github.com/shop.git", Pipeline.SHELL),
        ("../github.com:shop", Pipeline.SHELL),
        (None, Pipeline.SHELL),
    ],
)
def test_the_remotes_host_tells_the_ci(url: str | None, pipeline: Pipeline) -> None:
    assert pipeline_of(url) is pipeline


@pytest.mark.parametrize(
    ("url", "folder", "name"),
    [
        ("git@github.com:acme/my-shop.git", "x", "myshop"),
        ("https://git.example.com/acme/Shop.Web/", "x", "shopweb"),
        ("git@host:shop", "x", "shop"),
        (None, "Shop (2)", "shop2"),
        (None, "2048", "app"),
    ],
)
def test_a_project_is_named_after_its_repository(url: str | None, folder: str, name: str) -> None:
    assert project_name(url, folder) == name


@given(st.one_of(st.none(), st.text()), st.text())
def test_whatever_the_repository_is_called_the_projects_names_can_be_read(url: str | None, folder: str) -> None:
    name = project_name(url, folder)
    identify(name, "feature/test")
    assert name.isascii()
    assert name.isalnum()


@pytest.mark.parametrize(
    ("dockerfile", "port", "image"),
    [
        ("FROM node:22\nEXPOSE 3000\n", 3000, "node:22"),
        (
            "# check=skip=all\nFROM --platform=linux/amd64 node:22 AS build\nexpose 9229\nEXPOSE 8000/tcp\n",
            8000,
            "node:22",
        ),
        ("ARG V=3\nFROM python:${V}\nEXPOSE 80\n", None, None),
        ("FROM scratch\nEXPOSE $PORT\n", None, "scratch"),
        ("", None, None),
    ],
)
def test_a_dockerfile_tells_port_and_image(dockerfile: str, port: int | None, image: str | None) -> None:
    assert (exposed_port(dockerfile), first_image(dockerfile)) == (port, image)


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        ({}, "deploytag==1.2.3"),
        # Whoever has that name on an index would run in every job.
        ({"url": "file:///somebody/deploytag", "dir_info": {"editable": True}}, None),
        (
            {
                "url": "https://user:t0ken@git.example.com/acme/deploytag",
                "vcs_info": {"vcs": "git", "commit_id": "abc"},
            },
            "deploytag @ git+https://git.example.com/acme/deploytag@abc",
        ),
        (
            {"url": "ssh://git:t0ken@git.example.com/acme/deploytag", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "deploytag @ git+ssh://git@git.example.com/acme/deploytag@abc",
        ),
    ],
)
def test_the_very_same_deploytag_is_installed(origin: dict[str, object], line: str | None) -> None:
    assert requirement("1.2.3", origin) == line


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefError, match="not in a git repository"):
        find_out(tmp_path, Options(), None)


def test_without_a_kubeconfig_there_is_a_placeholder(checkout: Checkout) -> None:
    assert find_out(checkout.path, Options(), None).target.server == PLACEHOLDER_SERVER


@pytest.mark.parametrize("registry", ["https://ghcr.io", "ghcr.io/Acme", "ghcr.io/acme/", "a b", "ghcr.io:port"])
def test_a_registry_that_is_none_is_a_sentence(checkout: Checkout, registry: str) -> None:
    with pytest.raises(UsageError, match="--registry"):
        find_out(checkout.path, Options(registry=registry), None)


@pytest.mark.parametrize("project", ["", "a b", "x" * 101])
def test_a_project_that_is_none_is_a_sentence(checkout: Checkout, project: str) -> None:
    with pytest.raises(SettingsError, match="is no name for a project"):
        find_out(checkout.path, Options(project=project), None)


def test_what_is_there_already_decides(checkout: Checkout) -> None:
    checkout.write("Pulumi.yaml", "name: shop\nruntime: python\n")
    checkout.write("deploytag.yaml", "chart: {path: deploy/chart}\nimages: {app: {dockerfile: docker/app}}\n")
    checkout.write("docker/app", "FROM ruby:3\nEXPOSE 3000\n")
    answers = find_out(checkout.path, Options(), None)
    assert (answers.project, answers.chart, answers.port, answers.from_image) == (
        "shop",
        "deploy/chart",
        3000,
        "ruby:3",
    )
    with pytest.raises(UsageError, match="names the project shop, not other"):
        find_out(checkout.path, Options(project="other"), None)
    with pytest.raises(UsageError, match="names the chart deploy/chart, not other"):
        find_out(checkout.path, Options(chart="other"), None)
    checkout.write("deploytag.yaml", "chart: 3\n")
    with pytest.raises(SettingsError, match=r"the deploytag\.yaml that is there cannot be used"):
        find_out(checkout.path, Options(), None)


def test_the_policy_that_is_there_names_the_classes(checkout: Checkout) -> None:
    assert find_out(checkout.path, Options(), None).policy is None
    cls = "{pattern: preview/*, secrets: [], database: false, migrations: false}"
    checkout.write("deploytag.policy.yaml", f"cluster: {{server: https://k}}\nclasses: {{preview: {cls}}}\n")
    policy = find_out(checkout.path, Options(pipeline=Pipeline.GITLAB), None).policy
    assert policy is not None
    assert policy.class_name_of("preview/a") == "preview"
    checkout.write("deploytag.policy.yaml", "classes: 3\n")
    with pytest.raises(SettingsError, match=r"the deploytag\.policy\.yaml that is there cannot be used"):
        find_out(checkout.path, Options(), None)


def test_the_one_chart_that_is_there_is_the_applications(checkout: Checkout) -> None:
    assert find_out(checkout.path, Options(), None).chart == "charts/app"
    for name in ("deploy/helm/Chart.yaml", "deploy/helm/charts/redis/Chart.yaml", "node_modules/x/Chart.yaml"):
        checkout.write(name)
    assert find_out(checkout.path, Options(), None).chart == "deploy/helm"
    checkout.write("other/Chart.yaml")
    assert charts_in(checkout.path) == ["deploy/helm", "other"]
    with pytest.raises(UsageError, match="several charts"):
        find_out(checkout.path, Options(), None)
    assert find_out(checkout.path, Options(chart="other/"), None).chart == "other"


def kubeconfig(path: Path, cluster: dict[str, str]) -> dict[str, str]:
    path.write_text(
        json.dumps(
            {
                "current-context": "b",
                "contexts": [
                    {"name": "a", "context": {"cluster": "wrong", "user": "u"}},
                    {"name": "b", "context": {"cluster": "right", "user": "u"}},
                ],
                "clusters": [{"name": "wrong", "cluster": {}}, {"name": "right", "cluster": cluster}],
                "users": [{"name": "u", "user": {"exec": {"command": "touch", "args": [f"{path}.was-run"]}}}],
            }
        )
    )
    return {"KUBECONFIG": str(path)}


def test_the_current_cluster_is_read_and_no_credential_command_is_run(tmp_path: Path) -> None:
    der = b"a certificate"
    body = base64.encodebytes(der).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    digest = hashlib.sha256(der).hexdigest()
    path = tmp_path / "kubeconfig"
    inline = {"server": "https://k/", "certificate-authority-data": base64.b64encode(pem.encode()).decode()}
    assert current_cluster(kubeconfig(path, inline)) == Target("https://k", digest)
    (tmp_path / "ca.crt").write_text(pem)
    beside = {"server": "https://k", "certificate-authority": "ca.crt"}
    assert current_cluster(kubeconfig(path, beside)) == Target("https://k", digest)
    (tmp_path / "ca.crt").write_text(pem + pem)
    assert current_cluster(kubeconfig(path, beside)) == Target("https://k", None)
    assert not (tmp_path / "kubeconfig.was-run").exists()


@pytest.mark.parametrize("content", ["", "[]", "current-context: a", "{", "clusters: 3\ncurrent-context: a\n"])
def test_a_kubeconfig_that_says_nothing_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "kubeconfig").write_text(content)
    assert current_cluster({"KUBECONFIG": str(tmp_path / "kubeconfig")}) is None
    assert current_cluster({"KUBECONFIG": str(tmp_path / "missing")}) is None
