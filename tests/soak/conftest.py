"""The long tests, of which some need the running sandbox."""

from tests.e2e.program.checkout import become_administrator

become_administrator()
