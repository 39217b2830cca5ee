"""Everything that decides an environment's content but the commit, as one digest: equal means nothing is to be done."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

import deploytag
from deploytag.delivery.project import PULUMI_FILE, PulumiProject
from deploytag.documents import DocumentError, parse_yaml, read_file
from deploytag.errors import SettingsError
from deploytag.identity import Identity
from deploytag.repository import tracked_files
from deploytag.settings import ApplicationSettings, EnvironmentClass, Images
from deploytag.trees import Trees

DECIDING = ("PGHOST", "PGPORT", "PGSSLMODE", "DEPLOYTAG_ASLEEP")
"""Variables that the program takes into what it declares."""


class DescribesSecrets(Protocol):
    """Secrets Manager's client, of which only metadata is asked: no value is read here."""

    def describe_secret(self, *, SecretId: str) -> Mapping[str, object]:  # noqa: N803 - AWS's own spelling
        """Metadata of a secret, its versions among them."""


def fingerprint(
    *,
    identity: Identity,
    settings: ApplicationSettings,
    cls: EnvironmentClass,
    trees: Trees,
    program: str,
    secrets: Mapping[str, str],
    environ: Mapping[str, str],
) -> str | None:
    """The digest; None when a moved tag in a registry also decides, which only the program looks up.

    Args:
        program: digest of the program's own files, see `program_digest`.
        secrets: version by secret id, see `secret_versions`.
    """
    if settings.images.base.follow:
        return None
    deciding = {
        "deploytag": version("deploytag"),
        "project": identity.project,
        "ref": identity.ref,
        # Not its tests: they decide whether to deploy, not what.
        "settings": settings.model_dump(mode="json", exclude={"tests"}),
        "class": cls.model_dump(mode="json", exclude={"ttl", "sleep_after", "pattern"}),
        "trees": [trees.base.digest, trees.app.digest, trees.chart.digest],
        "program": program,
        "secrets": dict(secrets),
        "environ": {name: environ.get(name, "") for name in DECIDING},
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def program_digest(repository: Path, stack: str, images: Images) -> str:
    """Of what the program is: this package, the checkout's own modules, its Pulumi project and lock, its config.

    Any Python file outside of the folders that the application's image is built from may be imported by the program.
    Taking one too many only costs an unchanged push some seconds; one too few would leave a change undeployed.
    """
    contexts = [PurePosixPath(path) for path in images.app.context if path != "."]
    files = {
        file.path.as_posix(): file.source
        for file in tracked_files(repository, ".")
        if file.path.as_posix() in _PROJECT
        or (file.path.suffix == ".py" and not any(file.path.is_relative_to(context) for context in contexts))
    }
    package = Path(deploytag.__file__).parent
    files |= {f"<deploytag>/{path.relative_to(package)}": path for path in package.rglob("*.py")}
    digest = hashlib.sha256(json.dumps(_stack_config(repository, stack), sort_keys=True, default=str).encode())
    for name, path in sorted(files.items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def _stack_config(repository: Path, stack: str) -> object:
    """What the stack's file configures. The first `up` writes a salt beside it, which decides nothing."""
    path = repository / PulumiProject.load(repository).stackConfigDir / f"Pulumi.{stack}.yaml"
    try:
        content = parse_yaml(read_file(path)) if path.is_file() else None
    except (DocumentError, OSError) as error:
        raise SettingsError(f"{path} cannot be read as YAML: {error}. Correct it.") from None
    return content.get("config") if isinstance(content, dict) else None


_PROJECT = frozenset({PULUMI_FILE, "uv.lock", "requirements.txt", "pyproject.toml"})


def secret_versions(client: DescribesSecrets, cls: EnvironmentClass) -> dict[str, str] | None:
    """The current version of each secret of the class; None when one cannot be told, which the program will explain."""
    wanted = {cls.secret, cls.database_key if cls.database else None} - {None}
    found = {}
    for secret_id in sorted(str(it) for it in wanted):
        try:
            stages = client.describe_secret(SecretId=secret_id).get("VersionIdsToStages")
        except (ClientError, BotoCoreError):
            return None
        current = [id_ for id_, names in stages.items() if "AWSCURRENT" in names] if isinstance(stages, dict) else []
        if len(current) != 1:
            return None
        found[secret_id] = str(current[0])
    return found


def secrets_manager() -> DescribesSecrets:
    """The client, as the AWS_* environment says."""
    client: DescribesSecrets = boto3.client("secretsmanager")
    return client
