"""Which environment variables lead to services or are secrets, by their names. Pure."""

import base64
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

KUBECONFIG = ("*KUBECONFIG*", "*KUBE_CONFIG*")
"""Where a kubeconfig is, or what is in it, as it is or in base64."""

LEADING = ("AWS_*", "PG*", "PULUMI_*", "DOCKER_*", "BUILDX_*", "BUILDKIT_*", "SSH_*", *KUBECONFIG)
"""Where environments are, and who may change them."""

SECRET = (
    *("*TOKEN*", "*SECRET*", "*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*CREDENTIAL*", "*APIKEY*", "*_KEY", "*_KEY_*"),
    *("*_JWT*", "*_PASS", "*_PWD", "*_PAT", "*_AUTH", "DOCKER_AUTH_CONFIG", "GIT_CONFIG_VALUE_*"),
)
"""What is a secret by its name."""

NOT_SECRET = ("*_FILE", "*_URI", "*_URL", "AWS_ACCESS_KEY_ID", "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER")
"""What is none all the same: it says where a secret is."""

_IN_KUBECONFIG = re.compile(r"""\b(?:token|password|client-key-data)["']?\s*:\s*["']?([^\s"',}]+)""")
"""What is a secret in one, as YAML or as JSON. The rest is names, and words that are in many texts (`users:`)."""

_URL_WITH_PASSWORD = re.compile(r"://[^\s/@:]*:[^\s/@]+@|\bhttps?://[^\s/?#@:]+:?@")
"""`CI_REPOSITORY_URL`, a proxy's, a package index's: whatever the variable's name is. A name alone may be a token."""


def stripped(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what leads to services and without secrets: for code that needs neither."""
    return {
        name: value
        for name, value in environ.items()
        if not _named(name, (*LEADING, *SECRET)) and not _URL_WITH_PASSWORD.search(value)
    }


def secret_values(environ: Mapping[str, str]) -> Iterator[str]:
    """The values of the variables that are secrets by their names, and what is secret in a kubeconfig."""
    for name, value in environ.items():
        if _named(name, SECRET) and not _named(name, NOT_SECRET):
            yield value
        if _named(name, KUBECONFIG):
            yield from _of_kubeconfig(value)


def _of_kubeconfig(value: str) -> Iterator[str]:
    """Nothing where it is a path."""
    try:
        text = base64.b64decode("".join(value.split()), validate=True).decode()
    except ValueError:
        text = value
    else:
        yield value
    yield from _IN_KUBECONFIG.findall(text)


def _named(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.upper(), pattern) for pattern in patterns)
