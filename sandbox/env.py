"""The variables by which every tool of a shell talks to the sandbox."""

import os
import shlex
import sys
from pathlib import Path

from sandbox.aws import ACCESS_KEY, SECRET_KEY
from sandbox.config import Config
from sandbox.configure import BUILDER
from sandbox.database import ADMINISTRATOR
from sandbox.layout import Layout


def variables(config: Config, layout: Layout, toolchain: Path, path: str | None = None) -> dict[str, str]:
    """All of them; PATH continues the one given, or this process's own."""
    first = [str(toolchain), str(Path(sys.executable).parent)]
    rest = [entry for entry in (os.environ.get("PATH", os.defpath) if path is None else path).split(":") if entry]
    return {
        "PATH": ":".join([*first, *(entry for entry in rest if entry not in first)]),
        "DEPLOYTAG_SANDBOX": str(layout.root),
        "KUBECONFIG": str(layout.kubeconfig),
        "PULUMI_HOME": str(layout.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{layout.state}",
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "AWS_ENDPOINT_URL": config.aws_url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": config.region,
        "AWS_DEFAULT_REGION": config.region,
        "PGHOST": str(config.node),
        "PGPORT": str(config.database_port),
        "PGUSER": ADMINISTRATOR,
        "PGPASSWORD": layout.database_password.read_text(),
        "PGDATABASE": "postgres",
        "PGSSLMODE": "disable",
        "PGCONNECT_TIMEOUT": "10",
        "BUILDKIT_HOST": layout.buildkit_host,
        "BUILDX_CONFIG": str(layout.buildx),
        "BUILDX_BUILDER": BUILDER,
        "DOCKER_CONFIG": str(layout.docker),
    }


def exports(values: dict[str, str]) -> str:
    """The same as lines for `eval`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
