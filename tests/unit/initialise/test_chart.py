"""The chart skeleton, rendered by Helm itself."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploytag.contract import PLACEHOLDER_IMAGE, contract_values
from deploytag.preflight.bounds import out_of_bounds
from deploytag.program.network import PUBLIC_LABEL
from deploytag.settings import CONTRACT_VALUES, Isolation, Variables

CHART = Path(__file__).parents[3] / "deploytag" / "templates" / "chart"

needs_helm = [
    pytest.mark.toolchain,
    pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on PATH"),
]


def values(*, database: bool = True, migrations: bool = True, **own: Any) -> dict[str, Any]:
    contract = contract_values(
        image=PLACEHOLDER_IMAGE,
        ref="feature/test",
        revision="0" * 40,
        env_secret="env-1",
        database=database,
        migrations=migrations,
        names=Variables(),
    )
    return {**own, **contract}


def render(given: dict[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["helm", "template", "shop-feature-test", str(CHART), "--values", "-"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_its_schema_takes_exactly_the_contract() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["required"]) == CONTRACT_VALUES - {"access"}
    merged = {**yaml.safe_load((CHART / "values.yaml").read_text()), **values()}
    jsonschema.validate(merged, schema)
    with pytest.raises(jsonschema.ValidationError, match="does not match"):
        jsonschema.validate({**merged, "image": "registry.test/app:latest"}, schema)
    with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
        jsonschema.validate({**merged, "wbe": {}}, schema)


class TestRendered:
    pytestmark = needs_helm

    def test_it_is_one_deployment_and_the_service_of_the_url(self) -> None:
        kinds = {document["kind"]: document for document in render(values())}
        assert set(kinds) == {"Deployment", "Service"}
        assert kinds["Service"]["metadata"]["name"] == "shop-feature-test"
        assert kinds["Service"]["spec"]["type"] == "LoadBalancer"
        pod = kinds["Deployment"]["spec"]["template"]
        assert pod["metadata"]["labels"][PUBLIC_LABEL] == "true"
        assert kinds["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()

    @pytest.mark.parametrize(
        ("database", "migrations", "command", "there"),
        [
            (True, True, ["migrate"], True),
            (True, True, [], False),
            (True, False, ["migrate"], False),
            (False, True, ["migrate"], False),
        ],
    )
    def test_migrations_run_where_there_are_any(
        self, database: bool, migrations: bool, command: list[str], there: bool
    ) -> None:
        jobs = [
            document
            for document in render(values(database=database, migrations=migrations, migrate={"command": command}))
            if document["kind"] == "Job"
        ]
        assert bool(jobs) == there
        for job in jobs:
            assert job["metadata"]["annotations"] == {
                "helm.sh/hook": "pre-install,pre-upgrade",
                "helm.sh/hook-delete-policy": "before-hook-creation",
            }

    def test_every_pod_passes_the_restricted_standard_and_has_limits(self) -> None:
        given = values(migrate={"command": ["migrate", "--all"]}, web={"command": ["serve"], "port": 3000})
        pods = [
            document["spec"]["template"]["spec"]
            for document in render(given)
            if document["kind"] in ("Deployment", "Job")
        ]
        assert len(pods) == 2
        for pod in pods:
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert pod["automountServiceAccountToken"] is False
            for container in pod["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert set(container["resources"]) == {"requests", "limits"}
                assert container["image"] == PLACEHOLDER_IMAGE
                assert container["envFrom"] == [{"secretRef": {"name": "env-1"}}]

    def test_nothing_of_it_reaches_beyond_its_environment(self) -> None:
        rendered = render(values(migrate={"command": ["migrate"]}))
        assert out_of_bounds("shop-feature-test", rendered, Isolation()) is None

    @pytest.mark.parametrize(("asleep", "replicas"), [(True, 0), (False, 2)])
    def test_asleep_nothing_runs(self, asleep: bool, replicas: int) -> None:
        (web,) = (d for d in render({**values(web={"replicas": 2}), "asleep": asleep}) if d["kind"] == "Deployment")
        assert web["spec"]["replicas"] == replicas

    def test_the_branchs_own_port_and_command(self) -> None:
        given = values(web={"command": ["serve", "--all"], "port": 3000})
        (web,) = (d["spec"]["template"]["spec"]["containers"][0] for d in render(given) if d["kind"] == "Deployment")
        assert web["command"] == ["serve", "--all"]
        assert web["ports"] == [{"name": "http", "containerPort": 3000}]
