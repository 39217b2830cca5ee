"""The forms in which programs show a text: JSON, a URL, a shell's quotes, base64, hexadecimal digits. Pure."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Characters: what is shorter (`true`, `8080`) is in every text, and tells nothing."""

WINDOW = 1024
"""Characters of a line at most, of what programs break into lines."""

_GO = {"&": "\\u0026", "<": "\\u003c", ">": "\\u003e", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_GO_CONTROL = {"\\b": "\\u0008", "\\f": "\\u000c"}
_HTML = {**_GO, "'": "\\u0027", "=": "\\u003d"}
_DOT_NET = {**_GO, "'": "\\u0027", '\\"': "\\u0022", "+": "\\u002b", "`": "\\u0060"}


def forms(text: str) -> frozenset[str]:
    """What to look for where `text` may be shown."""
    raw = text.encode(errors="surrogatepass")
    found = {text, *_in_json(text), *_in_url(raw), *_quoted(text), *in_base64(raw), *in_hexadecimal(raw)}
    return frozenset(form for form in found if len(form) >= SHORTEST)


def _in_json(text: str) -> Iterator[str]:
    """As Python, Go, PHP, Java and .NET write it, also as a text in a text."""
    for ascii_only in (True, False):
        written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        in_go = _with(written, _GO)
        for once in (
            *(written, in_go, _with(in_go, _GO_CONTROL), written.replace("/", "\\/")),
            *(_with(written, _HTML), _with(written, _DOT_NET)),
        ):
            upper = re.sub(r"\\u[0-9a-f]{4}", lambda found: f"\\u{found[0][2:].upper()}", once)
            yield from (once, upper, _in_text(once), _in_text(upper))


def _with(text: str, escapes: dict[str, str]) -> str:
    if not any(character in text for character in escapes):
        return text
    # A backslash that is escaped itself begins nothing.
    parts = re.findall(r"\\.|[^\\]", text, re.DOTALL)
    return "".join(escapes.get(part, part) for part in parts)


def _in_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _in_url(raw: bytes) -> Iterator[str]:
    """In a path, a query, a user's name; as JavaScript and Java do it."""
    for written in (
        *(quote(raw, safe=safe) for safe in ("", "/", "!'()*", "$&+,;=", "$&+:=@")),
        *(quote_plus(raw), quote_plus(raw, safe="*").replace("~", "%7E")),
    ):
        yield written
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), written)


def _quoted(text: str) -> Iterator[str]:
    """In Python's quotes and a shell's, which `set -x` prints."""
    raw = text.encode(errors="surrogatepass")
    yield from (repr(text)[1:-1], ascii(text)[1:-1], repr(raw)[2:-1])
    yield from (text.replace("'", "'\"'\"'"), text.replace("'", "'\\''"))
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)


def in_base64(raw: bytes) -> Iterator[str]:
    """By itself, and as a part of something longer: only the characters that no neighbour changes."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(raw).decode()
        yield from (alone, alone.rstrip("="))
        for before in range(3):
            bits = (before + len(raw)) * 8
            padded = encode(bytes(before) + raw + b"\0\0").decode()
            yield padded[-(-before * 8 // 6) : bits // 6]


def in_hexadecimal(raw: bytes) -> Iterator[str]:
    """Two digits for each byte."""
    yield from (raw.hex(), raw.hex().upper())


class Broken:
    """Finds what is left of a text in base64 or hexadecimal digits that was broken into lines.

    Each line by itself, as a log shows them: at the beginning or the end of a line, or as all of it, may stand a piece.
    """

    _BREAK = re.compile(r"((?:\\{1,4}r)?\\{1,4}n|\r?\n)")
    """An end of a line, also one that is written as in JSON."""
    _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="
    _AROUND = " \t\r\"'\\,;:()[]{}|"
    _WHOLE = 32
    """Characters of a line that is nothing but a piece of something longer, at least."""
    _GRID = 16
    """Every so many characters of that, so many are remembered: any such line has one of them in it."""

    def __init__(self, texts: Iterable[str]) -> None:
        raws = [text.encode(errors="surrogatepass") for text in texts]
        unbroken = {form.rstrip("=") for raw in raws for form in (*in_base64(raw), *in_hexadecimal(raw))}
        long_enough = sorted(form for form in unbroken if len(form) > SHORTEST)
        self._beginnings: dict[str, list[str]] = {}
        self._endings: dict[str, list[str]] = {}
        for form in long_enough:
            self._beginnings.setdefault(form[:SHORTEST], []).append(form)
            self._endings.setdefault(form[-SHORTEST:], []).append(form)
        self._all = "\n".join(long_enough)
        self._marks = {
            form[at : at + self._GRID]
            for form in long_enough
            for at in range(0, len(form) - self._GRID + 1, self._GRID)
        }

    def without(self, text: str, instead: str) -> str:
        """`text` with `instead` for each piece of at least `SHORTEST` characters."""
        if not self._all:
            return text
        lines = self._BREAK.split(text)
        lines[::2] = [self._line(line, instead) for line in lines[::2]]
        return "".join(lines)

    def _line(self, line: str, instead: str) -> str:
        end = len(line.rstrip(self._AROUND))
        begin = len(line[:end].rstrip(self._DIGITS))
        last = self._piece(line[begin:end], instead)
        before = line[:begin]
        if before.strip(self._AROUND):
            start = len(before) - len(before.lstrip(self._AROUND))
            stop = len(before) - len(before[start:].lstrip(self._DIGITS))
            before = before[:start] + self._piece(before[start:stop], instead) + before[stop:]
        return before + last + line[end:]

    def _piece(self, run: str, instead: str) -> str:
        """A run of digits, without what of a longer one it begins or ends with."""
        digits = run.rstrip("=")
        if len(digits) < SHORTEST:
            return run
        if self._WHOLE <= len(digits) <= WINDOW and self._is_inside(digits):
            return instead
        for at in range(max(0, len(digits) - WINDOW), len(digits) - SHORTEST + 1):
            begun = self._beginnings.get(digits[at : at + SHORTEST], ())
            if begun and any(form.startswith(digits[at:]) for form in begun):
                run, digits = digits[:at] + instead, digits[:at]
                break
        for end in range(min(WINDOW, len(digits)), SHORTEST - 1, -1):
            ended = self._endings.get(digits[end - SHORTEST : end], ())
            if ended and any(form.endswith(digits[:end]) for form in ended):
                return instead + run[end:]
        return run

    def _is_inside(self, piece: str) -> bool:
        marks = (piece[at : at + self._GRID] for at in range(self._GRID))
        return any(mark in self._marks for mark in marks) and piece in self._all
