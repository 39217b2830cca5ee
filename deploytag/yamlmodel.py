"""Reads a YAML file into a pydantic model and says everything that is wrong with it, in sentences."""

from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from deploytag.documents import DocumentError, parse_strict_yaml, read_file
from deploytag.errors import SettingsError
from deploytag.printable import one_line

M = TypeVar("M", bound=BaseModel)


class Complaints(tuple[str, ...]):
    """What is wrong with one file, a line each: file, key, what is allowed."""

    __slots__ = ()


def read_model(path: Path, model: type[M]) -> M | Complaints:
    """The model in the YAML file at `path`, or all complaints about it. Duplicate keys are refused."""
    try:
        return parse_model(path.name, read_file(path), model)
    except FileNotFoundError:
        return Complaints([f"{path.name}: there is no such file in {path.parent}; `deploytag init` writes one"])
    except OSError as error:
        return Complaints([f"{path.name}: cannot be read: {error.strerror}"])
    except DocumentError as error:
        return Complaints([f"{path.name}: cannot be used: {error}"])


def parse_model(name: str, text: bytes, model: type[M]) -> M | Complaints:
    """The model in the YAML `text` of a file called `name`, or all complaints about it."""
    try:
        content = parse_strict_yaml(text)
    except DocumentError as error:
        return Complaints([f"{name}: cannot be used: {error}"])
    try:
        return model.model_validate({} if content is None else content)
    except ValidationError as error:
        return Complaints(f"{name}: {_sentence(model, detail)}" for detail in error.errors(include_url=False))


def unusable(complaints: Iterable[str]) -> SettingsError:
    """The error that names all complaints about the settings."""
    return SettingsError("\n  ".join(["the settings cannot be used, nothing was touched:", *complaints]))


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    key = ".".join(_shown(str(part)) for part in detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            known = ", ".join(_fields_at(model, detail["loc"][:-1]))
            return f"{key}: unknown key; allowed here: {known}"
        case "missing":
            return f"{key}: required"
        case "value_error":
            return f"{key}: {detail['ctx']['error']}" if key else str(detail["ctx"]["error"])
        case "invalid-json-value":
            return f"{key}: a date, binary data, a set and the like are no values; put a text into quotes"
        case "recursion_loop":
            return f"{key}: nested too deeply"
        case _:
            # Never the offending value itself: a secret pasted into the wrong place must not reach a log.
            return f"{key or 'the file'}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _shown(key: str) -> str:
    """The key, quoted where it would not be seen as it is or would look like more than a key."""
    return key if key and key == one_line(key) else repr(key)


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The fields of the model found by following `location` through nested models, tables and lists."""
    here: Any = model
    for part in location:
        here = _inside(here, part)
    return sorted(here.model_fields)


def _inside(annotation: Any, part: int | str) -> Any:
    """What `part` leads to: a field's annotation, or that of every value of a table or list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _bare(annotation.model_fields[str(part)].annotation)
    values = [value for value in get_args(annotation) if value is not Ellipsis]
    return _bare(values[-1])  # dict[key, value], tuple[value, ...], list[value]


def _bare(annotation: Any) -> Any:
    """The `X` of `X | None` and `Annotated[X, …]`."""
    while isinstance(annotation, UnionType) or get_origin(annotation) in (Annotated, Union):
        annotation = get_args(annotation)[0]
    return annotation
