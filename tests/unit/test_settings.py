"""`deploytag.yaml` and `deploytag.policy.yaml`: what is refused, and how it is said."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from deploytag.contract import ContractValues
from deploytag.errors import SettingsError
from deploytag.settings import (
    CONTRACT_VALUES,
    POLICY_FILE,
    SETTINGS_FILE,
    ApplicationSettings,
    EnvironmentClass,
    Policy,
    SecretSource,
    Settings,
    number_of,
)

REPOSITORY = Path(__file__).parents[2]
CLASS = {"pattern": "feature/*", "secrets": ["staging/app"], "database_key": "staging/key"}
POLICY = {"cluster": {"server": "https://cluster.test:6443"}, "classes": {"feature": CLASS}}


def load(folder: Path, application: object = None, policy: object = POLICY) -> Settings:
    (folder / SETTINGS_FILE).write_text(yaml.safe_dump(application or {}))
    (folder / POLICY_FILE).write_text(yaml.safe_dump(policy, sort_keys=False))
    return Settings.load(folder)


def complaints(folder: Path, application: object = None, policy: object = POLICY) -> str:
    with pytest.raises(SettingsError) as raised:
        load(folder, application, policy)
    return str(raised.value)


def test_the_repositorys_own_files_are_valid() -> None:
    settings = Settings.load(REPOSITORY)
    assert settings.policy.class_of("feature/test").secrets == (SecretSource(id="staging/app"),)
    assert settings.application.chart.path == "charts/app"


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    (tmp_path / POLICY_FILE).write_text(yaml.safe_dump(POLICY))
    (tmp_path / SETTINGS_FILE).write_text("# nothing to say\n")
    assert Settings.load(tmp_path).application == ApplicationSettings()


def test_every_complaint_is_said_at_once_with_its_key_and_what_is_allowed(tmp_path: Path) -> None:
    said = complaints(
        tmp_path,
        {"images": {"app": {"dokerfile": "Dockerfile"}}, "chart": {"timeout": "soon"}},
        {"cluster": {}, "classes": {"feature": {**CLASS, "ttl": "fortnight"}, "Bug": CLASS}},
    )
    assert f"{SETTINGS_FILE}: images.app.dokerfile: unknown key; allowed here: base_arg, context, dockerfile" in said
    assert f"{SETTINGS_FILE}: chart.timeout: " in said
    assert f"{POLICY_FILE}: cluster: needs `server`, `ca_sha256` or both" in said
    assert f"{POLICY_FILE}: classes.feature.ttl: " in said
    assert f"{POLICY_FILE}: classes.Bug" in said
    assert "nothing was touched" in said


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"database": False}, "migrations need a database"),
        ({"database_key": None}, "a database needs `database_key`"),
        ({"protected": True, "ttl": "14d"}, "a protected class is never collected"),
        ({"pattern": "feature//x"}, "can match no branch"),
        ({"limits": {"memory": "much"}}, "limits.memory"),
        ({"secrets": [""]}, "feature.secrets.0.id"),
        ({"secrets": "staging/app"}, "feature.secrets: must be a list"),
        ({"secrets": None}, "[] is none, by choice"),
        ({"secrets": ["a", "b", "a"]}, "feature.secrets: names a more than once"),
        ({"secrets": [{"id": "a", "stage": "AWSPREVIOUS", "version": "1"}]}, "by its `stage` or by its `version`"),
        ({"secrets": [{"id": "a", "keys": {"x": "A", "y": "A"}}]}, "several keys the same name: A"),
        ({"secrets": [{"id": "a", "keys": {"x": "A-B"}}]}, "feature.secrets.0.keys.x"),
        ({"secrets": [{"id": "a", "keys": {}}]}, "feature.secrets.0.keys"),
        ({"secrets": [{"id": "a", "mapping": {}}]}, "feature.secrets.0.mapping: unknown key; allowed here: id, keys"),
        ({"database_key": ""}, "feature.database_key"),
        ({"limits": {"load_balancers": 0}}, "limits.load_balancers"),
        ({"limits": {"container": {"memory": "32Mi"}}}, "memory_request is 64Mi, which is more than the limit"),
        ({"limits": {"container": {"cpu": "9m"}}}, "cpu_request is 10m"),
        ({"isolation": {"cluster_cidrs": ["10.0.0.1/8"]}}, "isolation.cluster_cidrs.0: must be a range of addresses"),
        ({"isolation": {"database_cidrs": [10]}}, "isolation.database_cidrs.0"),
        ({"isolation": {"dns_cidrs": ["0.0.0.0/0"]}}, "must be narrower than all addresses"),
        ({"isolation": {"allow": [{"cidr": "10.0.0.0/8", "ports": []}]}}, "isolation.allow.0.ports"),
        ({"isolation": {"allow": [{"cidr": "10.0.0.0/8", "ports": [0]}]}}, "isolation.allow.0.ports.0"),
        ({"isolation": {"pod_security": "privileged"}}, "isolation.pod_security"),
    ],
)
def test_impossible_classes_are_refused(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    said = complaints(tmp_path, policy={**POLICY, "classes": {"feature": {**CLASS, **change}}})
    assert sentence in said


@pytest.mark.parametrize(
    ("key", "shown"), [("\n", r"'\n'"), ("a\nb: allowed", r"'a\nb: allowed'"), ("", "''"), ("\x1b[2J", r"'\x1b[2J'")]
)
def test_a_key_that_is_no_text_for_a_line_is_quoted(tmp_path: Path, key: str, shown: str) -> None:
    assert f"{SETTINGS_FILE}: images.{shown}: unknown key; " in complaints(tmp_path, {"images": {key: 1}})


@pytest.mark.parametrize("name", ["protected", "limits", "feature"])
def test_a_class_may_be_named_like_a_key(tmp_path: Path, name: str) -> None:
    """The name of a class is no field, whatever it is called."""
    classes = {name: {**CLASS, "limits": {"ram": "1Gi"}, "sekrets": "x"}}
    said = complaints(tmp_path, policy={**POLICY, "classes": classes})
    assert f"classes.{name}.sekrets: unknown key; allowed here: " in said
    assert f"classes.{name}.limits.ram: unknown key; allowed here: container, cpu, database_connections" in said


def test_a_directory_in_a_files_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).mkdir()
    with pytest.raises(SettingsError, match=rf"{SETTINGS_FILE}: cannot be read: Is a directory"):
        Settings.load(tmp_path)


def test_the_absence_of_a_secret_must_be_a_choice(tmp_path: Path) -> None:
    without = {key: value for key, value in CLASS.items() if key != "secrets"}
    said = complaints(tmp_path, policy={**POLICY, "classes": {"feature": without}})
    assert "classes.feature.secrets: required" in said
    load(tmp_path, policy={**POLICY, "classes": {"feature": {**without, "secrets": []}}})


@pytest.mark.parametrize("later", ["feature/*", "feature/vip/*", "feature/one", "feature/*x"])
def test_a_class_that_no_branch_reaches_is_refused(tmp_path: Path, later: str) -> None:
    classes = {"feature": CLASS, "other": {**CLASS, "pattern": later}}
    said = complaints(tmp_path, policy={**POLICY, "classes": classes})
    assert "no branch ever belongs to the class other: feature/*, earlier in the table" in said
    if later != "feature/*":
        load(tmp_path, policy={**POLICY, "classes": dict(reversed(classes.items()))})


def test_what_is_no_yaml_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / POLICY_FILE).write_text(yaml.safe_dump(POLICY))
    for text in ("images: {", "images: {}\nimages: {}\n"):
        (tmp_path / SETTINGS_FILE).write_text(text)
        with pytest.raises(SettingsError, match=rf"{SETTINGS_FILE}: cannot be used: line \d+: "):
            Settings.load(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.load(tmp_path)
    assert f"{SETTINGS_FILE}: there is no such file in {tmp_path}; `deploytag init` writes one" in str(raised.value)
    assert f"{POLICY_FILE}: there is no such file in {tmp_path}; `deploytag init` writes one" in str(raised.value)


@pytest.mark.parametrize("path", ["/etc/passwd", "../secrets", "charts/../../x"])
def test_paths_stay_inside_the_repository(tmp_path: Path, path: str) -> None:
    assert "must be a path inside the repository" in complaints(tmp_path, {"chart": {"path": path}})


def test_chart_values_of_the_contract_are_the_programs(tmp_path: Path) -> None:
    assert "values image, revision are given by the program" in complaints(
        tmp_path, {"chart": {"values": {"revision": "x", "image": "y", "web": {}}}}
    )
    assert set(ContractValues.__annotations__) == CONTRACT_VALUES


def test_a_value_in_the_wrong_place_is_never_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in complaints(tmp_path, {"chart": {"timeout": "hunter2"}, "tests": "hunter2"})


def policy(**patterns: str) -> Policy:
    classes = {name: {**CLASS, "pattern": pattern} for name, pattern in patterns.items()}
    return Policy.model_validate({**POLICY, "classes": classes})


@pytest.mark.parametrize(
    ("ref", "name"),
    [("feature/a", "feature"), ("feature/a/b/c", "feature"), ("feature/vip/x", "vip"), ("main", "long-lived")],
)
def test_the_first_class_that_matches_wins(ref: str, name: str) -> None:
    table = policy(vip="feature/vip/*", feature="feature/*", **{"long-lived": "main"})
    assert table.class_of(ref) is table.classes[name]


@pytest.mark.parametrize("ref", ["feature", "features/a", "docs/readme", "Feature/a", "mainline"])
def test_a_branch_of_no_class_is_told_which_deploy(ref: str) -> None:
    with pytest.raises(SettingsError, match=r"feature/\*, main are"):
        policy(feature="feature/*", main="main").class_of(ref)


def test_schemas_describe_every_key() -> None:
    for model in (ApplicationSettings, Policy):
        schema = model.model_json_schema()
        assert schema["additionalProperties"] is False
    assert EnvironmentClass.model_json_schema()["properties"]["ttl"]["description"]


def test_classes_share_a_repository_unless_they_name_one() -> None:
    classes = {name: {**CLASS, "pattern": name} for name in ("one", "two", "three")}
    classes["three"]["image_repository"] = "shop-production/images"
    policy = Policy.model_validate({**POLICY, "classes": classes})
    assert policy.image_repositories("shop") == ["shop", "shop-production/images"]


@pytest.mark.parametrize(
    "path", ["", "/shop", "shop/", "Shop", "../shop", "a//b", "registry.test:5000/shop", "a" * 201]
)
def test_a_repository_is_a_path_below_the_registry(path: str) -> None:
    with pytest.raises(ValueError, match="image_repository"):
        EnvironmentClass.model_validate({**CLASS, "image_repository": path})


@given(st.from_regex(r"\A[0-9]{1,6}(\.[0-9]{1,6})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?\Z"))
def test_a_quantity_is_the_number_that_kubernetes_takes_it_for(text: str) -> None:
    assert number_of(text) == parse_quantity(text)  # type: ignore[no-untyped-call]
