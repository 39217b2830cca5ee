"""The manifest that gives whoever deploys a project the rights that the table of permissions lists. Pure."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

import yaml

from deploytag.delivery.doctor.permissions import Where, project_rules, rules
from deploytag.delivery.initialise.render import environment
from deploytag.errors import UsageError
from deploytag.rights import Subject, project_rights

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")


def manifest(project: str, subjects: Sequence[Subject]) -> str:
    """Roles, bindings and admission policies, as YAML for `kubectl apply`."""
    return (
        environment()
        .get_template("rights/rights.yaml")
        .render(
            project=project,
            rights=project_rights(project),
            options=" ".join(["--project", project, *(_option(subject) for subject in subjects)]),
            cluster_rules=[_flow(rule) for rule in rules(Where.CLUSTER)],
            environment_rules=[_flow(rule) for rule in rules(Where.ENVIRONMENTS)],
            overview_rules=[_flow(rule) for rule in rules(Where.OVERVIEW)],
            project_rules=[_flow(rule) for rule in project_rules(project)],
            subjects=[_flow(subject.manifest()) for subject in subjects],
        )
    )


def subjects(users: Iterable[str], groups: Iterable[str], service_accounts: Iterable[str]) -> list[Subject]:
    """Whom a command line names.

    Raises:
        UsageError: nobody, or somebody who cannot exist.
    """
    named = [Subject(kind, name) for kind, names in (("User", users), ("Group", groups)) for name in names]
    for text in service_accounts:
        namespace, slash, name = text.partition("/")
        if not (namespace and slash and name) or "/" in name:
            raise UsageError(f"{text!r} is no service account: write NAMESPACE/NAME.")
        named.append(Subject.service_account(namespace, name))
    if not named:
        raise UsageError("Say who deploys: --user, --group or --service-account; each may be given several times.")
    for subject in named:
        if not f"{subject.namespace or ''}{subject.name}".isprintable() or not subject.name:
            raise UsageError(f"{subject.name!r} cannot be the name of a {subject.kind}.")
    return named


def _option(subject: Subject) -> str:
    if subject.kind == "ServiceAccount":
        return f"--service-account {subject.namespace}/{subject.name}"
    return f"--{subject.kind.lower()} {shlex.quote(subject.name)}"


def _flow(mapping: Mapping[str, str | Sequence[str]]) -> str:
    """One line of YAML."""
    return f"{{{', '.join(f'{key}: {_value(value)}' for key, value in mapping.items())}}}"


def _value(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        # `yes` and `null` look plain and are not.
        return (
            value
            if _PLAIN.fullmatch(value) and yaml.safe_load(value) == value
            else json.dumps(value, ensure_ascii=False)
        )
    return f"[{', '.join(_value(it) for it in value)}]"
