"""No parser of outside input fails otherwise than by our own errors."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.hostile.parsers import PARSERS


@pytest.mark.parametrize("name", PARSERS)
# `tests/soak/test_hostile.py` tries many more.
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_nothing_but_our_own_errors(name: str, data: st.DataObject) -> None:
    parser = PARSERS[name]
    given_ = data.draw(parser.inputs)
    try:
        parser.read(given_)
    except parser.raises as error:
        assert len(str(error)) < 200_000
