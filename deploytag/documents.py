"""Documents that somebody else wrote: read and parsed within bounds, whatever they hold.

A parser alone is not enough: ten short lines of YAML can stand for a billion nodes, a line of brackets ends Python's
recursion, and the file to read may be a link to `/dev/zero`. Whoever knows where a document comes from makes a sentence
of the `DocumentError`.
"""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError as RuamelMarkedYAMLError
from ruamel.yaml.error import YAMLError as RuamelYAMLError
from ruamel.yaml.reader import ReaderError as RuamelReaderError

LARGEST_FILE = 1 << 20
"""Bytes of a file that people write: settings, a chart's description, a Pulumi project."""

LARGEST_SETTINGS = 1 << 18
"""Bytes of YAML for the strict parser, which reads some 150 kB in a second."""

DEEPEST = 100
"""Lists and mappings inside each other; Python itself gives up at some hundreds."""

MOST_NODES = 100_000
"""Nodes that a YAML document may stand for when every alias is written out."""

_AMBIGUOUS = "is not read by every program in the same way"
# A document begins at `---`, with blanks or a comment behind it at most.
_NO_SEPARATOR = re.compile(r"^(?:---(?![ \t]*\r?$|[ \t]+#)|\ufeff)", re.MULTILINE)

# libyaml, where PyYAML was built with it: a rendered chart may be long.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(ValueError):
    """What is wrong with a document, as the end of a sentence; never a value that it holds."""


