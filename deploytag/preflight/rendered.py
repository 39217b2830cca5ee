"""Walks what a chart renders to, which may be anything. Pure.

What is of no use where it stands is as if it were not there: it lets nobody in, and nothing out. Not so `null` in a
list of rules, which is a rule that excludes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def objects(documents: Iterable[Any]) -> Iterator[Document]:
    """Every object, as Helm finds them: whatever has `items` is a list, and says the kind of those that do not."""
    for it in documents:
        if not isinstance(it, Mapping):
            continue
        if isinstance(items := it.get("items"), list):
            kind = kind_of(it).removesuffix("List")
            yield from objects({**each, "kind": each.get("kind") or kind} for each in mappings(items))
        else:
            yield it


def kind_of(it: Document) -> str:
    """What it is: `Service`."""
    return str(it.get("kind"))


def name_of(it: Document) -> str:
    """What it is called."""
    return str(one(it, "metadata").get("name"))


def one(it: Document, key: str) -> Document:
    """The mapping that is there; an empty one where none is."""
    found = it.get(key)
    return found if isinstance(found, Mapping) else {}


def several(it: Document, key: str) -> Sequence[Any]:
    """The list that is there; an empty one where none is."""
    found = it.get(key)
    return found if isinstance(found, list) else ()


def entries(it: Document, key: str) -> list[Document]:
    """The objects of the list that is there, as Kubernetes reads them: `null` is one that says nothing."""
    return [each if isinstance(each, Mapping) else {} for each in several(it, key)]


def mappings(found: Sequence[Any]) -> list[Document]:
    """Those of a list that are mappings."""
    return [it for it in found if isinstance(it, Mapping)]
