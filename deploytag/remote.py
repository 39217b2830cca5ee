"""Asking the git remote that is the truth about refs.

Every question has a time limit and never prompts: a run must not hang on a password. "There is no such ref" is said
only when the remote really answered; environments are destroyed because of it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

from deploytag import repository
from deploytag.errors import RefError, SettingsError, UnreachableError
from deploytag.refname import check_ref

QUESTION_SECONDS = 20.0
FETCH_SECONDS = 300.0

LONGEST_ANSWER = 64 << 20
"""Bytes: half a million branches. What a remote says beyond is not read."""
LONGEST_COMPLAINT = 4096

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_PEELED = "^{}"  # git's mark for the commit behind an annotated tag


@dataclass(frozen=True, slots=True)
class _Answer:
    code: int
    output: str
    error: str


@dataclass(frozen=True, slots=True)
class Refs:
    """Every branch and tag that can have an environment."""

    tips: dict[str, str]
    """As `Remote.refs` has them."""
    branches: int
    """How many of them are branches: a remote keeps its tags long after what it is trusted for is lost."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the remote said in one answer."""

    branch: str | None
    """Its default branch; None: its HEAD names none."""
    commit: str | None
    """The commit that its HEAD is at; None: the default branch does not exist."""
    refs: Mapping[str, str]
    """As `Remote.refs` has them."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A git remote as a checkout knows it."""

    repository: Path
    """A directory of the checkout."""
    name_or_url: str
    """As `deploytag.trust.remote_name` has it."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    seconds: float = QUESTION_SECONDS
    """How long one question may take."""

    @property
    def place(self) -> str | None:
        """Which repository it is, see `place_of`; None: one of this machine."""
        git = repository.bound_environment(self.repository, self.environ)
        return place_of(
            repository.configured(self.repository, f"remote.{self.name_or_url}.url", git) or self.name_or_url
        )

    def refs(self) -> dict[str, str]:
        """Every branch and tag that can have an environment, without its prefix, and its commit.

        An annotated tag is the commit behind it, and a branch wins over a tag of the same name. Empty when the remote
        answered and has none.

        Raises:
            SettingsError: the checkout has no such remote.
            UnreachableError: no answer in time, or none at all.
        """
        return self.counted().tips

    def counted(self) -> Refs:
        """The same, and how many of them are branches.

        Raises:
            SettingsError, UnreachableError: as `refs`.
        """
        # All of them, for one ref too: git compares a pattern with the end of a name, and would answer with others.
        answer = self._ask("ls-remote", "--quiet", "--heads", "--tags", "--", self.name_or_url, seconds=self.seconds)
        if answer.code != 0:
            raise self._unreachable("asked for its branches", _said(answer))
        return parse_counted(answer.output)

    def listing(self) -> Listing:
        """Its default branch and its refs, by one question.

        Raises:
            SettingsError, UnreachableError: as `refs`.
        """
        # Without --heads and --tags, which would leave HEAD out. Pull requests come along, which is cheaper than a
        # second connection.
        answer = self._ask("ls-remote", "--quiet", "--symref", "--", self.name_or_url, seconds=self.seconds)
        if answer.code != 0:
            raise self._unreachable("asked for its default branch", _said(answer))
        return parse_listing(answer.output)

    def last_fetched(self) -> str | None:
        """The commit that the default branch was at when the checkout last fetched it; None: nobody knows."""
        answer = self._git("rev-parse", "--verify", "--quiet", f"refs/remotes/{self.name_or_url}/HEAD^{{commit}}")
        return answer.output.strip() if answer.code == 0 else None

    def content(self, commit: str, name: str) -> bytes | None:
        """A file of a commit that the checkout has, `name` being relative to this directory; None: it has none."""
        answer = self._git("cat-file", "blob", f"{commit}:./{name}")
        return os.fsencode(answer.output) if answer.code == 0 else None

    def tip(self, ref: str) -> str | None:
        """The commit that the branch or tag is at; None when the remote answered and has neither.

        Raises:
            RefError: git can have no such ref.
            SettingsError, UnreachableError: as `refs`.
        """
        return self.refs().get(check_ref(ref))

    def has(self, commit: str) -> bool:
        """Whether the checkout has the commit already."""
        return bool(_COMMIT.fullmatch(commit)) and self._git("cat-file", "-e", f"{commit}^{{commit}}").code == 0

    def fetch(self, commit_or_ref: str) -> str:
        """Bring a commit, or the tip of a ref, into the checkout; no ref of it is changed. Returns the commit.

        Raises:
            RefError: the remote has no such ref or commit.
            SettingsError, UnreachableError: as `refs`.
        """
        commit = commit_or_ref if _COMMIT.fullmatch(commit_or_ref) else self.tip(commit_or_ref)
        if commit is None:
            raise RefError(f"The remote {self.shown} has no branch or tag {commit_or_ref}. Push it first.")
        if self.has(commit):
            return commit
        # A shallow checkout stays shallow; for a whole one, a depth would cut its history off.
        self._bring(commit, *(["--depth=1"] if self._is_shallow() else []))
        return commit

    def holds(self, tip: str, commit: str) -> bool:
        """Whether `commit` is `tip` or one that it grew from.

        A shallow checkout, which knows no history, gets that of the tip.

        Raises:
            RefError, SettingsError, UnreachableError: as `fetch`.
        """
        if not _COMMIT.fullmatch(commit):
            return False
        if commit == tip:
            return True
        self.fetch(tip)
        if self._is_shallow():
            self._bring(tip, "--unshallow")
        return self._git("merge-base", "--is-ancestor", commit, tip).code == 0

    @property
    def shown(self) -> str:
        """Its name or URL, without a password."""
        return _without_credentials(self.name_or_url)

    def _is_shallow(self) -> bool:
        return self._git("rev-parse", "--is-shallow-repository").output.strip() == "true"

    def _bring(self, commit: str, *how: str) -> None:
        answer = self._ask(
            *("fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-auto-maintenance"),
            *("--no-recurse-submodules", "--refmap=", *how),
            *("--", self.name_or_url, commit),
            seconds=FETCH_SECONDS,
        )
        if answer.code != 0:
            if "not our ref" in answer.error or "unadvertised object" in answer.error:
                raise RefError(
                    f"The remote {self.shown} does not give out the commit {commit}: it is on none of its branches "
                    "(any more). Push it, or deploy the branch's tip."
                )
            raise self._unreachable(f"asked for the commit {commit[:12]}", _said(answer))

    def _ask(self, *arguments: str, seconds: float) -> _Answer:
        """A git command that talks to the remote."""
        self._check_known()
        return self._git(*arguments, seconds=seconds)

    def _check_known(self) -> None:
        """Git takes an unknown name for a folder, so a mistyped one would look like a remote that is down."""
        if "/" in self.name_or_url or ":" in self.name_or_url:
            return
        known = self._git("remote").output.split()
        if self.name_or_url not in known:
            has = f"has {', '.join(known)}" if known else "has no remote at all"
            raise SettingsError(
                f"{self.name_or_url} is no remote of the checkout {self.repository}, which {has}. Add it with "
                f"`git remote add {self.name_or_url} URL`, or name the one that is the truth about branches: "
                "`git config deploytag.remote NAME`, or DEPLOYTAG_REMOTE."
            )

    def _git(self, *arguments: str, seconds: float = QUESTION_SECONDS) -> _Answer:
        # Into files and not through pipes: something git started and left behind could hold a pipe open for ever.
        with TemporaryFile() as output, TemporaryFile() as error:
            process = subprocess.Popen(
                ["git", *arguments],
                cwd=self.repository,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error,
                start_new_session=True,  # no terminal to ask on, and one group to end
            )
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired as late:
                raise self._unreachable("asked", f"`git {arguments[0]}` took more than {seconds:.0f} s") from late
            finally:
                if process.returncode is None:  # too late, or this process was interrupted
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            said = output.seek(0, os.SEEK_END)
            if said > LONGEST_ANSWER:
                raise self._unreachable("asked", f"`git {arguments[0]}` said {said >> 20} MiB, which is no answer")
            output.seek(0)
            # Its end: the remote's own words come first, and there may be any number of them.
            error.seek(max(0, error.seek(0, os.SEEK_END) - LONGEST_COMPLAINT))
            return _Answer(code, os.fsdecode(output.read()), error.read().decode(errors="replace"))

    def _environment(self) -> dict[str, str]:
        environment = repository.bound_environment(self.repository, self.environ)
        # Nor may the checkout put other objects in the place of those it is asked for.
        environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_NO_REPLACE_OBJECTS": "1"}
        if "GIT_SSH" not in environment:
            # It wins over the checkout's own `core.sshCommand`, where CI systems put the key: so that is kept.
            ssh = (
                environment.get("GIT_SSH_COMMAND")
                or repository.configured(self.repository, "core.sshCommand", environment)
                or "ssh"
            )
            environment["GIT_SSH_COMMAND"] = f"{ssh} -o BatchMode=yes"
        return environment

    def _unreachable(self, doing: str, why: str) -> UnreachableError:
        return UnreachableError(
            f"The git remote {self.shown} was {doing}, and did not answer: {why}. Nothing was decided without it. "
            f"Check `git ls-remote {self.shown}` in {self.repository}, and this run's credentials for it."
        )


def parse_refs(listing: str) -> dict[str, str]:
    """What `git ls-remote --heads --tags` printed, as `Remote.refs` returns it."""
    return parse_counted(listing).tips


def parse_counted(listing: str) -> Refs:
    """What `git ls-remote --heads --tags` printed, as `Remote.counted` returns it."""
    heads: dict[str, str] = {}
    tags: dict[str, str] = {}
    peeled: dict[str, str] = {}
    for line in listing.split("\n"):  # not `splitlines`: a name may contain what Unicode counts as the end of a line
        commit, _, name = line.partition("\t")
        if name.startswith(_HEADS):
            heads[name.removeprefix(_HEADS)] = commit
        elif name.startswith(_TAGS) and name.endswith(_PEELED):
            peeled[name.removeprefix(_TAGS).removesuffix(_PEELED)] = commit
        elif name.startswith(_TAGS):
            tags[name.removeprefix(_TAGS)] = commit
    tips = {
        ref: commit for ref, commit in (tags | peeled | heads).items() if _COMMIT.fullmatch(commit) and _possible(ref)
    }
    return Refs(tips, len(tips.keys() & heads.keys()))


def place_of(url: str) -> str | None:
    """`host/path` of a remote's URL, whatever its protocol, port and login; None for a path of this machine.

    Forges look at neither the case of it nor a `.git` at its end. One repository may still have several: by an alias of
    ssh's configuration, or where a forge has other paths for ssh.
    """
    found = _URL.fullmatch(url) or _SCP.fullmatch(url)
    if found is None:
        return None
    path = found["path"].strip("/").removesuffix(".git")
    return f"{found['host']}/{path}".lower()


_HOST = r"(?:[^/@]*@)?(?P<host>[^/:@\[\]]+|\[[^/@\]]+\])"
_URL = re.compile(rf"(?:https?|ssh|git|git\+ssh|ftps?)://{_HOST}(?::\d*)?(?P<path>(?:/.*)?)", re.DOTALL)
_SCP = re.compile(rf"{_HOST}:(?!//)(?P<path>.+)", re.DOTALL)
"""As git tells it from a path: no slash is before the first colon (git-clone(1), GIT URLS)."""


def parse_listing(listing: str) -> Listing:
    """What `git ls-remote --symref` printed."""
    branch = commit = None
    for line in listing.split("\n"):
        said, _, name = line.partition("\t")
        if name != "HEAD":
            continue
        if said.startswith("ref: "):
            branch = said.removeprefix("ref: ").removeprefix(_HEADS)
        elif _COMMIT.fullmatch(said):
            commit = said
    return Listing(branch, commit, parse_refs(listing))


def _possible(ref: str) -> bool:
    """Whether the ref can have an environment. A server may hold names that `git branch` refuses, such as `HEAD`."""
    try:
        check_ref(ref)
    except RefError:
        return False
    return True


def _said(answer: _Answer) -> str:
    """Git's own words, on one line, without a password that an address may hold."""
    words = " ".join(answer.error.split()) or f"git ended with code {answer.code}"
    return _without_credentials(words).rstrip(".")


def _without_credentials(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s']+@|[^/@:\s']+:[^/@\s']+@", "", text)
