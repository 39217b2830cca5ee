"""One check never hides another, and the exit code is that of the first problem."""

import threading
from collections.abc import Iterator

import pytest

from deploytag.delivery.doctor.examine import examine
from deploytag.delivery.doctor.findings import Check, CheckResult, Finding, Level, exit_code, ok, problem, warning
from deploytag.errors import DeployTagError, OwnershipError, SecretError, SettingsError, UnreachableError


def test_each_check_says_its_own_whatever_happens_to_the_others() -> None:
    never = threading.Event()

    def hangs() -> Iterator[Finding]:
        never.wait(30)
        yield ok("too late")

    def refuses() -> Iterator[Finding]:
        yield ok("seen before it broke")
        raise SettingsError("the settings say nonsense")

    def breaks() -> list[Finding]:
        raise ZeroDivisionError("a defect")

    results = examine(
        [
            Check("hangs", hangs, seconds=0.2),
            Check("refuses", refuses),
            Check("breaks", breaks),
            Check("works", lambda: [ok("fine")]),
        ]
    )
    never.set()
    assert [result.check for result in results] == ["hangs", "refuses", "breaks", "works"]
    hung, refused, broken, worked = (result.findings[0] for result in results)
    assert (hung.level, hung.kind) == (Level.PROBLEM, UnreachableError)
    assert "no answer within" in hung.seen
    assert (refused.seen, refused.kind) == ("the settings say nonsense", SettingsError)
    assert broken.seen == "could not be looked at: ZeroDivisionError: a defect"
    assert worked == ok("fine")


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([ok("a"), warning("b", "c")], 0),
        ([ok("a"), problem("b", kind=SecretError)], SecretError.exit_code),
        ([problem("a", kind=OwnershipError), problem("b", kind=SettingsError)], OwnershipError.exit_code),
        ([warning("a", "b"), problem("c")], UnreachableError.exit_code),
        ([problem("a", kind=DeployTagError)], 1),
    ],
)
def test_the_exit_code_is_that_of_the_first_problem(findings: list[Finding], code: int) -> None:
    assert exit_code([CheckResult("check", (finding,)) for finding in findings]) == code
    assert exit_code([CheckResult("check", tuple(findings))]) == code
