"""What exists, as documents show it."""

from pydantic import BaseModel, ConfigDict

from deploytag.delivery.inventory.things import Kind


class Thing(BaseModel):
    """One thing that exists."""

    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)

    kind: Kind
    name: str
    detail: str
