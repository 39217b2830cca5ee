"""The offline aws plugin, as far as it goes without a service."""

import pytest

from sandbox.plugins.aws.provider import AwsProvider
from sandbox.plugins.aws.secrets import GET_SECRET_VERSION
from sandbox.plugins.aws.settings import Settings
from sandbox.plugins.provider import InvalidInputError, InvokeRequest, Secret


def test_region_and_profile_come_from_settings_then_environment() -> None:
    environment = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2", "AWS_PROFILE": "work"}

    assert Settings.read({}, environment).region == "eu-west-1"
    assert Settings.read({"region": "us-east-1"}, environment).region == "us-east-1"
    assert Settings.read({}, {"AWS_DEFAULT_REGION": "eu-west-2"}).region == "eu-west-2"
    assert Settings.read({}, environment).profile == "work"


@pytest.mark.parametrize(
    "endpoints",
    ['[{"secretsmanager": "http://aws.test"}, {"sts": "http://sts.test"}]', [{"secretsmanager": "http://aws.test"}]],
)
def test_endpoints_may_be_json_text_or_values(endpoints: object) -> None:
    assert Settings.read({"endpoints": endpoints}, {}).endpoint == "http://aws.test"


def test_keys_are_not_in_the_representation() -> None:
    settings = Settings.read({"accessKey": "id", "secretKey": Secret("hush"), "token": Secret("quiet")}, {})

    assert (settings.secret_key, settings.token) == ("hush", "quiet")
    assert "hush" not in repr(settings)
    assert "quiet" not in repr(settings)


def test_endpoints_of_another_form_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="aws:endpoints"):
        Settings.read({"endpoints": '"http://aws.test"'}, {})


def test_a_setting_that_is_not_supported_is_refused() -> None:
    config = {"region": "us-east-1", "skipMetadataApiCheck": "true", "assumeRoles": "[]"}

    assert [failure.property for failure in AwsProvider().check_config(dict(config))] == ["assumeRoles"]


@pytest.mark.parametrize("token", ["aws:s3/getBucket:getBucket", "aws:secretsmanager/getSecret:getSecret"])
def test_another_function_is_refused_with_the_way_to_the_official_plugin(token: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{token}.*DEPLOYTAG_PLUGINS"):
        AwsProvider().invoke(InvokeRequest(token, {}, preview=False))


def test_a_resource_is_refused_with_the_way_to_the_official_plugin() -> None:
    with pytest.raises(InvalidInputError, match=r"aws:s3/bucket:Bucket.*DEPLOYTAG_PLUGINS"):
        AwsProvider().resource("aws:s3/bucket:Bucket")


@pytest.mark.parametrize("arguments", [{}, {"secretId": ""}, {"secretId": "app", "colour": "red"}])
def test_wrong_arguments_are_refused(arguments: dict[str, object]) -> None:
    provider = AwsProvider()
    provider.configure({"region": "us-east-1"})

    with pytest.raises(InvalidInputError, match="getSecretVersion"):
        provider.invoke(InvokeRequest(GET_SECRET_VERSION, dict(arguments), preview=False))
