"""GitHub's expressions, as far as our workflow uses them: evaluated by turning them into Python's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


class Text(str):
    """GitHub compares without regard to case, and so do its functions."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.casefold() == other.casefold()

    def __ne__(self, other: object) -> bool:
        return not self == other


class Context:
    """What a dot looks into; what is not there is empty."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        value = self._values.get(name, "")
        return Context(value) if isinstance(value, Mapping) else Text(value) if isinstance(value, str) else value


FUNCTIONS = {
    "startsWith": lambda text, start: text.casefold().startswith(start.casefold()),
    "endsWith": lambda text, end: text.casefold().endswith(end.casefold()),
    "contains": lambda text, part: part.casefold() in text.casefold(),
    "format": lambda text, *values: Text(text.format(*values)),
    "fromJSON": json.loads,
    "true": True,
}


def condition(expression: str, **contexts: Mapping[str, Any]) -> bool:
    """What an `if:` says, which needs no `${{ … }}`."""
    return bool(_value(expression, contexts))


def evaluate(template: str, **contexts: Mapping[str, Any]) -> Any:
    """The value of `${{ … }}`, or of the text around it."""
    if whole := re.fullmatch(r"\s*\$\{\{((?:(?!\}\}).)*)\}\}\s*", template, re.DOTALL):
        return _value(whole[1], contexts)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(_value(found[1], contexts)), template, flags=re.DOTALL)


def _value(expression: str, contexts: Mapping[str, Mapping[str, Any]]) -> Any:
    literals: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        literals.append(found[1].replace("''", "'"))
        return f" literals[{len(literals) - 1}] "

    bare = re.sub(r"'((?:[^']|'')*)'", put_away, expression)
    python = re.sub("!(?!=)", " not ", bare.replace("&&", " and ").replace("||", " or ").replace("\n", " "))
    names = {name: Context(values) for name, values in contexts.items()}
    return eval(  # noqa: S307 - of a template of ours
        python.strip(), {"__builtins__": {}}, {**FUNCTIONS, **names, "literals": [Text(it) for it in literals]}
    )
