"""What the program registers: which resources, in which order, and what is secret."""

import re
import runpy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest

from deploytag.contract import ContractValues
from deploytag.passwords import database_password
from deploytag.program import Environment, main
from deploytag.rights import Subject
from deploytag.settings import CONTRACT_VALUES, Access, ApplicationSettings, EnvironmentClass, Limits, SecretSource
from tests.program.environments import COMBINATIONS, FULL, declare
from tests.program.world import CANARY, KEY_ID, SECRET_ID, Registration, World, leaves, values

REPOSITORY = Path(__file__).parents[2]
MAIN = "deploytag/program/main.py"
PAGE = (REPOSITORY / "docs/reference/program.md").read_text()

RELEASE = "kubernetes:helm.sh/v3:Release"
SECRET = "kubernetes:core/v1:Secret"
IMAGE = "docker-build:index:Image"
DATABASE = "postgresql:index/database:Database"

GOLDEN = """
deploytag:index:Environment shop
  deploytag:index:Images shop-images
    docker-build:index:Image shop-images-app
    docker-build:index:Image shop-images-base
  deploytag:index:Namespace shop-namespace
    kubernetes:core/v1:LimitRange shop-namespace-defaults
    kubernetes:core/v1:Namespace shop-namespace
    kubernetes:core/v1:ResourceQuota shop-namespace-quota
    kubernetes:core/v1:ServiceAccount shop-namespace-service-account
    kubernetes:networking.k8s.io/v1:NetworkPolicy shop-namespace-database
    kubernetes:networking.k8s.io/v1:NetworkPolicy shop-namespace-default-deny
    kubernetes:networking.k8s.io/v1:NetworkPolicy shop-namespace-dns
    kubernetes:networking.k8s.io/v1:NetworkPolicy shop-namespace-inside
    kubernetes:networking.k8s.io/v1:NetworkPolicy shop-namespace-internet
    kubernetes:networking.k8s.io/v1:NetworkPolicy shop-namespace-public
  deploytag:index:Database shop-database
    kubernetes:core/v1:ConfigMap shop-database-ledger
    postgresql:index/database:Database shop-database
    postgresql:index/grant:Grant shop-database-access
    postgresql:index/grantRole:GrantRole shop-database-administration
    postgresql:index/role:Role shop-database-role
  deploytag:index:Variables shop-variables
    kubernetes:core/v1:Secret shop-variables
  deploytag:index:Release shop-release
    kubernetes:helm.sh/v3:Release shop-release
"""
"""Every logical resource. Renaming one without `aliases` makes Pulumi delete the old and create the new: a database
with its data, for one. So this list changes only together with aliases, or by adding to it."""


RIGHTS = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
DEPLOYERS = (Subject("Group", "shop-pipeline"), Subject.service_account("runners", "shop"))


def golden_urns() -> set[str]:
    urns: set[str] = set()
    path: list[str] = []
    for line in GOLDEN.strip().splitlines():
        type_, name = line.split()
        depth = (len(line) - len(line.lstrip())) // 2
        path[depth:] = [type_]
        urns.add(f"urn:pulumi:feature-test::shop::{'$'.join(path)}::{name}")
    return urns


def test_no_logical_resource_is_renamed() -> None:
    assert {it.urn for it in declare().registrations} == golden_urns()


