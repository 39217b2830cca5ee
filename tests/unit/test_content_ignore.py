"""`.dockerignore`: what is ignored is neither built nor part of the digest."""

from pathlib import Path

import pytest

from deploytag.content import StagedTree, find_ignore_file, stage
from deploytag.errors import ContentError
from deploytag.ignore import parse_rules
from tests.unit.checkout import Checkout

ALL_BUT_APP = "# What a build needs.\n*\n!app\napp/tests\n**/*.pyc\n"


@pytest.mark.parametrize(
    ("rules", "ignored", "seen"),
    [
        ("*.md", ["README.md"], ["docs/README.md", "a.mdx"]),
        ("**/*.md", ["README.md", "docs/README.md", "a/b/c.md"], ["README"]),
        ("docs", ["docs", "docs/a", "docs/a/b"], ["app/docs", "docs.py"]),
        ("/docs/", ["docs/a"], ["app/docs/a"]),
        ("./docs", ["docs/a"], ["app/docs/a"]),
        ("a/../docs", ["docs/a"], ["a/b"]),
        ("*/temp*", ["a/temporary", "a/temp/x"], ["temp", "a/b/temp"]),
        ("temp?", ["tempa", "tempb/x"], ["temp", "a/tempa"]),
        ("**/__pycache__", ["__pycache__/x", "a/b/__pycache__/x"], ["a/pycache"]),
        ("docs/**", ["docs/a", "docs/a/b"], ["app/docs/a"]),
        ("docs/**/x", ["docs/x", "docs/a/b/x"], ["x"]),
        ("*.md\n!README.md", ["a.md"], ["README.md"]),
        ("!README.md\n*.md", ["a.md", "README.md"], []),
        ("docs\n!docs/keep", ["docs/a"], ["docs/keep"]),
        ("*\n!app\napp/tests", ["a", "app/tests/x"], ["app/x"]),
        ("  docs  \n\n! docs/a", ["docs/b"], ["docs/a"]),
        ("#docs\n#", [], ["docs", "#docs"]),
        ("[ab].py\n", ["a.py"], ["c.py"]),
        (".\n/\n", [], ["a"]),
        ("", [], ["a"]),
    ],
)
def test_rules_are_dockers(rules: str, ignored: list[str], seen: list[str]) -> None:
    spec = parse_rules(rules)
    assert [path for path in (*ignored, *seen) if spec.match_file(path)] == ignored


@pytest.mark.parametrize("rules", ["a\\", "[z-a]"])
def test_a_pattern_that_means_nothing_is_a_sentence(rules: str) -> None:
    with pytest.raises(ContentError, match="means nothing"):
        parse_rules(rules)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rules", ["[[a]", "[a||b]", "[a&&b]"])
def test_what_python_may_read_in_another_way_one_day_is_no_remark_for_a_person(rules: str) -> None:
    assert parse_rules(rules).match_file("a")


@pytest.fixture
def filled(checkout: Checkout) -> Checkout:
    names = ["Dockerfile", "Dockerfile.base", "README.md", "app/main.py", "app/tests/test_main.py", "app/old.pyc"]
    checkout.track({name: name for name in names})
    checkout.track({".dockerignore": ALL_BUT_APP})
    return checkout


def staged(tree: StagedTree) -> set[str]:
    return {str(path.relative_to(tree.path)) for path in tree.path.rglob("*") if path.is_file()}


def test_what_is_ignored_is_not_staged_but_the_dockerfile_is(filled: Checkout, tmp_path: Path) -> None:
    for includes in (["Dockerfile", "app"], ["Dockerfile", "."]):
        tree = stage(filled.path, includes, tmp_path / "trees", ignore_file=".dockerignore")
        assert staged(tree) == {"Dockerfile", "app/main.py"}
    assert "app/tests/test_main.py" in staged(stage(filled.path, ["."], tmp_path / "trees"))


def test_an_edit_of_what_is_ignored_changes_no_digest(filled: Checkout, tmp_path: Path) -> None:
    def digest() -> str:
        return stage(filled.path, ["Dockerfile", "app"], tmp_path / "trees", ignore_file=".dockerignore").digest

    before = digest()
    filled.track({"app/tests/test_main.py": "changed", "app/tests/test_more.py": "new"})
    assert digest() == before
    filled.track({"app/main.py": "changed"})
    assert digest() != before


def test_a_dockerfiles_own_ignore_file_wins(filled: Checkout) -> None:
    assert find_ignore_file(filled.path, "Dockerfile") == ".dockerignore"
    filled.track({"Dockerfile.dockerignore": ""})
    assert find_ignore_file(filled.path, "Dockerfile") == "Dockerfile.dockerignore"
    assert find_ignore_file(filled.path, "Dockerfile.base") == ".dockerignore"
    (filled.path / ".dockerignore").unlink()
    assert find_ignore_file(filled.path, "Dockerfile.base") is None


def test_an_ignore_file_that_git_does_not_track_is_refused(filled: Checkout) -> None:
    filled.write("Dockerfile.dockerignore", "app")
    with pytest.raises(ContentError, match="decides what is built, but git does not track it"):
        find_ignore_file(filled.path, "Dockerfile")
