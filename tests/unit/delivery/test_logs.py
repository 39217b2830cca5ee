"""What is read of a container's log."""

from deploytag.delivery.diagnosis.logs import whole_lines


def test_a_line_that_was_cut_is_left_out() -> None:
    assert whole_lines(b"one\ntwo\n", 9) == b"one\ntwo\n"
    assert whole_lines(b"one\nsecre", 9) == b"one\n[a line that ends after 9 bytes of log is left out]"
    assert whole_lines(b"one\ntwo6\n", 9).startswith(b"one\ntwo6\n"), "as far as its lines end"
    assert whole_lines(b"secret-an", 9) == b"[a line that ends after 9 bytes of log is left out]"
