"""An address is verified when the newest pods, and no others, answer with the revision."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.health import complaints_everywhere, healthy
from deploytag.delivery.diagnosis.verify import Answer, answers
from deploytag.errors import DeploymentError
from deploytag.identity import Identity, identify
from deploytag.settings import Verify
from tests.e2e.delivery.charts import ENDS_ONCE, FAILING, IN_FILES, Namespace, deployment, namespace

pytestmark = pytest.mark.e2e

SERVER = r"""
use IO::Socket;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 9, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
    while (<$client>) { last if /^\r?\n$/ }
    print $client "HTTP/1.1 200 OK\r\nX-Revision: $ENV{REVISION}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    close $client;
}
"""
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "app"},
    "spec": {"type": "LoadBalancer", "selector": {"app": "app"}, "ports": [{"port": 80, "targetPort": 8080}]},
}
SHORT = Verify(header="X-Revision", timeout=3)


def serving(revision: str, **more: Any) -> list[dict[str, Any]]:
    ready = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
    container = {"command": ["perl", "-e", SERVER], "env": [{"name": "REVISION", "value": revision}]}
    return [deployment(**{**container, **ready, **more}), SERVICE]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Namespace]:
    with namespace(tmp_path) as it:
        yield it


def test_only_the_newest_pods_and_the_right_revision_will_do(cluster: Cluster, space: Namespace) -> None:
    identity: Identity = replace(identify("shop", "feature/verify"), namespace=space.name, release="app")
    assert not healthy(cluster, identity)
    output, _ = space.helm(serving("one")).communicate()
    address = space.kubectl("get", "service", "app", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
    assert address, output
    url = f"http://{address}"

    assert answers(cluster, identity, url, "one", Verify(header="X-Revision"), known=None) == Answer(200, "one")
    assert answers(cluster, identity, url, "anything", Verify(), known=None) == Answer(200, None)
    assert healthy(cluster, identity)
    assert complaints_everywhere(cluster, lambda: [space.name])[space.name] == ()
    with pytest.raises(DeploymentError, match="shows the revision 'one'"):
        answers(cluster, identity, url, "two", SHORT, known=None)

    # Another revision rolls out.
    helm = space.helm(serving("two"))
    output, _ = helm.communicate()
    assert helm.returncode == 0, output
    assert answers(cluster, identity, url, "two", Verify(header="X-Revision"), known=None).revision == "two"

    # The next one never gets ready: the address answers, and what answers is old.
    helm = space.helm(serving("three", readinessProbe=FAILING), timeout=5)
    helm.communicate()
    old = space.kubectl("get", "endpointslices", "-o", "jsonpath={.items[0].endpoints[0].targetRef.name}")
    with pytest.raises(DeploymentError, match=f"but also {old}"):
        answers(cluster, identity, url, "two", SHORT, known=None)
    assert not healthy(cluster, identity)

    # Nothing at all.
    space.kubectl("scale", "deployment", "app", "--replicas=0")
    with pytest.raises(DeploymentError, match="No pod is behind the Service app"):
        answers(cluster, identity, url, "two", SHORT, known=None)


def test_what_no_service_knows_has_to_run_as_well(cluster: Cluster, space: Namespace) -> None:
    """Nothing probes it, so it is available for as long as each of its lives: Helm may be content with it."""
    identity = replace(identify("shop", "feature/verify"), namespace=space.name, release="app")

    def beside(name: str, container: dict[str, Any]) -> str:
        """The address, once the container ended for the first time."""
        space.helm([*serving("one"), deployment(name, **container)], timeout=20).communicate()
        ended = "jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}=1"
        space.kubectl("wait", "pods", "-l", f"app={name}", f"--for={ended}", "--timeout=60s")
        address = space.kubectl("get", "service", "app", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
        return f"http://{address}"

    # What comes right in the time that the release has is waited for.
    url = beside("late", {"command": ENDS_ONCE, **IN_FILES})
    assert answers(cluster, identity, url, "one", SHORT, known=url, rollout=60) == Answer(200, "one")

    beside("crashing", {"command": ["sh", "-c", "exit 1"]})
    with pytest.raises(DeploymentError, match="crashing"):
        answers(cluster, identity, url, "one", SHORT, known=url)


def test_waiting_ends_when_the_run_is_told_to_end(cluster: Cluster, space: Namespace) -> None:
    identity = replace(identify("shop", "feature/verify"), namespace=space.name, release="app")

    def check() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers(cluster, identity, "http://192.0.2.1", "one", Verify(), known=None, check=check)
