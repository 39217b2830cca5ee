"""Text that somebody else wrote, as a terminal and a CI's log may be given it. Pure.

Branch names, commit subjects, error texts and pods' logs come from whoever pushes. Printed as they are they could move
the cursor, change the terminal's title, hide what is left of them, or be obeyed by the CI that reads the log.
"""

import re

# Colours mean nothing without the rest, and programs that log for people are full of them.
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")

# Control characters but for tabs and ends of lines, what sets the direction of text, Unicode's own ends of lines, and
# surrogates: bytes that were no UTF-8.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)

# GitHub obeys a line that begins with `::`, whatever space is before it, and one that holds `##[` anywhere.
_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)


def printable(text: str) -> str:
    """`text` with everything visible that is no plain text: `\\x1b`, `\\u202e`; its lines stay lines."""
    text = _COLOUR.sub("", text).replace("\r\n", "\n")
    text = _UNPRINTABLE.sub(lambda found: _escaped(found.group()), text)
    return _COMMAND.sub(r"\1\\::", text).replace("##[", "#\\#[")


def one_line(text: str) -> str:
    """`printable`, with every run of space and of ends of lines as one space."""
    return printable(" ".join(text.split()))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
