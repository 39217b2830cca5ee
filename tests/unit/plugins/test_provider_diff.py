"""What changed, where, and whether it replaces."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.plugins.provider import UNKNOWN, Change, Diff, Kind, Secret, compare, render_path

plain: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)
maps = st.dictionaries(st.text(max_size=3), plain, max_size=4)


@given(maps)
def test_the_same_is_no_change(properties: dict[str, Any]) -> None:
    assert compare(properties, properties) == ()
    assert compare(properties, {key: Secret(value) for key, value in properties.items()}) == ()


@given(maps, maps)
def test_different_maps_have_changes_and_they_are_symmetric(old: dict[str, Any], new: dict[str, Any]) -> None:
    there, back = compare(old, new), compare(new, old)
    assert {change.path for change in there} == {change.path for change in back}
    opposite = {Kind.ADD: Kind.DELETE, Kind.DELETE: Kind.ADD, Kind.UPDATE: Kind.UPDATE}
    assert {change.path: opposite[change.kind] for change in there} == {change.path: change.kind for change in back}


def test_kinds_and_paths() -> None:
    old = {"a": 1, "b": {"c": [1, 2]}, "gone": "x"}
    new = {"a": True, "b": {"c": [1, 3, 4]}, "new": "y"}
    assert {change.path: change.kind for change in compare(old, new)} == {
        ("a",): Kind.UPDATE,
        ("b", "c", 1): Kind.UPDATE,
        ("b", "c", 2): Kind.ADD,
        ("gone",): Kind.DELETE,
        ("new",): Kind.ADD,
    }


def test_an_unknown_value_counts_as_changed() -> None:
    assert compare({"a": 1}, {"a": UNKNOWN}) == (Change(("a",), Kind.UPDATE),)
    assert compare({"a": 1}, {"a": Secret(UNKNOWN)}) == (Change(("a",), Kind.UPDATE),)


def test_replacing_properties_are_named_or_decided() -> None:
    assert Diff(compare({"name": "a", "x": 1}, {"name": "b", "x": 1}, {"name"})).replaces
    assert not Diff(compare({"name": "a", "x": 1}, {"name": "a", "x": 2}, {"name"})).replaces
    assert Diff(compare({"x": {"y": 1}}, {"x": {"y": 2}}, lambda path: path == ("x", "y"))).replaces


def test_paths_are_written_as_the_engine_reads_them() -> None:
    assert render_path(("spec", "ports", 0, "name")) == "spec.ports[0].name"
    assert render_path(("metadata", "labels", "app.kubernetes.io/name")) == 'metadata.labels["app.kubernetes.io/name"]'
    assert render_path(("data", 'a"b')) == 'data["a\\"b"]'
