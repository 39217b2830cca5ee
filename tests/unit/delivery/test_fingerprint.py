"""Which files of a commit make a push something to deploy."""

import pytest

from deploytag.delivery.fingerprint import program_digest
from deploytag.settings import Images
from tests.unit.checkout import Checkout

IMAGES = Images.model_validate({"app": {"context": ["app"]}})


def digest(checkout: Checkout) -> str:
    return program_digest(checkout.path, "feature-test", IMAGES)


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("__main__.py", True),
        ("infra/network.py", True),
        ("infra/queues.json", True),
        ("charts/queue/templates/queue.yaml", True),
        (".deploytag/requirements.txt", True),
        ("uv.lock", True),
        ("app/web.py", False),  # in the application's context, which is compared by itself
        ("deploytag.yaml", False),
        ("deploytag.policy.yaml", False),
        ("docs/README.md", False),
    ],
)
def test_whatever_a_program_may_read_decides(checkout: Checkout, name: str, decides: bool) -> None:
    checkout.track({"Pulumi.yaml": "name: shop\nruntime: python\n", "app/other.py": ""})
    checkout.commit()
    before = digest(checkout)
    checkout.track({name: "first"})
    added = digest(checkout)
    checkout.track({name: "second"})
    changed = digest(checkout)
    assert len({before, added, changed}) == (3 if decides else 1)


def test_a_link_and_a_mode_decide_too(checkout: Checkout) -> None:
    checkout.track({"Pulumi.yaml": "name: shop\nruntime: python\n", "infra/run": "x"})
    seen = {digest(checkout)}
    checkout.write("infra/run", "x", executable=True)
    checkout.git("add", "infra/run")
    seen.add(digest(checkout))
    (checkout.path / "infra/run").unlink()
    (checkout.path / "infra/run").symlink_to("nowhere")
    checkout.git("add", "infra/run")
    seen.add(digest(checkout))
    assert len(seen) == 3
