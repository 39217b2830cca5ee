"""Which environment variables lead to services or are secrets, by their names. Pure."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

LEADING = ("AWS_*", "PG*", "PULUMI_*", "KUBECONFIG", "DOCKER_*", "BUILDX_*", "BUILDKIT_*", "SSH_*")
"""Where environments are, and who may change them."""

SECRET = (
    *("*TOKEN*", "*SECRET*", "*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*CREDENTIAL*", "*APIKEY*", "*_KEY", "*_KEY_*"),
    *("*_JWT*", "GIT_CONFIG_VALUE_*"),
)
"""What is a secret by its name."""

NOT_SECRET = ("*_FILE", "*_URI", "*_URL", "AWS_ACCESS_KEY_ID", "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER")
"""What is none all the same: it says where a secret is."""

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
    """The values of the variables that are secrets by their names."""
    return (value for name, value in environ.items() if _named(name, SECRET) and not _named(name, NOT_SECRET))


def _named(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.upper(), pattern) for pattern in patterns)
