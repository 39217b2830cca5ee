"""What all forms have in common."""

from pydantic import BaseModel, ConfigDict


class Form(BaseModel):
    """One document, or a part of one."""

    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)
