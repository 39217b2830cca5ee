"""What the delivery tests share: the sandbox's cluster."""

import os
import uuid
from collections.abc import Iterator

import boto3
import pytest

from deploytag.delivery.cluster import Cluster
from deploytag.preflight.cluster import connect
from deploytag.preflight.endpoints import kubeconfig_path


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster of the kubeconfig."""
    return Cluster(connect(kubeconfig_path(os.environ))[0])


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket of the test's own."""
    # Its server sends no checksums, and Pulumi would say so among what it is asked for.
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    s3 = boto3.resource("s3")
    name = f"state-{uuid.uuid4()}"
    it = s3.create_bucket(Bucket=name)
    yield f"s3://{name}/team/a?endpoint={os.environ['AWS_ENDPOINT_URL']}&s3ForcePathStyle=true&region=us-east-1"
    it.objects.all().delete()
    it.delete()


@pytest.fixture
def secrets_provider() -> Iterator[str]:
    """A key of the test's own that encrypts what is secret in states, as Pulumi names it."""
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    yield f"awskms://{key}?region=us-east-1"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
