"""A moment that somebody wrote down, where it can be reckoned with."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def plausible(moment: datetime) -> bool:
    """Whether a duration can be added to it or taken from it, in any time zone."""
    return moment.tzinfo is not None and 1970 <= moment.year < 9000


def _checked(moment: datetime) -> datetime:
    if not plausible(moment):
        raise ValueError("no moment of these times")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_checked)]
"""A time with its zone, far from the ends of the calendar."""