def read_file(path: Path, limit: int = LARGEST_FILE) -> bytes:
    """The content of a regular file.

    Raises:
        DocumentError: it is something else (a device, a pipe), or larger than `limit` bytes.
        OSError: it cannot be read; FileNotFoundError when there is none.
    """
    try:
        # Without waiting: opening a pipe that nobody writes to would.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the path
        raise DocumentError(f"its path is none ({error})") from None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DocumentError("it is no regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise DocumentError(f"it is larger than {limit >> 10} KiB")
    return content


def parse_json(text: str | bytes) -> Any:
    """The JSON document in `text`.

    Raises:
        DocumentError: it is none, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise DocumentError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        # Not the error itself: it carries the document, which may be secret.
        raise DocumentError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError as error:  # not UTF-8, or a number of thousands of digits
        raise DocumentError(type(error).__name__ if isinstance(error, UnicodeError) else str(error)) from None


def parse_yaml(content: str | bytes) -> Any:
    """The YAML document in `content`, as Helm, Kubernetes and Pulumi read it (YAML 1.1, the last of equal keys wins).

    Raises:
        DocumentError: it is none, or stands for too much.
    """
    _check_yaml(content)
    try:
        return yaml.load(content, _LOADER)  # noqa: S506 - a safe loader
    # Constructors of odd scalars (`!!bool x`, `2020-99-99`) fail in whatever way their code does.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DocumentError(_said(error)) from None


def parse_all_yaml(content: str) -> Iterator[Any]:
    """Every document of a stream, as `parse_yaml`: what a chart renders to.

    Raises:
        DocumentError: also where Kubernetes' parser might read something else than this one.
    """
    _refuse_ambiguous_lines(content)
    _check_yaml(content, nodes=10 * MOST_NODES, refuse=_refuse_ambiguous)
    loader = _LOADER(content)
    try:
        while loader.check_node():
            document = loader.get_node()
            _refuse_equal_keys(document)
            yield loader.construct_document(document)
    except DocumentError:
        raise
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DocumentError(_said(error)) from None


def parse_strict_yaml(content: bytes) -> Any:
    """The YAML 1.2 document in `content`, in which `no` is a word; equal keys are refused.

    Raises:
        DocumentError: it is none, stands for too much, or is larger than `LARGEST_SETTINGS`.
    """
    if len(content) > LARGEST_SETTINGS:
        raise DocumentError(f"it is larger than {LARGEST_SETTINGS >> 10} KiB")
    _check_yaml(content)
    try:
        return YAML(typ="safe", pure=True).load(content)
    except (RuamelYAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DocumentError(_said(error)) from None


def _check_yaml(
    content: str | bytes, nodes: int = MOST_NODES, refuse: Callable[[yaml.Event], None] | None = None
) -> None:
    """See that the document is not too deep, refers to nothing it is in, and stands for no more than `nodes` nodes.

    `refuse` raises for an event that must not be.

    By its events, before anything is built: merging an alias (`<<: *a`) multiplies while the tree is made.
    """
    count = _Count()
    try:
        for event in yaml.parse(content, _LOADER):
            if refuse is not None:
                refuse(event)
            count.take(event)
            if count.depth > DEEPEST:
                raise DocumentError(f"{_line(event.start_mark)}more than {DEEPEST} levels deep")
            if count.total > nodes:
                raise DocumentError(f"it stands for more than {nodes} values: its aliases multiply")
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError(_said(error)) from None


def _refuse_ambiguous(event: yaml.Event) -> None:
    """Refuse what parsers of YAML read in different ways.

    Go's takes `!!binary` for the text that it stands for, and lets a merge win over a key that stands before it.
    """
    match event:
        case yaml.ScalarEvent(tag=str()) | yaml.CollectionStartEvent(tag=str()):
            what = "a tag (`!!binary`)"
        case yaml.ScalarEvent(value="<<", implicit=(True, _)):
            what = "the key `<<`"
        case _:
            return
    raise DocumentError(f"{_line(event.start_mark)}{what} {_AMBIGUOUS}; write it out")


def _refuse_ambiguous_lines(content: str) -> None:
    """Refuse lines by which Kubernetes sees other documents, or another first key, than this parser.

    Kubernetes splits a stream by its lines, before any parser of YAML sees it: `---#` ends a document there. Go's
    parser drops a byte order mark at the beginning of each document; to this one it is a part of the first key.
    """
    if found := _NO_SEPARATOR.search(content):
        what = "a line that begins with `---` and goes on" if found[0] == "---" else "a byte order mark"
        raise DocumentError(f"line {content.count(chr(10), 0, found.start()) + 1}: {what} {_AMBIGUOUS}")


def _refuse_equal_keys(document: yaml.Node) -> None:
    """Refuse keys that a mapping has twice: one program takes the first, another the last, a third neither."""
    seen: set[int] = set()
    found = [document]
    while found:
        node = found.pop()
        if id(node) in seen:  # an alias is the node that it names
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in keys:
                    raise DocumentError(f"{_line(key.start_mark)}the key {key.value}, there twice, {_AMBIGUOUS}")
                keys.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
                found.append(value)
        elif isinstance(node, yaml.SequenceNode):
            found.extend(node.value)


class _Count:
    """How many nodes the events so far stand for, every alias written out."""

    def __init__(self) -> None:
        self.total = 0
        self._named: dict[str, int] = {}
        """Nodes that an anchor stands for."""
        self._open: list[tuple[str | None, int]] = []
        """Anchor of each collection that has not ended, and the nodes before it."""

    @property
    def depth(self) -> int:
        return len(self._open)

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.AliasEvent(anchor=anchor):
                if anchor not in self._named:
                    raise DocumentError(f"{_line(event.start_mark)}the alias *{anchor} names nothing, or what it is in")
                self.total += self._named[anchor]
            case yaml.ScalarEvent(anchor=anchor):
                self.total += 1
                self._name(anchor, 1)
            case yaml.CollectionStartEvent(anchor=anchor):
                self._named.pop(anchor or "", None)  # given anew
                self._open.append((anchor, self.total))
                self.total += 1
            case yaml.CollectionEndEvent():
                anchor, before = self._open.pop()
                self._name(anchor, self.total - before)
            case yaml.DocumentStartEvent():
                self._named.clear()

    def _name(self, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self._named[anchor] = size


def _said(error: Exception) -> str:
    """What is wrong, and where. Not the error's own text: it may repeat what stands there."""
    if isinstance(error, DuplicateKeyError):
        key = re.match(r'found duplicate key "([^"]*)" with value', error.problem or "")
        return f"{_line(error.problem_mark)}the key {key[1] if key else '?'} is there twice"
    if isinstance(error, yaml.MarkedYAMLError | RuamelMarkedYAMLError) and "failed to construct" not in str(error):
        return f"{_line(error.problem_mark)}{error.problem}"
    if isinstance(error, yaml.reader.ReaderError | RuamelReaderError):
        # Of bytes that are no characters: the reader tells which, and where.
        return str(error).partition("\n")[0]
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "a value is not of the type that its tag or its form says"


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}: " if mark is not None else ""
