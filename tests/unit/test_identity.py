"""Names: readable where they can be read back, valid everywhere, and never shared."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.errors import DeployTagError, RefError, SettingsError
from deploytag.identity import HASH_ALPHABET, HASH_LENGTH, Identity, identify
from tests.unit.adversary import Pair, identities

ACROSS_PROJECTS = ("namespace", "release", "database", "role", "host")
HASHED = re.compile(rf".*-[{HASH_ALPHABET}]{{{HASH_LENGTH}}}")

projects = st.from_regex(r"[A-Za-z0-9_.-]{1,100}", fullmatch=True)
plain_refs = st.from_regex(r"[a-z0-9]{1,12}(/[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?)?", fullmatch=True)
git_characters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=" ~^:?*[\\.@{/-")
refs = st.one_of(
    plain_refs,
    st.text(string.ascii_lowercase + "-/_.", min_size=1, max_size=80),
    st.lists(st.text(git_characters, min_size=1, max_size=30), min_size=1, max_size=4).map("/".join),
).filter(lambda ref: accepted("shop", ref))


def accepted(project: str, ref: str) -> bool:
    try:
        identify(project, ref)
    except DeployTagError:
        return False
    return True


def assert_valid(names: Identity) -> None:
    """What each consumer demands of a name."""
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,52}", names.stack), "Pulumi, and a file name on any system"
    assert re.fullmatch(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", names.namespace), "an RFC 1035 label, so a Service's too"
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", names.release), "Helm"
    assert len(names.release) <= 53, "Helm"
    assert re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", names.database), "PostgreSQL, without quotes; one byte a character"
    assert not names.role.startswith("pg_"), "PostgreSQL keeps these roles"
    assert not names.namespace.startswith("kube-"), "Kubernetes keeps these namespaces"
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_.-]{0,127}", names.host), "a Docker tag"
    assert names.host[2:4] != "--", "an internationalised host name"


@pytest.mark.parametrize(
    ("project", "ref", "stack", "name"),
    [
        ("shop", "feature/test", "feature-test", "shop-feature-test"),
        ("shop", "main", "main", "shop-main"),
        ("shop", "bug/a-b--c", "bug-a-b--c", "shop-bug-a-b--c"),
        ("shop2", "epic/2024", "epic-2024", "shop2-epic-2024"),
    ],
)
def test_a_plain_ref_keeps_its_name(project: str, ref: str, stack: str, name: str) -> None:
    names = identify(project, ref)
    sql = name.replace("-", "_")
    assert names == Identity(project, ref, stack, name, name, sql, sql, name)


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("Feature/test", "case"),
        ("feature/täst", "another character"),
        ("feature/a_b", "a character that becomes a dash"),
        ("feature/v1.2", "a character that becomes a dash"),
        ("feature/a/b", "more than one slash"),
        ("feature-a/b", "a dash before the slash"),
        ("feature-a", "a dash without a slash"),
        ("feature/a-", "a dash at the end"),
        ("feature/bcdfghjkmnpq", "looks like a hash"),
        ("bcdfghjkmnpq", "looks like a hash"),
        ("feature/x-bcdfghjkmnpq", "looks like a hashed name"),
        (f"feature/{'x' * 46}", "too long"),
        ("日本", "nothing to show"),
    ],
)
def test_a_ref_that_cannot_be_read_back_is_hashed(ref: str, why: str) -> None:
    names = identify("shop", ref)
    assert_valid(names)
    assert HASHED.fullmatch(names.stack), why
    assert HASHED.fullmatch(names.namespace), why


@pytest.mark.parametrize("project", ["my-shop", "Shop", "my_shop", "2048", "pg", "kube", "rds", "---", "s" * 50])
def test_a_project_that_makes_names_ambiguous_is_hashed_but_for_the_stack(project: str) -> None:
    names = identify(project, "feature/test")
    assert_valid(names)
    assert names.stack == "feature-test"
    assert HASHED.fullmatch(names.namespace)


@pytest.mark.parametrize(
    ("project", "ref"),
    [("kube", "system"), ("deploytag", "system"), ("deploytag", "admin"), ("current", "user"), ("session", "user")],
)
def test_names_that_mean_something_else_are_never_made(project: str, ref: str) -> None:
    assert identify(project, ref).namespace != f"{project}-{ref}"


def test_one_hash_stands_in_all_names_of_a_pair() -> None:
    names = identify("my-shop", "Feature/Test")
    hashes = {re.split("[-_]", getattr(names, field))[-1] for field in ("stack", *ACROSS_PROJECTS)}
    assert len(hashes) == 1


def test_names_stay_as_they_are() -> None:
    """A changed name is a lost environment: these were given once and must be given for ever."""
    assert identify("my-shop", "Feature/Test").namespace == "my-shop-feature-test-2b2xbjbff9kx"
    assert identify("shop", "feature/a/b").stack == "feature-a-b-59wntd5wl4wl"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("shop", "feature/bug-x"), ("shop-feature", "bug/x")),
        (("shop_", "x"), ("shop", "_x")),
        (("shop", "feature/a-b"), ("shop", "feature-a/b")),
        (("shop", "feature/a-b"), ("shop", "feature/a/b")),
        (("shop", "feature/login"), ("shop", "feature/Login")),
        (("shop", "feature/" + "x" * 60 + "1"), ("shop", "feature/" + "x" * 60 + "2")),
        (("shop", "feature/caf\u00e9"), ("shop", "feature/cafe\u0301")),
    ],
)
def test_lookalikes_share_nothing(one: Pair, other: Pair) -> None:
    first, second = identify(*one), identify(*other)
    for field in ACROSS_PROJECTS:
        assert getattr(first, field) != getattr(second, field)
    if one[0] == other[0]:
        assert first.stack != second.stack


@given(projects, refs)
def test_every_name_is_valid_and_stays(project: str, ref: str) -> None:
    names = identify(project, ref)
    assert_valid(names)
    assert identify(project, ref) == names


@given(plain_refs)
def test_a_readable_stack_can_be_read_back(ref: str) -> None:
    stack = identify("shop", ref).stack
    assert HASHED.fullmatch(f"-{stack}") or stack.replace("-", "/", 1) == ref


@given(st.tuples(projects, refs), st.tuples(projects, refs))
def test_two_pairs_share_nothing(one: Pair, other: Pair) -> None:
    first, second = identify(*one), identify(*other)
    for field in ACROSS_PROJECTS:
        assert (getattr(first, field) == getattr(second, field)) == (one == other)


def test_a_hundred_thousand_adversarial_pairs_share_nothing() -> None:
    assert_share_nothing(100_000)


def assert_share_nothing(pairs: int) -> None:
    """So many adversarial pairs: each name is valid everywhere, and belongs to one pair only."""
    owners: dict[str, Pair] = {}
    for names in identities(pairs):
        assert_valid(names)
        # Two fields are enough: the others are one of these, letter for letter.
        assert names.release == names.host == names.namespace
        assert names.database == names.role == names.namespace.replace("-", "_")
        pair = (names.project, names.ref)
        for key in (names.namespace, f"stack {names.stack} of {names.project}"):
            assert owners.setdefault(key, pair) == pair, f"{owners[key]} and {pair} share {key}"


@pytest.mark.parametrize("ref", ["", "a b", "a..b", "/a", "a/", "a//b", "-a", "HEAD", "a.lock", "a\udce9"])
def test_a_ref_git_refuses_is_refused_in_a_sentence(ref: str) -> None:
    with pytest.raises(RefError, match=r"(is no name of a git branch|is empty).*\."):
        identify("shop", ref)


@pytest.mark.parametrize("project", ["", "my shop", "shöp", "s" * 101, "a\0b", "shop\n"])
def test_a_project_pulumi_refuses_is_refused_in_a_sentence(project: str) -> None:
    with pytest.raises(SettingsError, match=r"Change `name:` in Pulumi\.yaml"):
        identify(project, "main")
