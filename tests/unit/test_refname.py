"""Ref names and patterns, held against what git itself says."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.errors import RefError
from deploytag.refname import check_pattern, check_ref, matches

pieces = st.sampled_from([*"ab./-@{~^:?*[\\ \x01\x7fé", ".lock", "..", "@{", "HEAD", "a", "b", "c", "/"])
nasty = st.lists(pieces, max_size=6).map("".join)


def git_accepts(ref: str) -> bool:
    """As a branch: `check-ref-format`, and the rules that `git branch` adds."""
    done = subprocess.run(["git", "check-ref-format", f"refs/heads/{ref}"], check=False)
    return done.returncode == 0 and not ref.startswith("-") and ref not in ("HEAD", "@")


def we_accept(ref: str) -> bool:
    try:
        check_ref(ref)
    except RefError:
        return False
    return True


@given(nasty)
def test_we_refuse_exactly_what_git_refuses(ref: str) -> None:
    assert we_accept(ref) == git_accepts(ref)


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("a b", "it contains ' '"),
        ("a..b", "it contains '..'"),
        ("a/.b", "its part '.b' begins with a dot"),
        ("a.lock/b", "its part 'a.lock' ends with '.lock'"),
        ("-a", "it begins with '-'"),
        ("a.", "it ends with '.'"),
        ("HEAD", "git means the current commit by it"),
    ],
)
def test_the_reason_is_named(ref: str, reason: str) -> None:
    with pytest.raises(RefError) as caught:
        check_ref(ref)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "ref", "expected"),
    [
        ("feature/*", "feature/test", True),
        ("feature/*", "feature/a/b/c", True),
        ("feature/*", "feature", False),
        ("feature/*", "features/test", False),
        ("feature/*", "my/feature/test", False),
        ("feature/*", "Feature/test", False),
        ("main", "main", True),
        ("main", "main2", False),
        ("main", "a/main", False),
        ("release-*", "release-1.2", True),
        ("v1.2", "v1x2", False),
        ("*/hotfix", "a/b/hotfix", True),
        ("*", "anything/at/all", True),
        ("a/**", "a/b", True),
    ],
)
def test_patterns(pattern: str, ref: str, expected: bool) -> None:
    assert matches(pattern, ref) is expected


def test_many_stars_cost_no_time() -> None:
    assert not matches("*" * 60 + "z", "a" * 5000)


@given(nasty.filter(we_accept))
def test_a_name_means_itself(ref: str) -> None:
    assert matches(ref, ref)
    assert matches("feature/*", f"feature/{ref}")


@pytest.mark.parametrize("pattern", ["", "feature/", "feature/[ab]", "a b", "/feature/*"])
def test_a_pattern_that_nothing_can_match_is_refused(pattern: str) -> None:
    with pytest.raises(RefError, match="can match no branch or tag"):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["feature/*", "*", "main", "release-*"])
def test_a_pattern_that_something_can_match_is_kept(pattern: str) -> None:
    assert check_pattern(pattern) == pattern
