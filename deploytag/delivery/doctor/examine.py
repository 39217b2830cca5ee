"""Runs all checks at the same time, each with its limit; a check that breaks is one line of the report."""

import asyncio
from collections.abc import Sequence

from deploytag.delivery.doctor.findings import Check, CheckResult, Finding, problem
from deploytag.errors import DeployTagError
from deploytag.preflight.patience import ask


def examine(checks: Sequence[Check]) -> list[CheckResult]:
    """What each check found, in their order."""
    return asyncio.run(_all(checks))


async def _all(checks: Sequence[Check]) -> list[CheckResult]:
    return list(await asyncio.gather(*(_one(check) for check in checks)))


async def _one(check: Check) -> CheckResult:
    try:
        findings: tuple[Finding, ...] = await ask(check.seconds, lambda: tuple(check.look()))
    except TimeoutError:
        findings = (problem(f"no answer within {check.seconds:.0f} s"),)
    except DeployTagError as error:
        findings = (problem(str(error), kind=type(error)),)
    # Whatever breaks in one check (a library's own kind of error, a defect of ours) must not hide what the others saw.
    except Exception as error:
        findings = (problem(f"could not be looked at: {type(error).__name__}: {error}", kind=DeployTagError),)
    return CheckResult(check.name, findings)
