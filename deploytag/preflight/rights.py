"""Who may deploy the project, as the cluster's administrator said; and when a new namespace's rights hold."""

from collections.abc import Mapping
from functools import partial

from kubernetes.client.exceptions import ApiException
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential
from urllib3.exceptions import HTTPError

from deploytag.api import ACCESS_REVIEWS, ROLE_BINDINGS, Api
from deploytag.errors import UnreachableError
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.preflight.cluster import ONE_REQUEST, TIMEOUT, connect
from deploytag.preflight.endpoints import kubeconfig_path
from deploytag.preflight.patience import ask
from deploytag.rights import ENVIRONMENT_ROLE, Subject, project_rights

PATIENCE = 20.0
"""Seconds until a new RoleBinding must have reached the API server's authorizer: usually some milliseconds."""


async def deployers(api: Api, project: str) -> tuple[Subject, ...] | None:
    """Whom the administrator named for the project.

    None: nobody, or this user may not see it. Then its rights come from elsewhere, and no RoleBinding is needed.

    Raises:
        UnreachableError: the API server does not say.
    """
    try:
        return await ask(TIMEOUT, partial(named, api, project))
    except (TimeoutError, ApiException, HTTPError) as error:
        raise UnreachableError(
            f"the Kubernetes API server at {api.host} does not say who may deploy {project}: "
            f"{getattr(error, 'reason', None) or error or 'no answer'}. Nothing was touched."
        ) from None


def named(api: Api, project: str) -> tuple[Subject, ...] | None:
    """The same, for callers that wait by themselves.

    Raises:
        ApiException, urllib3.exceptions.HTTPError: the API server does not say.
    """
    try:
        found = api.find(ROLE_BINDINGS, project_rights(project), SYSTEM_NAMESPACE, timeout=ONE_REQUEST)
    except ApiException as error:
        if error.status == 403:
            return None
        raise
    if found is None:
        return None
    return tuple(Subject(it["kind"], it["name"], it.get("namespace")) for it in found.get("subjects") or ())


async def await_effective(namespace: str, environ: Mapping[str, str]) -> None:
    """Wait until this user may work in `namespace`, whose RoleBinding has just been made.

    The API server's authorizer learns of it a moment later, and the provider does not try again what is forbidden.

    Raises:
        UnreachableError: it still may not after a while.
    """
    api, _ = await ask(TIMEOUT, partial(connect, kubeconfig_path(environ)))
    await ask(PATIENCE + ONE_REQUEST, partial(until_effective, api, namespace))


def until_effective(api: Api, namespace: str) -> None:
    """The same, for callers that have a connection and wait by themselves.

    Raises:
        UnreachableError: as `await_effective`.
        ApiException: the API server does not say.
    """
    tries = Retrying(
        retry=retry_if_result(lambda allowed: not allowed),
        stop=stop_after_delay(PATIENCE),
        wait=wait_exponential(multiplier=0.01, max=1),
    )
    try:
        tries(may_work_in, api, namespace)
    except RetryError:
        raise UnreachableError(
            f"the kubeconfig's user may not work in the namespace {namespace}, though the ClusterRole "
            f"{ENVIRONMENT_ROLE} is bound there. `deploytag doctor` says what is wrong with its rights."
        ) from None


def may_work_in(api: Api, namespace: str) -> bool:
    """Whether this user may do there what is done in an environment.

    Raises:
        ApiException: the API server does not say.
    """
    return may(api, timeout=ONE_REQUEST, verb="create", resource="secrets", namespace=namespace)


def may(api: Api, *, timeout: float, **attributes: str | None) -> bool:
    """Whether this user may do something.

    Args:
        api: whom to ask.
        timeout: seconds.
        attributes: the action, as a SelfSubjectAccessReview's `resourceAttributes` have it.

    Raises:
        ApiException, urllib3.exceptions.HTTPError: the API server does not say.
    """
    wanted = {name: value for name, value in attributes.items() if value is not None}
    review = {"metadata": {}, "spec": {"resourceAttributes": wanted}}
    answer = api.create(ACCESS_REVIEWS, review, timeout=timeout).item
    return bool((answer.get("status") or {}).get("allowed"))
