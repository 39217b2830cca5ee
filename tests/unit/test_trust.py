"""Where the policy comes from: real repositories, and branches that try to choose their own judge."""

import os
from pathlib import Path

import pytest
import yaml

from deploytag.errors import RefError, SettingsError, UnreachableError
from deploytag.remote import Listing, parse_listing
from deploytag.trust import InForce, in_force, remote_name
from tests.unit.checkout import Checkout

A, B = "a" * 40, "b" * 40
CLASS = {"pattern": "feature/*", "secrets": ["staging/app"], "database": False, "migrations": False}
POLICY = {"cluster": {"server": "https://cluster.test:6443"}, "classes": {"feature": CLASS}}
FILE = "deploytag.policy.yaml"
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def text(**changes: object) -> str:
    return yaml.safe_dump({**POLICY, "classes": {"feature": {**CLASS, **changes}}}, sort_keys=False)


@pytest.fixture
def ours(checkout: Checkout, tmp_path: Path) -> Checkout:
    """A checkout on `feature/x`, which has edited the policy; its remote's default branch has another one."""
    checkout.git("init", "-q", "--bare", "-b", "main", str(tmp_path / "remote.git"))
    checkout.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    checkout.track({FILE: text()})
    checkout.commit()
    checkout.git("push", "-q", "origin", "main")
    checkout.git("switch", "-q", "-c", "feature/x")
    checkout.track({FILE: text(secrets=["production/app"], protected=False, limits={"cpu": "64"})})
    checkout.commit()
    checkout.git("push", "-q", "origin", "feature/x")
    return checkout


def found(checkout: Checkout, **environ: str) -> InForce:
    return in_force(checkout.path, {**ENVIRON, **environ})


def test_a_branch_that_edits_its_policy_gains_nothing(ours: Checkout) -> None:
    main = ours.git("rev-parse", "main")
    before = ours.git("status", "--porcelain"), ours.git("for-each-ref"), (ours.path / FILE).read_text()
    trusted = found(ours)
    assert trusted.policy.class_of("feature/x").secrets[0].id == "staging/app"
    assert trusted.policy.class_of("feature/x").limits.cpu == "2"
    assert trusted.origin == f"main at {main[:12]} of the remote origin"
    assert trusted.tip("feature/x") == ours.git("rev-parse", "HEAD")
    difference = trusted.differs(ours.path)
    assert difference is not None
    assert main[:12] in difference
    after = ours.git("status", "--porcelain"), ours.git("for-each-ref"), (ours.path / FILE).read_text()
    assert after == before
    ours.git("switch", "-q", "main")
    assert found(ours).differs(ours.path) is None


@pytest.mark.parametrize("own", ["pipe", "folder", "long", "unreadable", "gone", "dangling"])
def test_whatever_the_checkout_has_for_a_policy_is_looked_at_within_bounds(ours: Checkout, own: str) -> None:
    trusted, path = found(ours), ours.path / FILE
    path.unlink()
    match own:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "long":
            with path.open("wb") as file:
                file.truncate(1 << 40)  # no machine has the memory for it
        case "unreadable":
            path.symlink_to("/proc/self/mem")
        case "dangling":
            path.symlink_to("nothing")
    assert (trusted.differs(ours.path) is None) == (own in ("gone", "dangling"))


def test_a_named_policy_that_cannot_be_read_is_a_sentence(ours: Checkout, tmp_path: Path) -> None:
    named = tmp_path / "policy.yaml"
    with named.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SettingsError, match=r"DEPLOYTAG_POLICY is .*, which cannot be read: it is larger than"):
        found(ours, DEPLOYTAG_POLICY=str(named))


def test_one_question_says_where_the_policy_and_where_the_branch_is(ours: Checkout) -> None:
    trusted = found(ours)
    ours.git("remote", "set-url", "origin", "/nonexistent")
    assert trusted.tip("feature/x") == ours.git("rev-parse", "feature/x")
    assert trusted.tip("feature/gone") is None
    with pytest.raises(RefError):
        trusted.tip("feature/../x")


