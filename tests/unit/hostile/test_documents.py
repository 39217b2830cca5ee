"""Reading what somebody else wrote: bombs, devices, and what is no document at all."""

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.documents import (
    LARGEST_FILE,
    LARGEST_SETTINGS,
    DocumentError,
    parse_all_yaml,
    parse_json,
    parse_strict_yaml,
    parse_yaml,
    read_file,
)
from tests.unit.hostile.strategies import texts, values

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
MERGES = "- &a0 {k: v}\n" + "".join(f"- &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10))
PARSERS: list[Callable[[bytes], Any]] = [
    parse_yaml,
    parse_strict_yaml,
    lambda content: list(parse_all_yaml(content.decode(errors="replace"))),
]


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "its aliases multiply"),
        (MERGES, "its aliases multiply|`<<`"),
        ("&a [*a]", "what it is in"),
        ("&a {<<: *a}", "what it is in|`<<`"),
        ("[*nothing]", "names nothing"),
        ("[" * 100_000, "more than 100 levels deep"),
        ("{a: " * 3_000, "more than 100 levels deep"),
        ("- " * 3_000, "more than 100 levels deep"),
        ("a: \0", "control characters|special characters"),
        ("!!python/object/apply:os.system [id]", "could not determine a constructor|a tag"),
        ("a: " + "9" * 5_000, "not of the type"),
        ("a: !!timestamp secret-value", "not of the type|a tag"),
        ("a: !!bool secret-value", "not of the type|a tag"),
        ("!!int ''", "not of the type|a tag"),
    ],
)
def test_what_yaml_must_not_be(parse: Callable[[bytes], Any], text: str, why: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DocumentError, match=why) as caught:
            parse(text.encode())
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
    assert "secret-value" not in str(caught.value)


def test_aliases_that_do_not_multiply_are_welcome() -> None:
    text = b"base: &base {a: 1, b: 2}\none: {<<: *base, c: 3}\ntwo: *base\n"
    expected = {"base": {"a": 1, "b": 2}, "one": {"a": 1, "b": 2, "c": 3}, "two": {"a": 1, "b": 2}}
    assert parse_yaml(text) == parse_strict_yaml(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        # To Go's parser each of these is a NetworkPolicy, to Python's it is something else or nothing.
        ("kind: !!binary TmV0d29ya1BvbGljeQ==", "line 1: a tag"),
        ("kind: ConfigMap\n<<: {kind: NetworkPolicy}", "line 2: the key `<<`"),
        ("kind: ConfigMap\n? !!merge <<\n: {kind: NetworkPolicy}", "line 2: a tag"),
        ("kind: ! NetworkPolicy", "line 1: a tag"),
        ("spec: !!map {egress: [{}]}", "line 1: a tag"),
        ("egress: !x [{}]", "line 1: a tag"),
        ("kind: NetworkPolicy\nkind: ConfigMap", "line 2: the key kind, there twice"),
        ("a: [{b: {kind: secret-value, 'kind': secret-value}}]", "line 1: the key kind, there twice"),
        ("a: &a kind\n*a : 1\nkind: 2", "line 3: the key kind, there twice"),
        ("a: 1\n---\nb: 1\n? |-\n  b\n: 2", "line 4: the key b, there twice"),
        # Kubernetes begins a document here, Python's parser none.
        ("kind: NetworkPolicy\n---#x: y\nkind: ConfigMap", "line 2: a line that begins with `---` and goes on"),
        ("a: 1\n---\u00a0\nb: 1", "line 2: a line that begins with `---` and goes on"),
        ("a: 1\n--- #\n---- b", "line 3: a line that begins with `---` and goes on"),
        ("a: 'x\n---#'", "line 2: a line that begins with `---` and goes on"),
        ("a: 1\n--- {kind: NetworkPolicy}", "line 2: a line that begins with `---` and goes on"),
        ("a: 1\n---\n\ufeffkind: NetworkPolicy", "line 3: a byte order mark"),
    ],
)
def test_what_kubernetes_may_read_in_another_way_is_refused(text: str, why: str) -> None:
    with pytest.raises(DocumentError, match=why) as caught:
        list(parse_all_yaml(text))
    assert "secret-value" not in str(caught.value)


