"""Which proxy the environment puts before an address, as the AWS SDK and the registry clients read it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

# Of the two, the one that is the same on every system.
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from deploytag.address import AddressError, HostPort
from deploytag.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it."""

    address: HostPort
    variable: str


def proxy_of(address: HostPort, scheme: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for `scheme` to `address`, unless NO_PROXY excepts it.

    Raises:
        SettingsError: the variable names no address. It is not repeated: it may hold a password.
    """
    variable, url = _first(environ, f"{scheme}_proxy")
    _, excepted = _first(environ, "no_proxy")
    if not url or proxy_bypass_environment(str(address), {"no": excepted}):
        return None
    try:
        # Go's clients take `proxy.test:3128` for `http://proxy.test:3128`.
        return Proxy(HostPort.of_url(url if "://" in url else f"http://{url}"), variable)
    except AddressError:
        raise SettingsError(f"{variable} cannot be used: write http://HOST:PORT, or unset it.") from None


def _first(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """The variable in lower or upper case, and what it says."""
    variable = name if environ.get(name) else name.upper()
    return variable, environ.get(variable, "")
