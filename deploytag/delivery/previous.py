"""What was served before a run that failed: whoever uses it wants to know whether it still is."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploytag.delivery.diagnosis.verify import shows
from deploytag.delivery.progress import Progress
from deploytag.delivery.record import Deployed
from deploytag.errors import DeployTagError, InterruptedRunError
from deploytag.settings import Verify


@contextmanager
def telling_what_still_serves(before: Deployed | None, verify: Verify, progress: Progress) -> Iterator[None]:
    """When what is done within fails, say where what was deployed before still answers, if it shows that it does.

    Raises:
        DeployTagError: what ended it, with the `url` of what still serves.
    """
    try:
        yield
    except InterruptedRunError:
        raise  # whoever asked it to end waits for that
    except DeployTagError as error:
        if before and shows(before.url, verify, before.revision):
            progress.say(f"{before.url} still serves {before.revision[:12]}")
            error.url = before.url
        raise
