"""What a branch cannot give itself: with real pushes, the policy on the default branch of a real remote."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout, Finished, page
from tests.e2e.program.inventory import kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(1)]

FILE = "deploytag.policy.yaml"
NOTHING = {"secrets": [], "database": False, "database_key": None, "migrations": False}


@pytest.fixture
def trusting(tmp_path: Path) -> Iterator[Pushing]:
    """A checkout whose policy is on the default branch of its remote, and nowhere else."""
    with pushing(tmp_path) as it:
        it.small()
        del it.checkout.environ["DEPLOYTAG_POLICY"]
        try:
            yield it
        finally:
            # Whatever the test left there, what it deployed is destroyed.
            it.checkout.environ["DEPLOYTAG_POLICY"] = str(it.checkout.policy_file)
            for ref in it.git("for-each-ref", "--format=%(refname:strip=2)", "refs/heads/feature").split():
                it.deploytag("destroy", ref, "--force", "--confirm", ref)


def write(it: Pushing, **policy: object) -> None:
    """Edit the class `feature` in the checkout's own file; keys in capitals are the policy's."""
    path = it.path / FILE
    content = yaml.safe_load(path.read_text())
    content |= {name.lower(): value for name, value in policy.items() if name.isupper()}
    content["classes"]["feature"] |= {name: value for name, value in policy.items() if not name.isupper()}
    path.write_text(yaml.safe_dump(content))


def test_a_branch_that_edits_its_policy_gains_nothing(trusting: Pushing) -> None:
    ref = own("feature/trust-edit")
    write(trusting, LEASE_SECONDS=15, CAPS={"environments": 500})
    trusting.push("main")
    write(
        trusting,
        LEASE_SECONDS=600,
        CLUSTER={"server": "https://203.0.113.1:6443"},
        **NOTHING | {"secrets": ["staging/database-key"]},
        limits={"pods": 99, "cpu": "64"},
    )
    commit = trusting.push(ref)
    done = trusting.deploytag("deploy", ref)
    assert done.ok, done.output
    main = trusting.git("rev-parse", "main")
    assert f"the policy in force is main at {main[:12]} of the remote" in done.output
    namespace = trusting.identity(ref).namespace
    quota = kubectl("get", "quota", "environment", "-n", namespace, "-o", "jsonpath={.spec.hard.pods}")
    assert quota == "20"
    shown = page(trusting.report("status", ref)["url"])
    assert shown["revision"] == commit
    assert "DATABASE_URL" in shown["variables"], "the class has one, whatever the branch says"
    assert "API_TOKEN" in shown["variables"]
    # The same by `pulumi up` alone: nothing is to be changed.
    trusting.checkout.must("pulumi", "config", "set", "branch", ref, "--stack", trusting.identity(ref).stack)
    assert trusting.checkout.changes(trusting.identity(ref)) == set()


def test_what_a_protected_class_keeps_is_not_replaced(trusting: Pushing) -> None:
    ref = own("feature/trust-keep")
    identity = trusting.identity(ref)
    write(trusting, protected=True, ttl=None)
    trusting.push("main")
    first = trusting.push(ref)
    done = trusting.deploytag("deploy", ref)
    assert done.ok, done.output
    write(trusting, protected=False)
    program = trusting.path / "__main__.py"
    program.write_text(REPLACING.format(suffix="-2"))
    (trusting.path / "charts/app/templates/extra.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n"
    )
    trusting.push(ref)
    refused = trusting.deploytag("deploy", ref)
    assert refused.code == 14, refused.output
    assert "would delete or replace" in refused.output
    assert "Nothing was touched" in refused.output
    assert f"namespace/{identity.namespace}\n" in kubectl("get", "namespaces", "-o", "name")
    assert "extra" not in kubectl("get", "configmaps", "-n", identity.namespace, "-o", "name")
    status = trusting.report("status", ref)
    assert status["revision"] == first
    assert page(status["url"])["revision"] == first

    # One push lifts the protection, and the next would replace.
    program.write_text(REPLACING.format(suffix=""))
    trusting.push(ref)
    lifted = trusting.deploytag("deploy", ref)
    assert lifted.ok, lifted.output
    program.write_text(REPLACING.format(suffix="-2"))
    trusting.push(ref)
    refused = trusting.deploytag("deploy", ref)
    assert refused.code == 14, refused.output
    assert "would delete or replace the namespace shop-namespace" in refused.output
    destroyed = trusting.deploytag("destroy", ref)
    assert destroyed.code == 14, destroyed.output
    forced = trusting.deploytag("destroy", ref, "--force", "--confirm", ref)
    assert forced.ok, forced.output


def test_of_two_first_pushes_at_once_a_cap_admits_one(trusting: Pushing) -> None:
    group = own("feature/trust-cap")
    refs = (f"{group}-a", f"{group}-b")
    # A class of the test alone, since the project's environments are everybody's.
    content = yaml.safe_load((trusting.path / FILE).read_text())
    capped = {**content["classes"]["feature"], **NOTHING, "pattern": f"{group}-*"}
    content |= {"classes": {"trustcap": capped, **content["classes"]}, "caps": {"classes": {"trustcap": 1}}}
    (trusting.path / FILE).write_text(yaml.safe_dump(content, sort_keys=False))
    trusting.push("main")
    for ref in refs:
        trusting.push(ref)
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda ref: deploy_elsewhere(trusting, ref), refs))
    assert sorted(it.code for it in done) == [0, 15], "\n".join(it.output for it in done)
    served = refs[[it.code for it in done].index(0)]
    refused = refs[[it.code for it in done].index(15)]
    output = next(it.output for it in done if it.code == 15)
    assert "2 of 1 environments of the class trustcap" in output
    assert f"\n  {served}, pushed" in output
    namespace = trusting.identity(refused).namespace
    assert namespace not in kubectl("get", "namespaces", "-o", "name")
    assert f"configmap/{namespace}.record" not in kubectl("get", "configmaps", "-n", "deploytag-system", "-o", "name")
    assert "1 of 1 environments of the class trustcap" in trusting.deploytag("doctor").output
    # What is there may be pushed to as ever, and what goes makes room.
    trusting.push(served)
    again = trusting.deploytag("deploy", served)
    assert again.ok, again.output
    assert trusting.deploytag("destroy", served).ok
    admitted = deploy_elsewhere(trusting, refused)
    assert admitted.ok, admitted.output


def deploy_elsewhere(it: Pushing, ref: str) -> Finished:
    """Deploy from a checkout of its own, as each job of a pipeline has one."""
    folder = it.path.with_name(ref.replace("/", "-"))
    if not folder.exists():
        it.git("clone", "--quiet", "--branch", ref, str(it.remote), str(folder))
        (folder / ".venv").symlink_to(it.path / ".venv")
    return Checkout(folder, it.checkout.environ).run("deploytag", "deploy", ref)


REPLACING = '''
import pulumi
import pulumi_postgresql as postgresql
from deploytag.program import Environment, main


def replace(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    """Another name is another namespace; the protection of everything is lifted in the same push."""
    props = dict(args.props)
    if args.type_ == "kubernetes:core/v1:Namespace":
        props["metadata"] = {{**props["metadata"], "name": props["metadata"]["name"] + "{suffix}"}}
    return pulumi.ResourceTransformResult(props, pulumi.ResourceOptions.merge(args.opts, LIFTED))


LIFTED = pulumi.ResourceOptions(protect=False)
pulumi.runtime.register_resource_transform(replace)
pulumi.run(main)
'''
