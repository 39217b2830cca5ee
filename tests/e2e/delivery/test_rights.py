"""What the wrapper must not do, tried with the very rights that it has in all other tests."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploytag.delivery.doctor.rights import manifest
from deploytag.identity import Identity, identify
from deploytag.ownership import SYSTEM_NAMESPACE, annotations, labels
from deploytag.rights import BINDING, ENVIRONMENT_ROLE, project_rights
from tests.e2e.plugins.engine import eventually
from tests.e2e.program.checkout import PROJECT, sandbox_environ
from tests.e2e.program.inventory import kubectl
from tests.e2e.rights import WRAPPER, deployed_by_the_wrapper

pytestmark = pytest.mark.e2e

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def wrapper(*arguments: str, document: Any = None) -> subprocess.CompletedProcess[str]:
    """`kubectl` as the wrapper."""
    return attempt(sandbox_environ(), *arguments, document=document)


def somebody(user: str, *arguments: str, document: Any = None) -> subprocess.CompletedProcess[str]:
    """`kubectl` as a user of that name, who has what a test gives."""
    return attempt(dict(os.environ), *arguments, f"--as={user}", document=document)


def attempt(environ: dict[str, str], *arguments: str, document: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", *arguments],
        input=None if document is None else json.dumps(document),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def namespace(name: str, project: str, level: str = "restricted") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {"pod-security.kubernetes.io/enforce": level},
            "annotations": {"deploytag.dev/project": project},
        },
    }


def binding(namespace: str, role: str = ENVIRONMENT_ROLE, *, name: str = BINDING, user: str = WRAPPER.name) -> Any:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def taking_addresses(namespace: str) -> dict[str, Any]:
    """A Service that leads somebody else's address to its pods."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "theirs", "namespace": namespace},
        "spec": {"ports": [{"port": 443}], "externalIPs": ["192.0.2.1"]},
    }


@pytest.fixture
def theirs() -> Iterator[Identity]:
    """An environment of another project, of which this wrapper knows nothing."""
    identity = identify(f"other{uuid.uuid4().hex[:6]}", "feature/theirs")
    yield from _namespace(identity)


@pytest.fixture
def ours() -> Iterator[Identity]:
    """A bare namespace of an environment of ours."""
    identity = identify(PROJECT, f"feature/rights{uuid.uuid4().hex[:6]}x")
    yield from _namespace(identity)


def _namespace(identity: Identity) -> Iterator[Identity]:
    kubectl("create", "namespace", identity.namespace)
    for verb, words in (("label", labels(identity) | RESTRICTED), ("annotate", annotations(identity))):
        kubectl(verb, "namespace", identity.namespace, *(f"{key}={value}" for key, value in words.items()))
    entry = ("configmap", identity.namespace, "-n", SYSTEM_NAMESPACE)
    kubectl("create", *entry)
    kubectl("annotate", *entry, *(f"{key}={value}" for key, value in annotations(identity).items()))
    try:
        yield identity
    finally:
        kubectl("delete", *entry, "--ignore-not-found")
        kubectl("delete", "namespace", identity.namespace, "--wait=false", "--ignore-not-found")


