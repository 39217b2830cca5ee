"""The chart of the sample application, rendered by the real Helm: contract, hooks, names, Pod Security."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from kubernetes.utils.quantity import parse_quantity
from ruamel.yaml import YAML

from deploytag.contract import access_values
from deploytag.identity import identify
from deploytag.preflight.bounds import out_of_bounds
from deploytag.preflight.doors import wrong_door
from deploytag.settings import Access, Isolation, Limits

pytestmark = pytest.mark.toolchain

CHARTS = Path(__file__).parents[2] / "charts"
RELEASE = "shop-feature-test"
IMAGE = f"registry.example/shop/app@sha256:{'0' * 64}"
CONTRACT: dict[str, Any] = {
    "image": IMAGE,
    "ref": "feature/test",
    "revision": "0123abc",
    "serviceAccount": "app",
    "envSecret": "env-1",
    "asleep": False,
    "database": {"enabled": True},
    "migrations": {"enabled": True},
    "variables": {"database": "DATABASE_URL", "redis": "REDIS_URL"},
}
ACCESS: list[dict[str, Any]] = [
    {"internal": "aws", "source_ranges": ["192.0.2.0/24"]},
    {"expose": "ingress", "ingress": {"class": "public", "host": "*.example.org"}, "annotations": {"a": "b"}},
    {
        "expose": "ingress",
        "ingress": {"class": "public", "host": "*.example.org", "tls": True, "tls_secret": "wildcard"},
    },
]
NAMESPACED = {"CronJob", "Deployment", "Job", "Service"}
Object = dict[str, Any]


class Chart:
    """A copy of the charts with the dependency in place, as a deployment stages it."""

    def __init__(self, folder: Path) -> None:
        helm = shutil.which("helm")
        if helm is None:
            pytest.fail("no `helm` on PATH: `make test` builds the toolchain, and `make -s env` prints its PATH")
        self.helm, self.folder = helm, folder
        shutil.copytree(CHARTS, folder / "charts")
        built = self.run("dependency", "build", str(folder / "charts/app"))
        assert built.returncode == 0, built.stderr

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        places = {f"HELM_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run([self.helm, *arguments], capture_output=True, text=True, env=places, check=False)

    def template(self, values: Object, release: str = RELEASE) -> subprocess.CompletedProcess[str]:
        file = self.folder / "values.json"
        file.write_text(json.dumps(values))
        return self.run("template", release, str(self.folder / "charts/app"), "--values", str(file))

    def render(self, release: str = RELEASE, **changes: Any) -> list[Object]:
        result = self.template(CONTRACT | changes, release)
        assert result.returncode == 0, result.stderr
        return [one for one in YAML(typ="safe").load_all(result.stdout) if one]

    def complaint(self, values: Object) -> str:
        result = self.template(values)
        assert result.returncode != 0, "the schema let this pass"
        return result.stderr


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(tmp_path_factory.mktemp("chart"))


def names(objects: list[Object]) -> set[str]:
    return {f"{one['kind']}/{one['metadata']['name']}" for one in objects}


def find(objects: list[Object], name: str) -> Object:
    [found] = [one for one in objects if f"{one['kind']}/{one['metadata']['name']}" == name]
    return found


def pod_of(one: Object) -> Object:
    """The pod's metadata and spec, wherever this kind keeps them."""
    spec: Object = one["spec"]
    if one["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template: Object = spec["template"]
    return template


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for one in objects:
        if one["kind"] != "Service":
            yield f"{one['kind']}/{one['metadata']['name']}", pod_of(one)


@pytest.mark.parametrize("access", ACCESS, ids=["load balancer", "ingress", "ingress with TLS"])
def test_it_lets_in_whom_it_is_told_to(chart: Chart, access: dict[str, Any]) -> None:
    told = access_values(Access.model_validate(access), identify("shop", "feature/test"))
    objects = chart.render(access=told)
    assert wrong_door(RELEASE, objects, told) is None
    assert wrong_door(RELEASE, chart.render(), told), "what ignores it is refused"


def test_nothing_of_it_reaches_beyond_its_environment(chart: Chart) -> None:
    objects = chart.render()
    assert out_of_bounds(RELEASE, objects, Isolation()) is None
    redis = pod_of(find(objects, f"Deployment/{RELEASE}-redis"))["spec"]
    del redis["automountServiceAccountToken"]
    assert "service account default" in str(out_of_bounds(RELEASE, objects, Isolation())), "redis names no account"


def quantity(text: str) -> Decimal:
    """`250m` or `64Mi` as a number."""
    return Decimal(parse_quantity(text))  # type: ignore[no-untyped-call]


def violations(pod: Object) -> list[str]:
    """What the Pod Security level "restricted" would refuse in this pod's spec."""
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    found += [f"volume {key}" for one in pod.get("volumes", []) for key in one.keys() - {"name"} - allowed]
    common = pod.get("securityContext", {})
    if common.get("sysctls"):
        found.append("sysctls")
    for container in pod["containers"] + pod.get("initContainers", []):
        own = container.get("securityContext", {})
        both = common | own
        checks = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "runAsNonRoot": both.get("runAsNonRoot") is True,
            "runAsUser": both.get("runAsUser") != 0,
            "seccompProfile": both.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "procMount": "procMount" not in own,
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
        }
        found += [f"{container['name']}: {name}" for name, good in checks.items() if not good]
    return found