LINES = st.sampled_from(
    [
        *(
            "kind: NetworkPolicy",
            "kind: ConfigMap",
            "'kind': x",
            "---",
            "---#x: y",
            "--- # x",
            "---\t",
            "---\r",
            "--- x",
        ),
        *("---x", "---\u00a0", "...", "\ufeffkind: y", "a: 'x", "x'", "a: |", "  kind: z", "- a", "# ---", " ---", ""),
    ]
)


@given(st.lists(LINES, max_size=8).map("\n".join))
def test_kubernetes_finds_the_same_documents_wherever_it_splits(text: str) -> None:
    try:
        found = list(parse_all_yaml(text))
    except DocumentError:
        return
    # As apimachinery's YAMLReader does, which leaves each part to a parser.
    parts = [""]
    for line in text.split("\n"):
        behind = line.removeprefix("---").strip()
        if line.startswith("---") and (not behind or behind.startswith("#")):
            parts.append("")
        else:
            parts[-1] += f"{line}\n"
    assert all(parse_yaml(part) in [None, *found] for part in parts if "..." not in part.splitlines())


def test_words_that_only_look_like_it_are_welcome() -> None:
    text = "a: '<<'\nb: '!!binary x'\nc: |\n  <<: !x\n"
    assert list(parse_all_yaml(text)) == [{"a": "<<", "b": "!!binary x", "c": "<<: !x\n"}]
    assert list(parse_all_yaml("a: &a {b: 1}\nc: *a\n")) == [{"a": {"b": 1}, "c": {"b": 1}}]
    assert list(parse_all_yaml("---\na: |\n  ---#\n--- # b\n--- \nb: \ufeff\n---\t\r\n# ---#")) == [
        *({"a": "---#\n"}, None, {"b": "\ufeff"}, None)
    ]


def test_equal_keys_are_named_and_their_values_are_not() -> None:
    with pytest.raises(DocumentError, match="line 2: the key token is there twice") as caught:
        parse_strict_yaml(b"token: secret-value\ntoken: secret-value-2\n")
    assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_yaml_may_be_in_any_encoding_that_it_names(encoding: str) -> None:
    assert parse_yaml("a: é".encode(encoding)) == parse_strict_yaml("a: é".encode(encoding)) == {"a": "é"}


@given(st.one_of(st.binary(max_size=60), texts.map(lambda text: text.encode(errors="surrogatepass"))))
def test_any_bytes_are_a_document_or_a_document_error(content: bytes) -> None:
    for parse in (*PARSERS, parse_json):
        try:
            parse(content)
        except DocumentError as error:
            assert "\n" not in str(error)


@given(values)
def test_what_was_written_is_read(value: Any) -> None:
    assert repr(parse_json(json.dumps(value))) == repr(value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5_000, b"\xff\xfe{", '"secret-value'])
def test_what_json_must_not_be(text: str | bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(text)
    assert "secret-value" not in str(caught.value)


def test_only_regular_files_of_some_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "huge").write_bytes(b" " * (LARGEST_FILE + 1))
    for name, why in {"pipe": "no regular file", "endless": "no regular file", "huge": "larger than"}.items():
        with pytest.raises(DocumentError, match=why):
            read_file(tmp_path / name)
    with pytest.raises(DocumentError, match="its path is none"):
        read_file(tmp_path / "a\0b")
    for name in ("circle", "missing", ".", "x" * 10_000):
        with pytest.raises((OSError, DocumentError)):
            read_file(tmp_path / name)


def test_settings_have_a_size() -> None:
    with pytest.raises(DocumentError, match="larger than 256 KiB"):
        parse_strict_yaml(b"#" * (LARGEST_SETTINGS + 1))