def test_what_is_not_the_projects_is_refused(theirs: Identity) -> None:
    mine, there = f"{PROJECT}-feature-{uuid.uuid4().hex[:8]}", theirs.namespace
    bound = binding(there)
    entry: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{theirs.project}-bug-1",
            "namespace": SYSTEM_NAMESPACE,
            "annotations": {"deploytag.dev/project": PROJECT},
        },
    }
    kubectl("create", "-f", "-", document=binding(there, user="theirs"))
    attempts: dict[str, tuple[tuple[str, ...], Any]] = {
        "read a Secret of the system": (("get", "secrets", "-n", "kube-system"), None),
        "read a Secret of another project": (("get", "secrets", "-n", there), None),
        "list every Secret": (("get", "secrets", "-A"), None),
        "delete a namespace of the system": (("delete", "namespace", "kube-public"), None),
        "delete a namespace of another project": (("delete", "namespace", there), None),
        "delete its own system namespace": (("delete", "namespace", SYSTEM_NAMESPACE), None),
        "make a namespace of another project": (("create", "-f", "-"), namespace(f"{mine}-x", theirs.project)),
        "make a namespace of no project": (("create", "namespace", mine), None),
        "make a namespace of a name that is nobody's": (("create", "-f", "-"), namespace(f"x{mine}", PROJECT)),
        "make a privileged namespace": (("create", "-f", "-"), namespace(mine, PROJECT, "privileged")),
        "take over a foreign namespace": (
            ("annotate", "namespace", there, "deploytag.dev/project=shop", "--overwrite"),
            None,
        ),
        "label a foreign namespace": (("label", "namespace", "kube-public", "deploytag.dev/project=shop"), None),
        "bind cluster-admin for all": (
            ("create", "clusterrolebinding", mine, "--clusterrole=cluster-admin", f"--user={WRAPPER.name}"),
            None,
        ),
        "bind itself in kube-system": (("create", "-f", "-"), binding("kube-system")),
        "bind itself in another project": (("create", "-f", "-"), bound),
        "bind itself where another project bound its own": (
            ("patch", "rolebinding", BINDING, "-n", there, "--patch", json.dumps({"subjects": bound["subjects"]})),
            None,
        ),
        "take the rights of another project away": (("delete", "rolebinding", BINDING, "-n", there), None),
        "bind itself to another project": (
            ("patch", "rolebinding", project_rights(PROJECT), "-n", SYSTEM_NAMESPACE, "--patch", '{"subjects":[]}'),
            None,
        ),
        "change the ledger of another project": (
            ("patch", "configmap", there, "-n", SYSTEM_NAMESPACE, "--patch", '{"data":{"a":"b"}}'),
            None,
        ),
        "delete the ledger of another project": (("delete", "configmap", there, "-n", SYSTEM_NAMESPACE), None),
        "take a name in the ledger that is another's": (("create", "-f", "-"), entry),
        "say in the ledger that another has a database": (
            ("create", "-f", "-"),
            entry | {"metadata": {**entry["metadata"], "name": mine}, "data": {"project": theirs.project}},
        ),
        "write what is of no project": (("create", "configmap", mine, "-n", SYSTEM_NAMESPACE), None),
        "change its own role": (
            ("patch", "clusterrole", ENVIRONMENT_ROLE, "--type=json", "--patch", '[{"op":"remove","path":"/rules/0"}]'),
            None,
        ),
        "remove the fence": (("delete", "validatingadmissionpolicybinding", "deploytag-projects"), None),
        "be somebody else": (("get", "nodes", "--as=admin", "--as-group=system:masters"), None),
        "read a node": (("get", "nodes"), None),
    }
    done = {what: wrapper(*arguments, document=document) for what, (arguments, document) in attempts.items()}
    assert {what: it.stdout for what, it in done.items() if it.returncode == 0} == {}
    assert {what: it.stderr for what, it in done.items() if "orbidden" not in it.stderr} == {}
    assert "Active" in kubectl("get", "namespace", there, "kube-public", SYSTEM_NAMESPACE)


