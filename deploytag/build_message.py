"""The message by which the program tells what a failed build printed, which the wrapper takes apart again. Pure."""

LIMIT = 128 * 1024
"""Characters of a build's output that are told and kept: the last ones, in which an error stands. A ConfigMap holds
1 MiB."""

_HEADING = " failed to build. By the builder's own record it printed:\n"


def tell(image: str, printed: str) -> str:
    """Of the image's resource, by its logical name."""
    if len(printed) > LIMIT:
        rest, newline, whole_lines = printed[-LIMIT:].partition("\n")
        printed = whole_lines if newline else rest
    return f"{image}{_HEADING}{printed}"


def understand(message: str) -> tuple[str, str] | None:
    """The image and what it printed; None: the message is another."""
    image, heading, printed = message.partition(_HEADING)
    return (image, printed) if heading and "\n" not in image else None