@pytest.mark.parametrize("edit", ["committed", "staged", "untracked", "replaced", "detached", "gone"])
def test_nor_does_whatever_else_is_in_the_checkout(ours: Checkout, edit: str) -> None:
    forged = text(secrets=["production/app"])
    match edit:
        case "staged":
            ours.track({FILE: forged})
        case "untracked":
            ours.git("rm", "-q", "--cached", FILE)
            ours.write(FILE, forged)
        case "replaced":
            blob = ours.git("rev-parse", f"main:{FILE}")
            ours.git("replace", blob, ours.git("rev-parse", f"feature/x:{FILE}"))
        case "detached":
            ours.git("switch", "-q", "--detach", "feature/x")
        case "gone":
            (ours.path / FILE).unlink()
    ours.git("update-ref", "refs/remotes/origin/main", "HEAD")
    ours.git("branch", "-f", "main", "HEAD")
    assert found(ours).policy.class_of("feature/x").secrets[0].id == "staging/app"


def test_a_policy_that_the_checkout_has_never_seen_is_fetched(ours: Checkout, tmp_path: Path) -> None:
    other = Checkout(tmp_path / "other")
    ours.git("clone", "-q", str(tmp_path / "remote.git"), str(other.path))
    other.track({FILE: text(secrets=["newer/app"])})
    newer = other.commit()
    other.git("push", "-q", "origin", "main")
    trusted = found(ours)
    assert trusted.policy.class_of("feature/x").secrets[0].id == "newer/app"
    assert newer[:12] in trusted.origin
    shallow = Checkout(tmp_path / "shallow")
    remote = f"file://{tmp_path / 'remote.git'}"
    ours.git("clone", "-q", "--depth=1", "--branch", "feature/x", remote, str(shallow.path))
    assert found(shallow).policy.class_of("feature/x").secrets[0].id == "newer/app"


def test_a_project_below_the_root_has_its_policy_there(ours: Checkout) -> None:
    ours.git("switch", "-q", "main")
    ours.track({f"shop/{FILE}": text(secrets=["shop/app"])})
    ours.commit()
    ours.git("push", "-q", "origin", "main")
    trusted = in_force(ours.path / "shop", ENVIRON)
    assert trusted.policy.class_of("feature/x").secrets[0].id == "shop/app"


def test_a_file_outside_of_the_repository_wins(ours: Checkout, tmp_path: Path) -> None:
    outside = tmp_path / "policy.yaml"
    outside.write_text(text(secrets=["outside/app"]))
    ours.git("remote", "set-url", "origin", "/nonexistent")
    trusted = found(ours, DEPLOYTAG_POLICY=str(outside))
    assert trusted.policy.class_of("feature/x").secrets[0].id == "outside/app"
    assert trusted.origin == f"{outside} (DEPLOYTAG_POLICY)"
    assert trusted.content == outside.read_bytes()
    with pytest.raises(UnreachableError):
        trusted.tip("feature/x")


