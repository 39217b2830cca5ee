"""Everything that decides an environment's content but the commit, as one digest: equal means nothing is to be done."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import deploytag
from deploytag.delivery.project import PulumiProject
from deploytag.documents import DocumentError, parse_yaml, read_file
from deploytag.errors import SettingsError
from deploytag.identity import Identity
from deploytag.repository import tracked_objects
from deploytag.settings import POLICY_FILE, SETTINGS_FILE, ApplicationSettings, EnvironmentClass, Images
from deploytag.trees import Trees

DECIDING = ("PGHOST", "PGPORT", "PGSSLMODE", "DEPLOYTAG_ASLEEP")
"""Variables that the program takes into what it declares."""


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
        secrets: version of each secret, see `deploytag.delivery.secret_versions`.
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
    """Of what the program is: this package, what of the commit it may read, its stack's config.

    It may import or read anything outside of the folders that the application's image is built from: modules, tables,
    further charts. Taking one file too many only costs an unchanged push some seconds; one too few would leave a change
    undeployed.
    """
    contexts = [PurePosixPath(path) for path in images.app.context if path != "."]
    files = {
        path.as_posix(): said
        for path, said in tracked_objects(repository).items()
        if path.as_posix() not in _OTHERWISE
        and path.suffix != ".md"
        and not any(path.is_relative_to(context) for context in contexts)
    }
    package = Path(deploytag.__file__).parent
    for path in package.rglob("*.py"):
        files[f"<deploytag>/{path.relative_to(package)}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256(json.dumps(_stack_config(repository, stack), sort_keys=True, default=str).encode())
    for name, said in sorted(files.items()):
        digest.update(f"{name}\0{said}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _stack_config(repository: Path, stack: str) -> object:
    """What the stack's file configures. The first `up` writes a salt beside it, which decides nothing."""
    path = repository / PulumiProject.load(repository).stackConfigDir / f"Pulumi.{stack}.yaml"
    try:
        content = parse_yaml(read_file(path)) if path.is_file() else None
    except (DocumentError, OSError) as error:
        raise SettingsError(f"{path} cannot be read as YAML: {error}. Correct it.") from None
    return content.get("config") if isinstance(content, dict) else None


_OTHERWISE = frozenset({SETTINGS_FILE, POLICY_FILE})
"""What of these decides is in the fingerprint by itself; the policy in force is not the branch's."""
