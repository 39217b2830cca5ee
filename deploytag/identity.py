"""Every name that belongs to one ref of one project: one pure function, and nothing else makes names.

A name that can be read back is kept readable; any other gets a hash of the original pair. `docs/explanation/names.md`
says why two pairs never share a name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from deploytag.errors import SettingsError
from deploytag.refname import check_ref

PULUMI_FILE = "Pulumi.yaml"
"""Pulumi's description of a project, whose `name:` is the project's."""

NAME_LIMIT = 53
"""The longest name we make: Helm's limit for a release, the tightest of all. The others allow 63 and more, which leaves
ten characters for what a chart, a Service or a certificate puts before or after it."""

# No vowels, so a hash spells no word and few words look like a hash; no 0, 1 or 3 to confuse with o, l or e.
HASH_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
HASH_LENGTH = 12  # 57 bits

_PROJECT = re.compile(r"[A-Za-z0-9_.-]{1,100}")  # as Pulumi has it
_READABLE_PROJECT = re.compile(r"[a-z][a-z0-9]*")
_READABLE_REF = re.compile(r"[a-z0-9]+(/[a-z0-9]([a-z0-9-]*[a-z0-9])?)?")
_LOOKS_HASHED = re.compile(rf"(?:.*[/-])?[{HASH_ALPHABET}]{{{HASH_LENGTH}}}")

# First words that somebody else gives meaning to: Kubernetes keeps `kube-` for its own namespaces, PostgreSQL refuses
# roles that begin with `pg_`, and RDS keeps `rds_` for its roles.
_RESERVED_PROJECTS = frozenset({"kube", "pg", "rds"})
# DeployTag's own namespace and role, and the SQL words that would need quotes as a database's name.
_RESERVED_NAMES = frozenset(
    {"deploytag-system", "deploytag-admin", "session-user", "system-user"}
    | {f"current-{word}" for word in ("catalog", "date", "role", "schema", "time", "timestamp", "user")}
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Every name that belongs to one ref of one project. Distinct pairs never share a name."""

    project: str
    ref: str
    """The branch or tag, exactly as git spells it."""
    stack: str
    """Pulumi's stack. It is distinct within the project; all names below are distinct across projects too."""
    namespace: str
    """The Kubernetes namespace."""
    release: str
    """The Helm release, and the Service it brings."""
    database: str
    """The PostgreSQL database: an identifier that never needs quotes."""
    role: str
    """The PostgreSQL role that owns the database."""
    host: str
    """One DNS label, for a host name below the team's domain."""


def identify(project: str, ref: str) -> Identity:
    """Name everything that belongs to `ref` of `project`; refuse what neither git nor Pulumi would accept."""
    if not _PROJECT.fullmatch(project):
        raise SettingsError(
            f"{project!r} is no name for a project: Pulumi allows 1 to 100 letters, digits, dots, dashes and "
            "underscores. Change `name:` in Pulumi.yaml."
        )
    check_ref(ref)
    name = _name(project, ref)
    sql_name = name.replace("-", "_")
    return Identity(
        project=project,
        ref=ref,
        stack=_stack(project, ref),
        namespace=name,
        release=name,
        database=sql_name,
        role=sql_name,
        host=name,
    )


def _stack(project: str, ref: str) -> str:
    slug = ref.replace("/", "-")
    if _reversible(ref) and len(slug) <= NAME_LIMIT:
        return slug
    return _hashed(_words(ref), project, ref)


def _name(project: str, ref: str) -> str:
    name = f"{project}-{ref.replace('/', '-')}"
    if (
        _READABLE_PROJECT.fullmatch(project)
        and project not in _RESERVED_PROJECTS
        and _reversible(ref)
        and name not in _RESERVED_NAMES
        and len(name) <= NAME_LIMIT
    ):
        return name
    # A long project leaves half of the room for the ref. The admission policy of namespaces computes the same prefix.
    first = _words(project)[:19].strip("-")
    if not first[:1].isalpha() or first.split("-")[0] in _RESERVED_PROJECTS:
        first = f"p{first}"  # a Service and an SQL identifier begin with a letter
    return _hashed(f"{first}-{_words(ref)}", project, ref)


def _reversible(ref: str) -> bool:
    """Whether the ref can be read back from its slug: the first dash is the slash, and there is no other."""
    return bool(_READABLE_REF.fullmatch(ref)) and not _LOOKS_HASHED.fullmatch(ref)


def _words(text: str) -> str:
    """Whatever of `text` a name can show: lower case, and one dash for each run of anything else."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _hashed(words: str, project: str, ref: str) -> str:
    shown = words[: NAME_LIMIT - HASH_LENGTH - 1].strip("-")
    return f"{shown}-{_hash(project, ref)}" if shown else f"ref-{_hash(project, ref)}"


def _hash(project: str, ref: str) -> str:
    # Neither a project nor a ref can contain NUL, so distinct pairs are distinct bytes.
    number = int.from_bytes(hashlib.sha256(f"{project}\0{ref}".encode()).digest())
    digits = []
    for _ in range(HASH_LENGTH):
        number, digit = divmod(number, len(HASH_ALPHABET))
        digits.append(HASH_ALPHABET[digit])
    return "".join(digits)
