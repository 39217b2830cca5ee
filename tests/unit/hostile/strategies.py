"""Texts and documents that try to break who reads them."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

NASTY = (
    *(
        "",
        " ",
        "\0",
        "\n",
        "\r\n",
        "\x1b[2J",
        "\x9b31m",
        "\u2028",
        "\u202e",
        "\ud800",
        "\ufeff",
        "é",
        "e\u0301",
        "ﬀ",
        "Ⅷ",
        "²",
    ),
    *("..", "../../etc/passwd", "/etc/passwd", "~root", "~nobody-of-that-name/x", "/dev/zero", "file:///etc/passwd"),
    *("-h", "--upload-pack=touch pwned", "--help", "-oProxyCommand=touch pwned", "ext::sh -c touch% pwned"),
    *(
        "$(touch pwned)",
        "`touch pwned`",
        "; touch pwned",
        "| touch pwned",
        "${IFS}",
        "'",
        '"',
        "\\",
        "$HOME",
        "%s",
        "{0}",
    ),
    *(
        "{{ .Values.x }}",
        "{{",
        "${{ github.token }}",
        "::set-output name=url::x",
        "##[error]x",
        "]]>",
        "<script>",
        "```",
    ),
    *("null", "~", "true", "no", "0x", "1e999", "NaN", "-1", "9" * 5000, "!!python/object/apply:os.system [id]"),
    *("2020-99-99", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00", "Thu, 01 Jan 1970 00:00:00 -0000"),
    *(
        "https://[",
        "https://x:99999/",
        "http://user:pass@x/",
        "[::1]:",
        "x" * 10_000,
        "a/" * 2_000,
        "[" * 5_000,
        "{" * 5_000,
    ),
)

texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(), max_size=40),  # surrogates too
    st.lists(st.sampled_from(NASTY), min_size=2, max_size=3).map("".join),
)

values: st.SearchStrategy[Any] = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1 << 31, 1 << 70, -(1 << 70), 1e308, float("inf"), float("nan")]),
    st.lists(texts, max_size=2),
    st.dictionaries(texts, st.one_of(texts, st.none(), st.integers()), max_size=2),
    st.just([[[]]]),
    st.just({"metadata": {"annotations": [None]}}),
)
"""What JSON can hold, and JSON as Python reads it."""


def damaged(document: Any) -> st.SearchStrategy[Any]:
    """`document` with one to three of its parts replaced or gone: nearly right is what parsers stumble over."""
    places = list(_places(document))
    change = st.tuples(st.sampled_from(places), st.one_of(values, st.just(_GONE)))
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: _changed(document, changes))


_GONE = object()


def _places(document: Any, here: tuple[Any, ...] = ()) -> Any:
    yield here
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _places(value, (*here, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from _places(value, (*here, index))


def _changed(document: Any, changes: Sequence[tuple[tuple[Any, ...], Any]]) -> Any:
    for place, value in changes:
        document = _with(document, place, value)
    return document


def _with(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return None if value is _GONE else value
    key, *rest = place
    if isinstance(document, dict) and key in document:
        if value is _GONE and not rest:
            return {name: it for name, it in document.items() if name != key}
        return {**document, key: _with(document[key], tuple(rest), value)}
    if isinstance(document, list) and isinstance(key, int) and key < len(document):
        new = [] if value is _GONE and not rest else [_with(document[key], tuple(rest), value)]
        return [*document[:key], *new, *document[key + 1 :]]
    return document  # an earlier change took the place away
