"""Takes secret values out of whatever this process shows: the one mechanism for output, logs, records and summaries.

What the process gets to know is taken out wherever it appears, in the forms in which programs show a text
(`deploytag.encodings`). What it does not know is taken out where its place gives it away: the password in a URL, a
bearer token.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from deploytag.encodings import SHORTEST, Broken, forms

REDACTED = "[redacted]"

PLACES = (
    (re.compile(r"(?i)(\bhttps?://)[^\s/?#:@'\"\\]+(?=(?::(?:x-oauth-basic)?)?@)"), rf"\g<1>{REDACTED}"),
    (re.compile(r"(://[^\s:/@'\"\\]*:)[^\s/'\"\\]+@"), rf"\g<1>{REDACTED}@"),
    (re.compile(r"(?i)\b(password|passwd|pwd)(=)('[^']*'|\"[^\"]*\"|[^\s&;,'\"\\]+)"), rf"\g<1>\g<2>{REDACTED}"),
    (re.compile(r"(?i)(authorization['\"]?[:=] ?b?['\"]?(?:\w+ +)?)[\w.~+/=-]{8,}"), rf"\g<1>{REDACTED}"),
    (re.compile(r"\bBearer +[\w.~+/-]{16,}=*"), f"Bearer {REDACTED}"),
    (re.compile(r"(?i)(x-amz-security-token['\"]?[:=] ?b?['\"]?)[\w+/=%-]{8,}"), rf"\g<1>{REDACTED}"),
)
"""Where a secret is whatever its value: URLs, libpq's connection strings, HTTP headers."""


class Redactor:
    """Knows values, and takes them out of texts. Several threads may use it."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._forms: frozenset[str] = frozenset()
        self._shown: frozenset[str] = frozenset()
        self._hidden: tuple[str, ...] = ()
        self._broken = Broken(())
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Take these out from now on, with their lines, and what is inside them if they are JSON or a URL."""
        parts = {part for value in values for part in _parts(value) if len(part) >= SHORTEST} - self._secrets
        if not parts:
            return
        self._secrets |= parts
        self._forms |= {form for part in parts for form in forms(part)}
        self._broken = Broken(self._secrets)
        self._sort()

    def spare(self, texts: Iterable[str]) -> None:
        """Show these, though a secret may hold the same words: names and addresses that DeployTag itself gives."""
        self._shown |= frozenset(texts)
        self._sort()

    def __call__(self, text: str) -> str:
        """The text without what is known to be secret, or stands where secrets do."""
        # A pattern of all forms would try hundreds of them at each letter; few texts have one of them.
        if found := [form for form in self._hidden if form in text]:
            text = re.sub("|".join(map(re.escape, found)), REDACTED, text)
        text = self._broken.without(text, REDACTED)
        for place, instead in PLACES:
            text = place.sub(instead, text)
        return text

    def _sort(self) -> None:
        hidden = (form for form in self._forms if not any(form in shown for shown in self._shown))
        # The longest first: a value may be a part of another.
        self._hidden = tuple(sorted(hidden, key=lambda form: (-len(form), form)))


def _parts(value: str) -> Iterator[str]:
    """What of a value is a secret by itself."""
    yield value
    yield from value.splitlines()
    if value[:1] in ("{", "["):
        try:
            yield from _leaves(json.loads(value))
        except (ValueError, RecursionError):
            return
    elif "://" in value:
        try:
            password = urlsplit(value).password or ""
        except ValueError:
            return
        yield from (password, unquote(password))


def _leaves(document: Any) -> Iterator[str]:
    """The texts and numbers of a JSON document."""
    match document:
        case dict():
            for value in document.values():
                yield from _leaves(value)
        case list():
            for value in document:
                yield from _leaves(value)
        case str():
            yield from _parts(document)
        case int() | float() if not isinstance(document, bool):
            yield json.dumps(document)


PROCESS = Redactor()
"""What this process knows."""


def learn(values: Iterable[str]) -> None:
    """Take these out of everything that this process shows from now on."""
    PROCESS.learn(values)


def spare(texts: Iterable[str]) -> None:
    """Show these, though a secret may hold the same words."""
    PROCESS.spare(texts)


def redact(text: str) -> str:
    """The text as this process may show it."""
    return PROCESS(text)


def redacted(document: Any) -> Any:
    """A JSON document, each of its texts as this process may show it."""
    match document:
        case dict():
            return {key: redacted(value) for key, value in document.items()}
        case list() | tuple():
            return [redacted(value) for value in document]
        case str():
            return redact(document)
    return document