@pytest.mark.parametrize("how", ["absolute", "dots", "a link that leads in", "a link in it that leads out", ".git"])
def test_a_file_of_the_checkout_is_refused(
    ours: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    outside, inside = tmp_path / "policy.yaml", ours.path / FILE
    named = {"absolute": inside, "dots": ours.path / ".." / ours.path.name / FILE, ".git": ours.path / ".git" / "p"}
    named |= {"a link that leads in": outside, "a link in it that leads out": ours.path / "link"}
    if how == "a link that leads in":
        outside.symlink_to(inside)
    if how == "a link in it that leads out":
        outside.write_text(text())
        (ours.path / "link").symlink_to(outside)
    with pytest.raises(SettingsError, match="would choose its own rights"):
        found(ours, DEPLOYTAG_POLICY=str(named[how]))
    monkeypatch.chdir(ours.path)
    with pytest.raises(SettingsError, match="would choose its own rights"):
        found(ours, DEPLOYTAG_POLICY=FILE)
    with pytest.raises(SettingsError, match="there is no such file"):
        found(ours, DEPLOYTAG_POLICY=str(tmp_path / "missing"))


@pytest.mark.parametrize("remote", ["/nonexistent/shop.git", None])
def test_a_silent_remote_is_no_policy_but_for_what_removes(ours: Checkout, remote: str | None) -> None:
    if remote is None:
        ours.git("remote", "remove", "origin")
        with pytest.raises(SettingsError, match=r"(?s)has no remote at all.*DEPLOYTAG_POLICY=FILE"):
            in_force(ours.path, ENVIRON, last_fetched=True)
        return
    ours.git("remote", "set-url", "origin", remote)
    for last_fetched in (False, True):
        with pytest.raises(UnreachableError, match=r"(?s)on the remote's default branch.*DEPLOYTAG_POLICY=FILE"):
            in_force(ours.path, ENVIRON, last_fetched=last_fetched)
    ours.git("update-ref", "refs/remotes/origin/main", "main")
    ours.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    trusted = in_force(ours.path, ENVIRON, last_fetched=True)
    assert trusted.policy.class_of("feature/x").secrets[0].id == "staging/app"
    assert trusted.listing is None
    with pytest.raises(UnreachableError):
        in_force(ours.path, ENVIRON)


def test_without_a_policy_on_the_default_branch_it_is_said_what_to_do(ours: Checkout, tmp_path: Path) -> None:
    ours.git("rm", "-q", FILE)
    ours.commit()
    ours.git("push", "-q", "--force", "origin", "HEAD:main")
    with pytest.raises(SettingsError, match="Commit it to the default branch first"):
        found(ours)
    ours.track({FILE: "classes: {}\n"})
    ours.commit()
    ours.git("push", "-q", "origin", "HEAD:main")
    with pytest.raises(SettingsError, match=r"(?s)the policy \(main at .*cluster: required"):
        found(ours)
    ours.git("push", "-q", str(tmp_path / "remote.git"), "feature/x:feature/y")
    ours.git("--git-dir", str(tmp_path / "remote.git"), "update-ref", "-d", "refs/heads/main")
    with pytest.raises(SettingsError, match="has no default branch yet"):
        found(ours)


def test_which_remote(ours: Checkout) -> None:
    assert remote_name(ours.path, ENVIRON) == "origin"
    ours.git("config", "deploytag.remote", "sandbox")
    assert remote_name(ours.path, ENVIRON) == "sandbox"
    assert remote_name(ours.path, {**ENVIRON, "DEPLOYTAG_REMOTE": "https://git.test/a.git"}) == "https://git.test/a.git"
    for nonsense in ("--upload-pack=id", "a b", "a\nb"):
        with pytest.raises(SettingsError, match="no name or URL"):
            remote_name(ours.path, {**ENVIRON, "DEPLOYTAG_REMOTE": nonsense})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Listing(None, None, {})),
        ([(B, "refs/heads/x")], Listing(None, None, {"x": B})),
        (
            [("ref: refs/heads/main", "HEAD"), (A, "HEAD"), (A, "refs/heads/main"), (B, "refs/pull/1/head")],
            Listing("main", A, {"main": A}),
        ),
        ([(A, "HEAD")], Listing(None, A, {})),
        # Somebody's branch of that name is none.
        ([(B, "refs/heads/HEAD"), (B, "refs/remotes/origin/HEAD")], Listing(None, None, {})),
    ],
)
def test_reading_what_the_remote_says_of_itself(lines: list[tuple[str, str]], expected: Listing) -> None:
    assert parse_listing("".join(f"{said}\t{name}\n" for said, name in lines)) == expected
