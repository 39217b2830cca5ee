"""What the delivery tests share: the sandbox's cluster."""

import os

import pytest

from deploytag.delivery.cluster import Cluster
from deploytag.preflight.cluster import connect
from deploytag.preflight.endpoints import kubeconfig_path


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster of the kubeconfig."""
    return Cluster(connect(kubeconfig_path(os.environ))[0])
