"""Configuration files from sandbox/templates."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    # None of these files is HTML.
    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701


def render(template: str, **values: object) -> str:
    """The text of a template with every name it uses given."""
    return _environment().get_template(template).render(**values)