@pytest.mark.parametrize("cls", COMBINATIONS.values(), ids=COMBINATIONS.keys())
@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_every_class_declares_what_it_has_and_nothing_else(cls: EnvironmentClass, preview: bool) -> None:
    world = declare(cls=cls, preview=preview)
    assert len(world.all(DATABASE)) == cls.database
    assert len(world.all("kubernetes:core/v1:ConfigMap")) == cls.database
    assert len(world.all(SECRET)) == (cls.database or bool(cls.secrets))
    release = values(world.one(RELEASE))
    assert release["values.database.enabled"] is cls.database
    assert release["values.migrations.enabled"] is cls.migrations
    assert bool(release["values.envSecret"]) == (cls.database or bool(cls.secrets))


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_whom_the_administrator_named_is_bound_before_anything_else_is_made(
    monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    waited: list[str] = []

    async def wait(namespace: str, _: object) -> None:
        waited.append(namespace)

    monkeypatch.setattr("deploytag.program.namespace.await_effective", wait)
    world = declare(deployers=DEPLOYERS, preview=preview)
    (binding,) = world.all(RIGHTS)
    bound = values(binding)
    assert (bound["roleRef.kind"], bound["roleRef.name"]) == ("ClusterRole", "deploytag:environment")
    assert (bound["subjects[0].name"], bound["subjects[1].namespace"]) == ("shop-pipeline", "runners")
    assert bound["metadata.namespace"] == "shop-feature-test"
    namespace = world.one("kubernetes:core/v1:Namespace")
    assert set(binding.request.dependencies) == {namespace.urn}
    assert binding.request.deletedWith == namespace.urn, "until the namespace goes, everything in it can be removed"
    inside = [it for it in world.registrations if values(it).get("metadata.namespace") == "shop-feature-test"]
    assert len(inside) > 5
    assert all(binding.urn in it.request.dependencies for it in inside if it is not binding)
    assert waited == ([] if preview else ["shop-feature-test"])


def test_a_build_mounts_its_secrets_and_has_them_nowhere_else() -> None:
    world = declare(cls=FULL.model_copy(update={"build_secrets": {"npm": KEY_ID}}))
    for image in world.all(IMAGE):
        found = [(path, secret) for path, value, secret in leaves(image.inputs) if CANARY in str(value)]
        assert found == [("secrets.npm", True)], image.urn


def test_without_anybody_named_nobody_is_bound() -> None:
    assert declare().all(RIGHTS) == []


@pytest.mark.parametrize("cls", COMBINATIONS.values(), ids=COMBINATIONS.keys())
def test_no_secret_is_plain_anywhere(cls: EnvironmentClass) -> None:
    world = declare(cls=cls)
    found = [(it.urn, path) for it, path, value, secret in every_leaf(world) if CANARY in str(value) and not secret]
    assert found == []
    assert CANARY not in str(world.outputs)


def test_secrets_arrive_where_they_belong() -> None:
    world = declare()
    assert {path for it, path, value, secret in every_leaf(world) if secret} == {
        "stringData.API_TOKEN",
        "stringData.DATABASE_URL",
        "password",
    }
    content = values(world.one(SECRET))
    assert content["stringData.API_TOKEN"] == f"{CANARY}-token"
    password = database_password(f"{CANARY}-key", "shop_feature_test")
    assert content["stringData.DATABASE_URL"] == (
        f"postgresql://shop_feature_test:{password}@db.test:5432/shop_feature_test"
    )
    stated = values(world.one("postgresql:index/role:Role"))["password"]
    assert stated.startswith("SCRAM-SHA-256$"), "neither the state nor a statement holds the password"


def test_a_role_may_hold_and_wait_for_no_more_than_its_class_says() -> None:
    limits = Limits(database_connections=7, statement_seconds=60)
    role = values(declare(cls=FULL.model_copy(update={"limits": limits})).one("postgresql:index/role:Role"))
    assert (role["connectionLimit"], role["statementTimeout"]) == (7, 60_000)


def test_an_environment_may_take_no_more_than_its_class_says() -> None:
    limits = Limits.model_validate(
        {"node_ports": 3, "services": 4, "objects": 50, "ephemeral_storage": "5Gi", "container": {"cpu": "1"}}
    )
    world = declare(cls=FULL.model_copy(update={"limits": limits}))
    quota = values(world.one("kubernetes:core/v1:ResourceQuota"))
    assert {path.removeprefix("spec.hard."): it for path, it in quota.items() if path.startswith("spec.hard.")} == {
        "limits.cpu": "2",
        "limits.memory": "2Gi",
        "limits.ephemeral-storage": "5Gi",
        "pods": "20",
        "persistentvolumeclaims": "5",
        "requests.storage": "10Gi",
        "services": "4",
        "services.loadbalancers": "1",
        "services.nodeports": "3",
        "count/secrets": "50",
        "count/configmaps": "50",
        "count/jobs.batch": "50",
        "count/cronjobs.batch": "50",
        "count/ingresses.networking.k8s.io": "0",
    }


def test_a_container_that_names_no_limits_gets_some_for_all_that_the_quota_counts() -> None:
    limits = Limits.model_validate({"container": {"cpu": "1", "memory_request": "32Mi"}})
    world = declare(cls=FULL.model_copy(update={"limits": limits}))
    defaults, quota = world.one("kubernetes:core/v1:LimitRange"), world.one("kubernetes:core/v1:ResourceQuota")
    given = values(defaults)
    assert given["spec.limits[0].default.cpu"] == "1"
    assert given["spec.limits[0].defaultRequest.memory"] == "32Mi"
    counted = {path.rpartition(".")[2] for path in values(quota) if path.startswith("spec.hard.limits.")}
    assert {path.rpartition(".")[2] for path in given if ".default." in path} == counted
    assert defaults.urn in quota.request.dependencies, "else a pod without limits would be refused meanwhile"


def test_images_outlive_their_stack() -> None:
    for image in declare().all(IMAGE):
        assert image.request.retainOnDelete, image.urn


def test_nothing_is_made_before_the_image_is_built() -> None:
    order = [it.urn.rsplit("::", 1)[1] for it in declare().registrations if it.request.custom]
    built = order.index("shop-images-app")
    for later in ("shop-namespace-quota", "shop-database-ledger", "shop-database-role", "shop-release"):
        assert order.index(later) > built, later


def test_the_release_depends_on_all_that_its_hooks_need() -> None:
    world = declare()
    release = world.one(RELEASE)
    needed = [
        *world.all("kubernetes:core/v1:ServiceAccount"),
        *world.all("kubernetes:core/v1:ResourceQuota"),
        *world.all("kubernetes:core/v1:LimitRange"),
        *world.all("kubernetes:networking.k8s.io/v1:NetworkPolicy"),
        world.one(SECRET),
        world.one(DATABASE),
        world.one("postgresql:index/grant:Grant"),
    ]
    assert {it.urn for it in needed} <= set(release.request.dependencies)


def test_the_ledger_is_written_before_the_role_and_the_role_before_the_database() -> None:
    world = declare()
    ledger, role = world.one("kubernetes:core/v1:ConfigMap"), world.one("postgresql:index/role:Role")
    assert ledger.urn in role.request.dependencies
    says: Any = ledger.inputs["metadata"]
    assert says["annotations"]["deploytag.dev/server"] == "db.test:5432", "where it is, whatever PGHOST says later"
    assert role.urn in world.one(DATABASE).request.dependencies


def test_the_database_is_never_replaced_by_a_default() -> None:
    assert set(declare().one(DATABASE).request.ignoreChanges) == {"template", "encoding", "lcCollate", "lcCtype"}


def test_an_ingress_gives_the_url_and_leaves_no_other_way_in() -> None:
    ingress = {"class": "public", "host": "*.preview.example.org", "tls": True, "tls_secret": "wildcard"}
    access = Access.model_validate({"expose": "ingress", "ingress": ingress, "annotations": {"a": "b"}})
    world = declare(cls=FULL.model_copy(update={"access": access}))
    assert world.outputs["url"] == "https://shop-feature-test.preview.example.org"
    release = values(world.one(RELEASE))
    assert release["values.access.ingress.host"] == "shop-feature-test.preview.example.org"
    assert release["values.access.annotations.a"] == "b"
    quota = values(world.one("kubernetes:core/v1:ResourceQuota"))
    assert quota["spec.hard.services.loadbalancers"] == quota["spec.hard.services.nodeports"] == "0"
    assert int(quota["spec.hard.count/ingresses.networking.k8s.io"]) > 0


def test_a_load_balancer_is_told_whom_to_let_in() -> None:
    access = Access.model_validate({"source_ranges": ["192.0.2.0/24"], "internal": "gcp"})
    release = values(declare(cls=FULL.model_copy(update={"access": access})).one(RELEASE))
    assert release["values.access.sourceRanges[0]"] == "192.0.2.0/24"
    assert release["values.access.annotations.networking.gke.io/load-balancer-type"] == "Internal"


def test_the_chart_gets_exactly_the_contract() -> None:
    release = values(declare().one(RELEASE))
    given = {path.split(".")[1] for path in release if path.startswith("values.")}
    assert given | {"access"} == CONTRACT_VALUES == set(ContractValues.__annotations__)
    assert release["values.image"].startswith("registry.test/shop/app:")
    assert "@sha256:" in release["values.image"]
    assert release["chart"].startswith(".deploytag/")
    assert release["description"].startswith("chart ")


def test_the_revision_reaches_no_image() -> None:
    one, other = declare(), declare(revision="4567ef01")
    assert [it.inputs for it in one.all(IMAGE)] == [it.inputs for it in other.all(IMAGE)]
    assert values(one.one(RELEASE)) != values(other.one(RELEASE))


def test_branches_with_the_same_content_share_images() -> None:
    one, other = declare("feature/test"), declare("bug/other")
    assert [it.inputs for it in one.all(IMAGE)] == [it.inputs for it in other.all(IMAGE)]


def test_a_rotated_secret_is_another_kubernetes_secret() -> None:
    rotated = {SECRET_ID: {"secretString": '{"API_TOKEN": "new"}', "versionId": "version-2"}}
    before, after = declare(), declare(secrets=rotated)
    names = [values(world.one(SECRET))["metadata.name"] for world in (before, after)]
    assert names[0] != names[1]
    assert values(after.one(RELEASE))["values.envSecret"] == names[1]
    assert values(after.one(SECRET))["immutable"] is True


def test_layers_are_read_in_their_order_and_every_value_stays_secret() -> None:
    layered = FULL.model_copy(
        update={"secrets": (SecretSource(id="common"), SecretSource(id="rds", keys={"password": "MAIL_PASSWORD"}))}
    )
    secrets = {
        "common": {"secretString": f'{{"A": "{CANARY}-a", "MAIL_PASSWORD": "{CANARY}-old"}}', "versionId": "c1"},
        "rds": {"secretString": f'{{"password": "{CANARY}-p", "user-name": "{CANARY}-u"}}', "versionId": "r1"},
    }
    world = declare(cls=layered, secrets=secrets)
    content = {
        path.removeprefix("stringData."): value
        for path, value in values(world.one(SECRET)).items()
        if path.startswith("stringData.")
    }
    del content["DATABASE_URL"]
    assert content == {"A": f"{CANARY}-a", "MAIL_PASSWORD": f"{CANARY}-p"}
    assert [leaf for leaf in every_leaf(world) if CANARY in str(leaf[2]) and not leaf[3]] == []
    assert world.outputs["secret_versions"] == {"common": "c1", "rds": "r1", KEY_ID: "key-version-1"}


@pytest.mark.parametrize(
    "rotated",
    [
        {SECRET_ID: {"secretString": f'{{"API_TOKEN": "{CANARY}-token"}}', "versionId": "version-2"}},
        {KEY_ID: {"secretString": f"{CANARY}-other", "versionId": "key-version-2"}},
    ],
    ids=["variables", "key"],
)
def test_every_version_decides_the_name_whatever_the_content(rotated: dict[str, dict[str, str]]) -> None:
    names = [values(declare(secrets=secrets).one(SECRET))["metadata.name"] for secrets in (None, rotated)]
    assert names[0] != names[1]


def test_a_rotated_key_is_another_password_for_role_and_pods_together() -> None:
    rotated = {KEY_ID: {"secretString": f"{CANARY}-other", "versionId": "key-version-2"}}
    before, after = declare(), declare(secrets=rotated)
    passwords = [values(world.one("postgresql:index/role:Role"))["password"] for world in (before, after)]
    urls = [values(world.one(SECRET))["stringData.DATABASE_URL"] for world in (before, after)]
    assert passwords[0] != passwords[1]
    assert urls[0] != urls[1]


def test_the_outputs_are_exactly_the_interface() -> None:
    assert declare().outputs == {
        "url": "http://172.30.0.200",
        "namespace": "shop-feature-test",
        "release": "shop-feature-test",
        "database": "shop_feature_test",
        "base_image": f"registry.test/shop/base:{'base'.ljust(40, '0')}@sha256:{'a' * 64}",
        "app_image": f"registry.test/shop/app:app{'0' * 17}-base{'0' * 16}@sha256:{'a' * 64}",
        "env_secret": values(declare().one(SECRET))["metadata.name"],
        "secret_versions": {SECRET_ID: "version-1", KEY_ID: "key-version-1"},
        "ref": "feature/test",
        "revision": "0123abcd",
    }


def test_the_namespace_enforces_restricted_pods_and_says_whose_it_is() -> None:
    namespace = values(declare().one("kubernetes:core/v1:Namespace"))
    assert namespace["metadata.labels.pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata.annotations.deploytag.dev/ref"] == "feature/test"
    assert namespace["metadata.annotations.deploytag.dev/project"] == "shop"


def test_a_followed_tag_is_built_from_its_digest() -> None:
    base = next(it for it in declare(base_from="debian@sha256:0123").all(IMAGE) if it.urn.endswith("shop-images-base"))
    assert values(base)["buildArgs.FROM_IMAGE"] == "debian@sha256:0123"
    assert all("FROM_IMAGE" not in path for it in declare().all(IMAGE) for path in values(it))


def test_the_cache_of_one_content_is_not_overwritten_by_another() -> None:
    base = values(next(it for it in declare().all(IMAGE) if it.urn.endswith("shop-images-base")))
    own = f"registry.test/shop/base:cache-{'base'.ljust(40, '0')}"
    assert base["cacheFrom[0].registry.ref"] == base["cacheTo[0].registry.ref"] == own


def test_what_is_protected_cannot_be_deleted() -> None:
    protected = {
        it.urn.rsplit("::", 1)[1] for it in declare(cls=COMBINATIONS["protected"]).registrations if it.request.protect
    }
    assert {"shop-database", "shop-database-role", "shop-namespace", "shop-release"} <= protected
    # Rotation replaces this one.
    assert "shop-variables" not in protected
    assert not [it for it in declare().registrations if it.request.protect]


def test_half_a_database_is_refused() -> None:
    with pytest.raises(ValueError, match="a database needs all of"):
        declare(address=None)


def test_a_subclass_adds_what_its_chart_wants() -> None:
    class WithSearch(Environment):
        @classmethod
        def more_values(cls, settings: ApplicationSettings, environment_class: EnvironmentClass) -> dict[str, Any]:
            return {
                **super().more_values(settings, environment_class),
                "search": {"enabled": environment_class.database},
            }

    given = values(declare(environment=WithSearch).one(RELEASE))
    assert given["values.search.enabled"] is True
    assert given["values.revision"] == "0123abcd"


def program_on_the_page(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    """What a program of `docs/reference/program.md` gives to `pulumi.run`."""
    given: list[Callable[[], object]] = []
    monkeypatch.setattr(pulumi, "run", given.append)
    path = folder / "program.py"
    path.write_text(re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)[number])
    runpy.run_path(str(path))
    (program,) = given
    return program


def test_the_program_on_the_page_is_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert program_on_the_page(0, tmp_path, monkeypatch) is main
    for shipped in ("__main__.py", "deploytag/templates/program/__main__.py"):
        assert (tmp_path / "program.py").read_text() == (REPOSITORY / shipped).read_text()


def test_the_program_of_ones_own_on_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_on_the_page(1, tmp_path, monkeypatch)
    assert isinstance(program, partial)
    assert program.func is main
    (environment,) = program.args
    world = declare(environment=environment)
    release = world.one(RELEASE)
    assert values(release)["values.search.enabled"] is True
    (flags,) = (it for it in world.all("kubernetes:core/v1:ConfigMap") if it.urn.endswith("shop-flags"))
    assert values(flags) | {"metadata.namespace": "shop-feature-test", "data.ref": "feature/test"} == values(flags)
    assert flags.urn in release.request.dependencies
    assert world.outputs["search"] is True


def test_every_output_is_on_the_page() -> None:
    (table,) = re.findall(r"^## Outputs of a stack$(.*?)^## ", PAGE, re.M | re.S)
    rows = re.findall(r"^\| (`.+?) \|", table, re.M)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(declare().outputs)


def test_every_key_of_a_stacks_config_is_on_the_page() -> None:
    (table,) = re.findall(r"^## A stack's config$(.*?)^## ", PAGE, re.M | re.S)
    rows = re.findall(r"^\| (`.+?) \|", table, re.M)
    read = re.findall(r"""config\.(?:get|get_int|require)\("(\w+)"\)""", (REPOSITORY / MAIN).read_text())
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(read)


def every_leaf(world: World) -> list[tuple[Registration, str, object, bool]]:
    return [(it, *leaf) for it in world.registrations for leaf in leaves(it.inputs)]


def test_everybody_but_the_owner_is_shut_out_of_the_database() -> None:
    access = values(declare().one("postgresql:index/grant:Grant"))
    assert access == {"database": "shop_feature_test", "objectType": "database", "role": "public"}
