"""Exit codes: part of the interface."""

from deploytag import errors


def kinds() -> dict[str, int]:
    found = (value for value in vars(errors).values() if isinstance(value, type))
    return {kind.__name__: kind.exit_code for kind in found if issubclass(kind, errors.DeployTagError)}


def test_kinds_have_exit_codes_of_their_own() -> None:
    codes = kinds()
    assert len(set(codes.values())) == len(codes)
    assert codes["UsageError"] == 2, "what typer itself exits with"
    assert codes.pop("InterruptedRunError") == 130, "as shells have it for Ctrl-C"
    assert all(0 < code < 64 for code in codes.values())