def test_in_an_environment_of_its_own_it_gets_no_further_than_it_needs(ours: Identity) -> None:
    there = ours.namespace
    assert wrapper("get", "secrets", "-n", there).returncode, "nothing before its RoleBinding"
    for wrong in (
        binding(there, "cluster-admin"),
        binding(there, user="mallory"),
        binding(there, name="another"),
    ):
        done = wrapper("create", "-f", "-", document=wrong)
        assert done.returncode, done.stdout
        assert "orbidden" in done.stderr or "NonResourceURLs" in done.stderr, done.stderr
    made = wrapper("create", "-f", "-", document=binding(there))
    assert made.returncode == 0, made.stderr
    subjects = json.dumps({"subjects": binding(there, user="mallory")["subjects"]})
    let_in = wrapper("patch", "rolebinding", BINDING, "-n", there, "--patch", subjects)
    assert "it may bind only whom" in let_in.stderr, let_in.stdout
    kubectl("auth", "can-i", "list", "secrets", "-n", there, f"--as={WRAPPER.name}")
    refused = {
        "exec": ("auth", "can-i", "create", "pods", "--subresource=exec"),
        "attach": ("auth", "can-i", "create", "pods", "--subresource=attach"),
        "forward": ("auth", "can-i", "create", "pods", "--subresource=portforward"),
        "run a pod by hand": ("auth", "can-i", "create", "pods"),
        "a token": ("auth", "can-i", "create", "serviceaccounts", "--subresource=token"),
        "a role": ("auth", "can-i", "create", "roles"),
    }
    answers = {what: wrapper(*question, "-n", there).stdout.strip() for what, question in refused.items()}
    assert set(answers.values()) == {"no"}, answers
    assert wrapper("auth", "can-i", "get", "secrets", "-n", there).stdout.strip() == "yes"
    taken = wrapper("create", "-f", "-", document=taking_addresses(there))
    assert "somebody else's addresses" in taken.stderr
    lowered = wrapper("label", "namespace", there, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    assert "must be restricted or baseline" in lowered.stderr
    for label in ("istio-injection=disabled", "pod-security.kubernetes.io/enforce-version=v1.0", "team-"):
        kubectl("label", "namespace", there, "team=theirs", "--overwrite")
        labelled = wrapper("label", "namespace", there, label)
        assert "labels are not this user's to change" in labelled.stderr, label
    kept = wrapper("label", "namespace", there, "pod-security.kubernetes.io/warn=baseline", "--overwrite")
    assert kept.returncode == 0, kept.stderr
    disguised = wrapper("label", "namespace", there, "deploytag.dev/project=other", "--overwrite")
    assert "must name the project of its annotation" in disguised.stderr
    for annotation in ("iam.amazonaws.com/permitted=.*", "theirs-"):
        kubectl("annotate", "namespace", there, "theirs=too", "--overwrite")
        annotated = wrapper("annotate", "namespace", there, annotation)
        assert "annotations are not this user's to change" in annotated.stderr, annotation
    given_away = wrapper("annotate", "namespace", there, "deploytag.dev/project=other", "--overwrite")
    assert given_away.returncode, given_away.stdout
    gone = wrapper("delete", "namespace", there)
    assert gone.returncode == 0, gone.stderr


def test_a_volume_is_touched_only_for_a_claim_of_ours(ours: Identity) -> None:
    name = ours.namespace
    with volume(name, claimed_from="kube-system"):
        assert "not claimed from an environment" in wrapper("annotate", "persistentvolume", name, *MARK).stderr
        assert "not marked" in wrapper("delete", "persistentvolume", name).stderr


def test_a_volume_of_ours_is_given_to_nobody_else(ours: Identity, theirs: Identity) -> None:
    name = ours.namespace
    assert wrapper("create", "-f", "-", document=binding(name)).returncode == 0
    with volume(name, claimed_from=name):
        owner = {"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "theirs"}
        moved: list[Any] = [
            {"spec": {"claimRef": {"namespace": theirs.namespace}}},
            {"spec": {"claimRef": {"name": "other"}}},
            {"spec": {"claimRef": None}},
        ]
        for patch in moved:
            done = wrapper("patch", "persistentvolume", name, "--patch", json.dumps(patch))
            assert "not this user's to change" in done.stderr, done.stdout
        for patch in (
            {"spec": {"mountOptions": ["suid"]}},
            {"spec": {"storageClassName": "other"}},
            {"spec": {"csi": {"controllerExpandSecretRef": {"name": "theirs", "namespace": "kube-system"}}}},
            {"metadata": {"finalizers": ["example.org/stays"]}},
            {"metadata": {"ownerReferences": [owner]}},
            {"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": "other"}}},
        ):
            done = wrapper("patch", "persistentvolume", name, "--patch", json.dumps(patch))
            assert "only whose it is, and whether it is kept" in done.stderr, done.stdout
        for_them = f"deploytag.dev/project={theirs.project}"
        assert "its mark, before or after" in wrapper("annotate", "persistentvolume", name, for_them).stderr
        kubectl("annotate", "persistentvolume", name, for_them)
        assert "its mark, before or after" in wrapper("annotate", "persistentvolume", name, *MARK, "--overwrite").stderr
        kubectl("annotate", "persistentvolume", name, "deploytag.dev/project-")
        for allowed in (
            ("annotate", "persistentvolume", name, *MARK),
            ("patch", "persistentvolume", name, "--patch", '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'),
            ("delete", "persistentvolume", name, "--wait=false"),
        ):
            done = wrapper(*allowed)
            assert done.returncode == 0, done.stderr


