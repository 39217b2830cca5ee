"""For every test."""

import signal


def _hang_up(*_: object) -> None:
    """Nothing: who started the suite with `nohup` wants it to go on."""


def pytest_configure() -> None:
    """Let the programs that tests start see signals, whoever started the suite.

    A job in the background ignores SIGINT and one under `nohup` SIGHUP, and so would every program it starts. Programs
    inherit what is ignored; what is handled is back at its default for them.
    """
    signal.signal(signal.SIGHUP, _hang_up)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