def test_every_pod_is_restricted(chart: Chart) -> None:
    found = {name: violations(pod["spec"]) for name, pod in pods(chart.render())}
    assert len(found) == 5
    assert not any(found.values()), found


@pytest.mark.parametrize(
    ("change", "violation"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"volumes": [{"name": "tmp", "hostPath": {"path": "/"}}]}, "volume hostPath"),
        ({"securityContext": {}}, "web: seccompProfile"),
        ({"containers": [{"name": "web", "securityContext": {"privileged": True}}]}, "web: allowPrivilegeEscalation"),
    ],
)
def test_the_check_of_restricted_sees_what_is_not(chart: Chart, change: Object, violation: str) -> None:
    pod = pod_of(find(chart.render(), f"Deployment/{RELEASE}-web"))["spec"]
    assert violation in violations(pod | change)


def test_pods_neither_write_to_their_image_nor_reach_the_api(chart: Chart) -> None:
    for _, pod in pods(chart.render()):
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert {"requests", "limits"} <= container["resources"].keys()


def test_a_rolling_update_fits_the_default_quota(chart: Chart) -> None:
    rolling = {f"Deployment/{RELEASE}-web", f"Deployment/{RELEASE}-worker"}
    before = f"Job/{RELEASE}-migrate"  # it has ended when the pods begin to roll
    cpu = memory = disk = Decimal(0)
    for name, pod in pods(chart.render()):
        for container in pod["spec"]["containers"]:
            limits = container["resources"]["limits"]
            times = 2 if name in rolling else int(name != before)
            cpu += times * quantity(limits["cpu"])
            memory += times * quantity(limits["memory"])
            disk += times * quantity(limits.get("ephemeral-storage", Limits().container.ephemeral_storage))
    assert 0 < cpu <= quantity(Limits().cpu)
    assert 0 < memory <= quantity(Limits().memory)
    assert 0 < disk <= quantity(Limits().ephemeral_storage)


def test_what_a_pod_may_write_fits_its_containers(chart: Chart) -> None:
    """Else the node would evict it for filling what the chart itself gives it."""
    for name, pod in pods(chart.render()):
        written = sum(quantity(it["emptyDir"]["sizeLimit"]) for it in pod["spec"]["volumes"])
        assert written <= quantity(Limits().container.ephemeral_storage) / 2, name


def test_its_objects_fit_the_default_quota(chart: Chart) -> None:
    count = Counter(it["kind"] for it in chart.render())
    assert count["Service"] <= Limits().services
    ports = sum(len(it["spec"]["ports"]) for it in chart.render() if it["kind"] == "Service" and "type" in it["spec"])
    assert 0 < ports <= Limits().node_ports, "a load balancer takes a port of the nodes for each of its own"
    # What a cron job keeps, one that runs, and a migration whose predecessor is still going.
    assert count["CronJob"] * (1 + 1 + 1) + count["Job"] * 2 < Limits().objects


def test_all_objects_of_a_full_release(chart: Chart) -> None:
    assert names(chart.render()) == {
        f"Service/{RELEASE}",
        f"Service/{RELEASE}-redis",
        f"Deployment/{RELEASE}-web",
        f"Deployment/{RELEASE}-worker",
        f"Deployment/{RELEASE}-redis",
        f"CronJob/{RELEASE}-clean",
        f"Job/{RELEASE}-migrate",
    }


def test_only_namespaced_kinds_in_the_releases_own_namespace(chart: Chart) -> None:
    for one in chart.render():
        assert one["kind"] in NAMESPACED
        assert "namespace" not in one["metadata"]


def test_the_migration_is_a_hook_whose_failure_stays_readable(chart: Chart) -> None:
    job = find(chart.render(), f"Job/{RELEASE}-migrate")
    annotations = job["metadata"]["annotations"]
    assert set(annotations["helm.sh/hook"].split(",")) == {"pre-install", "pre-upgrade"}
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"
    assert job["spec"]["backoffLimit"] == 0
    [container] = pod_of(job)["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "env-1"}}]


def test_no_migration_when_migrations_are_off(chart: Chart) -> None:
    full, without = chart.render(), chart.render(migrations={"enabled": False})
    assert names(full) - names(without) == {f"Job/{RELEASE}-migrate"}


def test_nothing_that_needs_a_database_without_one(chart: Chart) -> None:
    full, without = chart.render(), chart.render(database={"enabled": False})
    gone = {f"Job/{RELEASE}-migrate", f"Deployment/{RELEASE}-worker", f"CronJob/{RELEASE}-clean"}
    assert names(full) - names(without) == gone


def test_asleep_means_that_nothing_of_the_application_runs(chart: Chart) -> None:
    asleep, awake = chart.render(asleep=True), chart.render()
    assert names(asleep) == names(awake), "waking makes nothing anew"

    def running(objects: list[Object]) -> dict[str, bool]:
        found = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] in ("Deployment", "CronJob")}
        return {name: spec.get("replicas") != 0 and not spec.get("suspend") for name, spec in found.items()}

    assert {name for name, runs in running(awake).items() if not runs} == set()
    # Redis keeps what it holds in memory.
    assert {name for name, runs in running(asleep).items() if runs} == {f"{RELEASE}-redis"}