MARK = (f"deploytag.dev/project={PROJECT}",)


@contextmanager
def volume(name: str, claimed_from: str) -> Iterator[None]:
    """A volume that a claim in a namespace has."""
    document = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": "",
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Mi"},
            "csi": {"driver": "example.org", "volumeHandle": name},
            "claimRef": {"namespace": claimed_from, "name": "data"},
        },
    }
    kubectl("create", "-f", "-", document=document)
    try:
        yield
    finally:
        kubectl("delete", "persistentvolume", name, "--ignore-not-found")


def test_rights_are_given_for_one_project_after_the_other(theirs: Identity) -> None:
    refused = wrapper("annotate", "namespace", theirs.namespace, "deploytag.dev/now=ours")
    assert refused.returncode, refused.stdout
    with deployed_by_the_wrapper(theirs.project):
        given = wrapper("annotate", "namespace", theirs.namespace, "deploytag.dev/now=ours")
        assert given.returncode == 0, given.stderr
    assert wrapper("annotate", "namespace", theirs.namespace, "deploytag.dev/now=theirs", "--overwrite").returncode


@pytest.mark.parametrize(
    "project",
    ["plain", "my-Shop_2", "kube", "pg.x", "1st", "...", "averylongprojectsname", "a-project-of-many-words", "a" * 100],
)
def test_every_name_that_we_make_and_no_other_is_allowed(project: str) -> None:
    """The policy computes in its own language what the names of a project begin with."""
    with deployed_by_the_wrapper(project):
        for ref in ("main", "feature/test", "Feature/Ünï", "a" * 60):
            identity = identify(project, ref)
            document = namespace(identity.namespace, project)
            document["metadata"]["labels"] |= labels(identity)
            document["metadata"]["annotations"] = annotations(identity)
            made = wrapper("create", "--dry-run=server", "-f", "-", document=document)
            # One that is there already was not refused either.
            assert made.returncode == 0 or "already exists" in made.stderr, made.stderr
        for other in ("db", "sh", "kube-flannel", f"x{identity.namespace}", identity.namespace.split("-")[0]):
            done = wrapper("create", "--dry-run=server", "-f", "-", document=namespace(other, project))
            assert "its name must begin" in done.stderr, other


def test_who_keeps_rights_in_an_environment_alone_stays_fenced(ours: Identity) -> None:
    """A former deployer, until the next deployment; and not whoever administers the namespace."""
    service = taking_addresses(ours.namespace)
    former, tenant = f"former-{uuid.uuid4().hex[:6]}", f"tenant-{uuid.uuid4().hex[:6]}"
    kubectl("create", "-f", "-", document=binding(ours.namespace, user=former))
    kubectl("create", "-f", "-", document=binding(ours.namespace, "cluster-admin", name="tenant", user=tenant))
    refused = somebody(former, "create", "--dry-run=server", "-f", "-", document=service)
    assert "somebody else's addresses" in refused.stderr, refused.stdout
    made = somebody(tenant, "create", "--dry-run=server", "-f", "-", document=service)
    assert made.returncode == 0, made.stderr


