"""The files that `deploytag init` puts into a repository, from the templates in the package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import PurePosixPath

import jinja2

from deploytag.delivery.initialise import routes
from deploytag.delivery.initialise.answers import Answers, Pipeline
from deploytag.identity import PULUMI_FILE
from deploytag.settings import POLICY_FILE, SETTINGS_FILE, Policy
from deploytag.yamlmodel import Complaints, parse_model, unusable

HELM_VERSION = "3.21.4"
"""What the pipelines install."""

PACKAGE_FILE = ".deploytag/package.txt"
"""What pip installs DeployTag from."""

_EXECUTABLE = frozenset({"deploytag.sh", "post-receive"})


@dataclass(frozen=True, slots=True)
class File:
    """One file to write."""

    path: PurePosixPath
    """Below the repository's root."""
    text: str
    executable: bool = False


def environment() -> jinja2.Environment:
    """Templates whose marks are square brackets, as Helm and GitHub use braces for theirs."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("deploytag"),
        undefined=jinja2.StrictUndefined,
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML
    )


def files(answers: Answers, *, skeleton: bool) -> list[File]:
    """Every file of an application's repository; with `skeleton` the chart's, too."""
    images, chart = answers.application.images, PurePosixPath(answers.chart)
    templates = [
        ("program/Pulumi.yaml", PurePosixPath(PULUMI_FILE)),
        ("program/__main__.py", PurePosixPath("__main__.py")),
        ("program/deploytag.yaml", PurePosixPath(SETTINGS_FILE)),
        ("program/deploytag.policy.yaml", PurePosixPath(POLICY_FILE)),
        ("program/deploytag.sh", PurePosixPath("deploytag.sh")),
        ("program/requirements.txt", PurePosixPath(".deploytag/requirements.txt")),
        ("program/package.txt", PurePosixPath(PACKAGE_FILE)),
        ("program/gitignore", PurePosixPath(".deploytag/.gitignore")),
        ("program/stacks.gitignore", PurePosixPath("stacks/.gitignore")),
        ("images/Dockerfile.base", PurePosixPath(images.base.dockerfile)),
        ("images/Dockerfile", PurePosixPath(images.app.dockerfile)),
        ("images/dockerignore", PurePosixPath(".dockerignore")),
    ]
    if skeleton:
        templates += [
            (f"chart/{name}", chart / name)
            for name in (
                "Chart.yaml",
                "values.yaml",
                "values.schema.json",
                "templates/_helpers.tpl",
                "templates/migrate.yaml",
                "templates/web.yaml",
            )
        ]
    if answers.pipeline is Pipeline.GITHUB:
        templates.append(("github/deploytag.yml", PurePosixPath(".github/workflows/deploytag.yml")))
    if answers.pipeline is Pipeline.GITLAB:
        templates.append(("gitlab/deploytag.yml", PurePosixPath(".gitlab/deploytag.yml")))
        templates.append(("gitlab/gitlab-ci.yml", PurePosixPath(".gitlab-ci.yml")))
    if answers.pipeline is Pipeline.SHELL:
        templates.append(("server/post-receive", PurePosixPath(".deploytag/post-receive")))
        templates.append(("server/crontab", PurePosixPath(".deploytag/crontab")))
    jinja, values = environment(), _values(answers, skeleton=skeleton)
    values |= _routes(answers.policy or _new_policy(jinja, values))
    return [
        File(path, jinja.get_template(name).render(values), executable=path.name in _EXECUTABLE)
        for name, path in templates
    ]


def _new_policy(jinja: jinja2.Environment, values: Mapping[str, object]) -> Policy:
    text = jinja.get_template("program/deploytag.policy.yaml").render(values)
    policy = parse_model(POLICY_FILE, text.encode(), Policy)
    if isinstance(policy, Complaints):
        raise unusable(policy)
    return policy


def _routes(policy: Policy) -> dict[str, object]:
    """What the pipelines know of the policy: which credentials a job is to have is decided before DeployTag runs."""
    table = routes.claims(policy)
    return {
        "environments": [f"deploytag-{name}" for name in policy.classes],
        "claims": [(routes.github_condition(claim), claim.cls) for claim in table],
        "rules": {name: routes.gitlab_rules(table, name) for name in policy.classes},
    }


def _values(answers: Answers, *, skeleton: bool) -> dict[str, object]:
    # Not the same minute for everybody: the hosts of CIs are busy at the full hour.
    minute = hashlib.sha256(answers.project.encode()).digest()[0] % 60
    return {
        "project": answers.project,
        "registry": answers.registry,
        "registry_host": answers.registry_host,
        "builder": answers.builder,
        "server": answers.target.server,
        "ca_sha256": answers.target.ca_sha256,
        "secrets": answers.secrets,
        "database_key": answers.database_key,
        "chart": answers.chart,
        "skeleton": skeleton,
        "port": answers.port,
        "from_image": answers.from_image,
        "own_dockerfile": answers.own_dockerfile,
        "package": answers.package,
        "lock": environment().get_template("requirements.txt").render().strip(),
        "pulumi_version": version("pulumi"),
        "helm_version": HELM_VERSION,
        "gc": f"{minute} 3 * * *",
        "sync": f"{(minute + 30) % 60} * * * *",
    }
