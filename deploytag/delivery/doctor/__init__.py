"""Looks at everything a run needs, before a run does: one line for each, with the cure.

It changes nothing that stays: what it writes to see whether it can (an upload, a file of state) it takes back at once.
"""

from deploytag.delivery.doctor.checks import checks
from deploytag.delivery.doctor.examine import examine
from deploytag.delivery.doctor.findings import Check, CheckResult, Finding, Level, exit_code

__all__ = ["Check", "CheckResult", "Finding", "Level", "checks", "examine", "exit_code"]