def test_containers_get_the_contract(chart: Chart) -> None:
    for name, pod in pods(chart.render(variables={"database": "DB", "redis": "CACHE"})):
        if name.endswith("-redis"):
            continue
        assert pod["spec"]["serviceAccountName"] == "app"
        [container] = pod["spec"]["containers"]
        assert container["image"] == IMAGE
        assert container["envFrom"] == [{"secretRef": {"name": "env-1"}}]
        assert {one["name"]: one["value"] for one in container["env"]} == {
            "DEPLOYTAG_REF": "feature/test",
            "DEPLOYTAG_REVISION": "0123abc",
            "DEPLOYTAG_ENV_SECRET": "env-1",
            "CACHE": f"redis://{RELEASE}-redis:6379/0",
        }


def test_without_a_secret_nothing_is_taken_from_one(chart: Chart) -> None:
    for _, pod in pods(chart.render(envSecret="")):
        for container in pod["spec"]["containers"]:
            assert "envFrom" not in container


def test_a_new_revision_rolls_the_application_and_leaves_redis_alone(chart: Chart) -> None:
    old, new = dict(pods(chart.render())), dict(pods(chart.render(revision="4567def")))
    assert {name for name in old if old[name] == new[name]} == {f"Deployment/{RELEASE}-redis"}


def test_the_old_web_pod_serves_until_the_new_one_has_taken_over(chart: Chart) -> None:
    web = find(chart.render(), f"Deployment/{RELEASE}-web")
    assert web["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    [container] = pod_of(web)["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "2"]


def test_the_service_and_the_network_policys_label_find_the_web_pods_only(chart: Chart) -> None:
    objects = chart.render()
    selector = find(objects, f"Service/{RELEASE}")["spec"]["selector"].items()
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(objects)}
    web = [f"Deployment/{RELEASE}-web"]
    assert [name for name, has in labels.items() if selector <= has.items()] == web
    assert [name for name, has in labels.items() if has.get("deploytag.dev/public") == "true"] == web


def test_the_service_is_the_address_of_the_environment(chart: Chart) -> None:
    spec = find(chart.render(), f"Service/{RELEASE}")["spec"]
    assert (spec["type"], [port["port"] for port in spec["ports"]]) == ("LoadBalancer", [80])


def test_names_of_the_longest_release_fit(chart: Chart) -> None:
    for one in chart.render(release="r" * 53):
        assert len(one["metadata"]["name"]) <= (52 if one["kind"] == "CronJob" else 63)


@pytest.mark.parametrize("key", sorted(CONTRACT.keys() - {"image", "ref", "revision"}))
def test_the_defaults_are_those_of_the_contract(chart: Chart, key: str) -> None:
    assert chart.template({name: value for name, value in CONTRACT.items() if name != key}).returncode == 0


@pytest.mark.parametrize("key", ["image", "ref", "revision"])
def test_a_release_without_this_is_refused(chart: Chart, key: str) -> None:
    assert key in chart.complaint({name: value for name, value in CONTRACT.items() if name != key})


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"imag": IMAGE}, "imag"),
        ({"database": {"enabled": True, "name": "shop"}}, "name"),
        ({"web": {"replica": 2}}, "replica"),
        ({"redis": {"version": 7}}, "version"),
        ({"image": "registry.example/shop/app:latest"}, "image"),
        ({"image": ""}, "image"),
        ({"revision": ""}, "revision"),
        ({"migrations": {"enabled": "yes"}}, "migrations"),
        ({"variables": {"database": "DATABASE_URL", "redis": "redis-url"}}, "redis"),
    ],
)
def test_what_the_contract_does_not_know_is_refused(chart: Chart, values: Object, named: str) -> None:
    assert named in chart.complaint(CONTRACT | values)


def test_an_edited_redis_chart_is_seen(chart: Chart, tmp_path: Path) -> None:
    edited = Chart(tmp_path)
    values = edited.folder / "charts/redis/values.yaml"
    values.write_text(values.read_text().replace("redis:7", "redis:8"))
    assert edited.run("dependency", "build", str(edited.folder / "charts/app")).returncode == 0
    [container] = pod_of(find(edited.render(), f"Deployment/{RELEASE}-redis"))["spec"]["containers"]
    assert container["image"] == "redis:8"
