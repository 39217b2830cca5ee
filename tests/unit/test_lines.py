"""Output as lines, however it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.processes import lines
from deploytag.delivery.processes.lines import Lines


@given(st.lists(st.binary()))
def test_lines_do_not_depend_on_how_the_bytes_come(chunks: list[bytes]) -> None:
    told: list[str] = []
    it = Lines(told.append)
    for chunk in chunks:
        it.feed(chunk)
    it.close()
    whole = b"".join(chunks)
    *ended, rest = whole.split(b"\n")
    expected = [*ended, *([rest] if rest else [])]
    assert told == [line.removesuffix(b"\r").decode(errors="replace") for line in expected]
    assert it.text == whole.decode(errors="replace")


@given(st.lists(st.binary()))
def test_only_so_much_is_kept(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "OUTPUT_LIMIT", 8)
        patch.setattr(lines, "LINE_LIMIT", 4)
        it = Lines()
        for chunk in chunks:
            it.feed(chunk)
        it.close()
    said, _, kept = it.text.partition("]\n") if it.text.startswith("[the first ") else ("", "", it.text)
    dropped = int(said.split()[2]) if said else 0
    assert whole[dropped:].decode(errors="replace") == kept
    assert len(whole) - dropped <= 8
    assert bool(dropped) == (len(whole) > 8)
