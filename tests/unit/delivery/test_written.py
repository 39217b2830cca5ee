"""What the kill matrix takes for written twice, by what there was before, at the death and since the rerun."""

from dataclasses import replace

import pytest

from deploytag.delivery.recovery.facts import Revision, Status
from deploytag.delivery.recovery.state import PendingOperation, Resource, State, release_id
from deploytag.delivery.resource_types import NAMESPACE, RELEASE
from deploytag.identity import identify
from tests.e2e.delivery.written import Written, twice

IDENTITY = identify("shop", "feature/test")
SPACE, HELM = Resource("n", NAMESPACE, IDENTITY.namespace), Resource("r", RELEASE, release_id(IDENTITY))
KNOWN = State((SPACE, HELM))
UNSURE = State((SPACE, HELM), (PendingOperation("updating", HELM.urn, HELM.type),))
DONE, BEGUN = Status.DEPLOYED, Status.PENDING_UPGRADE


def there(*statuses: Status, since: int = 1, state: State = KNOWN) -> Written:
    """An environment whose release has revisions of these statuses, numbered from `since`."""
    releases = {f"uid-{number}": Revision(number, status) for number, status in enumerate(statuses, since)}
    return Written(IDENTITY, "uid", 1, releases, state)


NONE = Written(IDENTITY)
HALF = replace(there(), state=State((SPACE,)))
ONE, TWO, THREE = there(DONE), there(DONE, DONE), there(DONE, DONE, DONE)


@pytest.mark.parametrize(
    ("before", "dead", "after", "complaint"),
    [
        # A first deployment.
        (NONE, NONE, ONE, None),
        (NONE, HALF, ONE, None),
        (NONE, HALF, replace(ONE, namespace="another"), "the namespace was uid and is another"),
        (NONE, replace(HALF, state=State()), replace(ONE, namespace="another"), None),
        (NONE, replace(HALF, state=State()), replace(ONE, database=2), "the database was 1 and is 2"),
        (NONE, ONE, ONE, None),
        (NONE, ONE, replace(ONE, releases={"another": Revision(1, DONE)}), "the release was done"),
        (NONE, there(Status.PENDING_INSTALL, state=HALF.state), ONE, None),
        (NONE, there(Status.PENDING_INSTALL, state=HALF.state), TWO, "but 1 to 1 will do"),
        (NONE, NONE, there(Status.FAILED), "but 1 to 1 will do"),
        # An update.
        (ONE, ONE, TWO, None),
        (ONE, ONE, ONE, "but 2 to 2 will do"),
        (ONE, ONE, THREE, "but 2 to 2 will do"),
        (ONE, ONE, replace(TWO, namespace="another"), "the namespace was uid and is another"),
        (ONE, ONE, replace(TWO, database=None), "the database was 1 and is None"),
        (ONE, TWO, TWO, None),
        (ONE, TWO, THREE, "the release was done"),
        (ONE, replace(TWO, state=UNSURE), TWO, None),
        (ONE, replace(TWO, state=UNSURE), THREE, None),
        (ONE, replace(TWO, state=UNSURE), there(DONE, since=4), "but 2 to 3 will do"),
        (ONE, there(DONE, BEGUN, state=UNSURE), there(DONE, since=4), None),
        (ONE, there(DONE, BEGUN, state=UNSURE), there(DONE, since=5), "but 2 to 4 will do"),
        (ONE, there(DONE, BEGUN, state=UNSURE), ONE, "but 2 to 4 will do"),
    ],
)
def test_what_is_written_twice(before: Written, dead: Written, after: Written, complaint: str | None) -> None:
    said = twice(before, dead, after)
    assert (said == []) if complaint is None else (len(said) == 1 and complaint in said[0])