def test_who_was_bound_may_stay_or_go_and_nobody_else_comes(ours: Identity) -> None:
    """An engine writes a binding more than once until it says what the program declares."""
    there = ours.namespace
    kubectl("create", "-f", "-", document=binding(there, user="former"))
    come = json.dumps({"subjects": binding(there, user="mallory")["subjects"]})
    refused = wrapper("patch", "rolebinding", BINDING, "-n", there, "--patch", come)
    assert "it may bind only whom" in refused.stderr, refused.stdout
    stay = wrapper("label", "rolebinding", BINDING, "-n", there, "now=ours")
    assert stay.returncode == 0, stay.stderr
    go = json.dumps({"subjects": binding(there)["subjects"]})
    gone = wrapper("patch", "rolebinding", BINDING, "-n", there, "--patch", go)
    assert gone.returncode == 0, gone.stderr


def test_nobody_else_is_bound_whatever_became_of_the_projects_own_binding(theirs: Identity) -> None:
    mallory = binding(theirs.namespace, user="mallory")
    with deployed_by_the_wrapper(theirs.project):
        kubectl("label", "rolebinding", project_rights(theirs.project), "-n", SYSTEM_NAMESPACE, "deploytag.dev/kind-")
        refused = wrapper("create", "-f", "-", document=mallory)
        assert "it may bind only whom" in refused.stderr, refused.stdout
        given = wrapper("create", "-f", "-", document=binding(theirs.namespace))
        assert given.returncode == 0, given.stderr


def test_no_binding_of_a_project_is_needed_for_an_administrator_to_bind(ours: Identity) -> None:
    """Of a policy that has parameters and finds none, the API server refuses everybody, unless it is told not to."""
    there, nowhere = ours.namespace, f"deploytag-empty-{uuid.uuid4().hex[:6]}"
    project = binding(nowhere, name=project_rights(PROJECT), user="nobody")
    kubectl("create", "namespace", nowhere)
    kubectl("create", "-f", "-", document=project)
    try:
        with compared(there, nowhere) as copies:

            def wrapper_binds() -> str:
                return wrapper("create", "--dry-run=server", "-f", "-", document=binding(there)).stderr

            def compared_with_the_copy() -> bool:
                said = wrapper_binds()
                return "it may bind only whom" in said and any(copy in said for copy in copies)

            eventually(compared_with_the_copy)
            kubectl("delete", "rolebinding", project_rights(PROJECT), "-n", nowhere)
            eventually(lambda: not compared_with_the_copy())
            assert wrapper_binds() == ""
            kubectl("create", "--dry-run=server", "-f", "-", document=binding(there, "admin", name="theirs"))
    finally:
        kubectl("delete", "namespace", nowhere, "--wait=false")


@contextmanager
def compared(where: str, with_those_in: str) -> Iterator[set[str]]:
    """The policies that have parameters once more, in force in one namespace, with parameters from another."""
    shipped = list(yaml.safe_load_all(manifest(PROJECT, [WRAPPER])))
    policies = {
        it["metadata"]["name"]: it
        for it in shipped
        if it["kind"] == "ValidatingAdmissionPolicy" and "paramKind" in it["spec"]
    }
    bound = [it for it in shipped if it["kind"] == "ValidatingAdmissionPolicyBinding" and "paramRef" in it["spec"]]
    assert {it["spec"]["policyName"] for it in bound} == policies.keys() != set()
    for it in (*policies.values(), *bound):
        it["metadata"]["name"] += f"-{where}"
    for it in bound:
        it["spec"]["policyName"] += f"-{where}"
        it["spec"]["paramRef"]["namespace"] = with_those_in
        it["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": where}}}
    copies = {"apiVersion": "v1", "kind": "List", "items": [*policies.values(), *bound]}
    try:
        kubectl("create", "-f", "-", document=copies)
        yield {it["metadata"]["name"] for it in bound}
    finally:
        kubectl("delete", "-f", "-", "--ignore-not-found", document=copies)


def test_this_user_is_what_the_tests_say_it_is() -> None:
    """Were it an administrator, all of the above would be shown by nothing."""
    assert os.environ["KUBECONFIG"] != sandbox_environ()["KUBECONFIG"]
    assert WRAPPER.name in wrapper("auth", "whoami").stdout
    assert Path(sandbox_environ()["KUBECONFIG"]).exists()
