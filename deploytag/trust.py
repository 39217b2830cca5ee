"""Which policy is in force: never that of the branch which is deployed, since a branch would choose its own judge.

`DEPLOYTAG_POLICY` names a file outside of the repository; otherwise it is the one on the default branch of the remote,
at the commit that this is at now. It is read once, before anything of the branch runs, and stays the same for the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploytag import repository
from deploytag.documents import DocumentError, read_file
from deploytag.errors import SettingsError, UnreachableError
from deploytag.refname import check_ref
from deploytag.remote import Listing, Remote
from deploytag.settings.policy import POLICY_FILE, Policy
from deploytag.yamlmodel import Complaints, parse_model

POLICY_VARIABLE = "DEPLOYTAG_POLICY"
"""Environment variable that names a file with the policy, outside of the repository."""
REMOTE_VARIABLE = "DEPLOYTAG_REMOTE"
"""Environment variable that names the remote: its name in the checkout, or a URL."""
REMOTE_CONFIG = "deploytag.remote"
"""The key of git's configuration that does."""

OTHERWISE = f"Without a remote, {POLICY_VARIABLE}=FILE names a policy outside of the repository."


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that decides, and where it is from."""

    policy: Policy
    content: bytes = field(repr=False)
    """As it was read."""
    origin: str
    """For a person: `main at f16ad068010a of the remote origin`."""
    remote: Remote
    """The remote that is the truth about refs."""
    listing: Listing | None = None
    """What it answered when it was asked for the policy; None: it was not asked, or did not answer."""

    def tip(self, ref: str) -> str | None:
        """The commit that the ref was at when the policy was read: one question answers both.

        Raises:
            RefError, SettingsError, UnreachableError: as `Remote.tip`.
        """
        return self.listing.refs.get(check_ref(ref)) if self.listing else self.remote.tip(ref)

    def differs(self, checkout: Path) -> str | None:
        """A sentence when the checkout's own policy is another one, which decides nothing; None when it is not."""
        try:
            if read_file(checkout / POLICY_FILE, limit=len(self.content)) == self.content:
                return None
        except FileNotFoundError:
            return None
        except (DocumentError, OSError):
            pass  # a device, a folder, something longer: whatever it is, it is another
        return f"the policy in force is {self.origin}; {POLICY_FILE} in this checkout is another, and decides nothing"


def in_force(checkout: Path, environ: Mapping[str, str], *, last_fetched: bool = False) -> InForce:
    """The policy for what is done from the checkout at `checkout`. Neither its index nor its files are touched.

    Args:
        checkout: the project's directory in it: the policy has the same place on the default branch.
        environ: where `DEPLOYTAG_POLICY` and `DEPLOYTAG_REMOTE` may be.
        last_fetched: when the remote is silent, take the default branch as the checkout last fetched it. For what
            removes: it must work without the remote, and a class that is protected must stay so.

    Raises:
        SettingsError: there is none, or it cannot be used; every complaint has a line.
        UnreachableError: the remote does not answer.
    """
    remote = Remote(checkout, remote_name(checkout, environ), environ)
    if named := environ.get(POLICY_VARIABLE):
        path = _outside(Path(named), checkout)
        try:
            content = read_file(path)
        except (DocumentError, OSError) as error:
            raise SettingsError(f"{POLICY_VARIABLE} is {path}, which cannot be read: {error}.") from None
        return _parsed(content, f"{path} ({POLICY_VARIABLE})", remote, None)
    try:
        listing = remote.listing()
    except UnreachableError as error:
        commit = remote.last_fetched() if last_fetched else None
        if commit is None:
            raise UnreachableError(f"The policy is on the remote's default branch. {error} {OTHERWISE}") from None
        origin = f"what was last fetched of the default branch of {remote.shown}, {commit[:12]}"
        return _parsed(_content(remote, commit, origin), origin, remote, None)
    except SettingsError as error:
        raise SettingsError(f"The policy is on the remote's default branch. {error} {OTHERWISE}") from None
    if listing.commit is None:
        raise SettingsError(
            f"the remote {remote.shown} has no default branch yet, and {POLICY_FILE} is read from nowhere else: a "
            f"branch must not choose its own rights. Push it there first (`git push {remote.shown} HEAD:main`, where "
            f"main is the default branch). {OTHERWISE}"
        )
    origin = f"{listing.branch or 'HEAD'} at {listing.commit[:12]} of the remote {remote.shown}"
    return _parsed(_content(remote, remote.fetch(listing.commit), origin), origin, remote, listing)


def remote_name(checkout: Path, environ: Mapping[str, str]) -> str:
    """The remote that is the truth about refs and the policy: `DEPLOYTAG_REMOTE`, git's `deploytag.remote`, `origin`.

    Raises:
        SettingsError: what is said there can be no remote.
    """
    name = environ.get(REMOTE_VARIABLE)
    if not name:
        git = repository.bound_environment(checkout, environ)
        name = repository.configured(checkout, REMOTE_CONFIG, git) or "origin"
    if name.startswith("-") or name.split() != [name]:
        raise SettingsError(
            f"{name!r} is no name or URL of a git remote: correct {REMOTE_VARIABLE}, or `git config {REMOTE_CONFIG}`."
        )
    return name


def _outside(path: Path, checkout: Path) -> Path:
    """The file, when it is none of the repository's: by its name, and by where links lead."""
    root = repository.top(checkout)
    inside = Path.cwd() / path
    if any(it.is_relative_to(top) for it in (inside, inside.resolve()) for top in (root, root.resolve())):
        raise SettingsError(
            f"{POLICY_VARIABLE} is {path}, which lies in the checkout {root}: a branch would choose its own rights. "
            "Name a file outside of it, or none: then the policy of the remote's default branch is used."
        )
    if not inside.is_file():
        raise SettingsError(f"{POLICY_VARIABLE} is {path}, and there is no such file.")
    return inside


def _content(remote: Remote, commit: str, origin: str) -> bytes:
    content = remote.content(commit, POLICY_FILE)
    if content is None:
        raise SettingsError(
            f"there is no {POLICY_FILE} on the default branch ({origin}), and it is read from nowhere else: a branch "
            f"must not choose its own rights. Commit it to the default branch first. {OTHERWISE}"
        )
    return content


def _parsed(content: bytes, origin: str, remote: Remote, listing: Listing | None) -> InForce:
    policy = parse_model(POLICY_FILE, content, Policy)
    if isinstance(policy, Complaints):
        raise SettingsError("\n  ".join([f"the policy ({origin}) cannot be used, nothing was touched:", *policy]))
    return InForce(policy, content, origin, remote, listing)
