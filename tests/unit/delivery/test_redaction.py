"""Secret values that a program printed do not reach a person."""

from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.diagnosis.redaction import REDACTED, SHORTEST, redactor

SECRETS = st.lists(st.text(min_size=SHORTEST), max_size=5)


@given(SECRETS, st.text(), st.text())
def test_no_value_is_left(values: list[str], before: str, after: str) -> None:
    for value in values:
        assert value not in redactor(values)(before + value + after).replace(REDACTED, "")


def test_a_value_that_is_part_of_another_leaves_nothing_of_it() -> None:
    assert redactor(["hunter2", "hunter2-and-more"])("it is hunter2-and-more") == f"it is {REDACTED}"


def test_the_lines_of_a_value_are_values() -> None:
    redact = redactor(["-----BEGIN KEY-----\nabcdefgh\n-----END KEY-----"])
    assert [redact(line) for line in ("abcdefgh", "other")] == [REDACTED, "other"]


def test_what_every_text_has_in_it_stays() -> None:
    assert redactor(["true", "8080", ""])("true: listening on 8080") == "true: listening on 8080"
