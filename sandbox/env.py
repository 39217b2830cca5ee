"""The variables by which every tool of a shell talks to the sandbox."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from sandbox import paths
from sandbox.aws import ACCESS_KEY, SECRET_KEY
from sandbox.config import Config
from sandbox.configure import BUILDER
from sandbox.database import ADMINISTRATOR
from sandbox.layout import Layout


def variables(
    config: Config, layout: Layout, toolchain: Path, inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All of them; PATH continues the inherited one, which is this process's own unless given."""
    inherited = os.environ if inherited is None else inherited
    first = [str(toolchain), str(Path(sys.executable).parent)]
    rest = [entry for entry in inherited.get("PATH", os.defpath).split(":") if entry]
    return (
        {
            "PATH": ":".join([*first, *(entry for entry in rest if entry not in first)]),
            "DEPLOYTAG_SANDBOX": str(layout.root),
            # Whatever a checkout calls it: the truth about branches, and whose default branch has the policy.
            "DEPLOYTAG_REMOTE": str(layout.repository),
            "KUBECONFIG": str(layout.wrapper_kubeconfig),
            "SANDBOX_ADMIN_KUBECONFIG": str(layout.kubeconfig),
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
        | _elsewhere()
        | _past_the_proxy(config, inherited)
    )


def _elsewhere() -> dict[str, str]:
    """A cache that is not in its usual place is found from another shell, too."""
    return {} if paths.cache() == paths.default_cache() else {"DEPLOYTAG_CACHE": str(paths.cache())}


def _past_the_proxy(config: Config, inherited: Mapping[str, str]) -> dict[str, str]:
    """Where programs are told to use a proxy, they are told that the sandbox is not behind it."""
    if not any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in inherited):
        return {}
    exceptions = inherited.get("NO_PROXY") or inherited.get("no_proxy") or ""
    # Some programs understand subnets here and some only addresses.
    ours = [str(config.subnet), str(config.node), *map(str, config.addresses)]
    value = ",".join([*(entry for entry in exceptions.split(",") if entry and entry not in ours), *ours])
    return {"NO_PROXY": value, "no_proxy": value}


def exports(values: dict[str, str]) -> str:
    """The same as lines for `eval`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
