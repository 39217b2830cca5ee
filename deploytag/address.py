"""Host and port, in the one way they are read everywhere. Pure.

People write addresses in many ways, and each mistake is theirs to put right: so `AddressError` says what is wrong with
the text, and who knows where the text comes from makes a sentence of it.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from deploytag.identity import Identity

DEFAULT_PORTS = {"https": 443, "http": 80}


class AddressError(ValueError):
    """What is wrong with a text that should be an address, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where a TCP connection goes."""

    host: str
    """A name or an IP address, IPv6 without its brackets."""
    port: int

    def __str__(self) -> str:
        """`host:port`, as `parse_host_port` reads it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def of_url(cls, url: str) -> Self:
        """The address in an `http://` or `https://` URL, with the scheme's own port where it names none.

        Raises:
            AddressError: it is no such URL.
        """
        try:
            parts = urlsplit(url)
        except ValueError as error:  # brackets without an IPv6 address in them
            raise AddressError(f"{url!r} is no URL: {error}") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
            raise AddressError(f"{url!r} is no URL: it must begin with http:// or https:// and name a host")
        found = parse_host_port(parts.netloc.rpartition("@")[2], DEFAULT_PORTS[parts.scheme])
        return cls(found.host, found.port)


def parse_host_port(text: str, default_port: int | None = None) -> HostPort:
    """The address in `host`, `host:port` or `[IPv6]:port`.

    Raises:
        AddressError: it is none, or names no port and there is no default.
    """
    if "/" in text or "@" in text:
        raise AddressError(f"{text!r} is no host:port: write HOST:PORT, without https://")
    host, port = _split(text)
    if not _is_host(host):
        raise AddressError(f"{text!r} names no host")
    if port is None and default_port is None:
        raise AddressError(f"{text!r} names no port: write {host}:PORT")
    return HostPort(host, parse_port(port) if port is not None else default_port or 0)


def parse_port(text: str) -> int:
    """A TCP port.

    Raises:
        AddressError: it is none.
    """
    if re.fullmatch(r"0*[0-9]{1,5}", text) and 0 < int(text[-5:]) < 65536:
        return int(text[-5:])
    raise AddressError(f"{text!r} is no port: a number from 1 to 65535 is")


def host_of(wildcard: str, identity: Identity) -> str:
    """The environment's own host: its name in place of the star of `*.preview.example.org`."""
    return wildcard.replace("*", identity.host, 1)


def url_of_host(host: str, *, tls: bool) -> str:
    """What a browser asks an ingress controller for."""
    return f"{'https' if tls else 'http'}://{host}"


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressError(f"{text!r} is no host:port: write an IPv6 address in brackets, [::1]:443")
        return host, rest.removeprefix(":") if rest else None
    host, colon, port = text.partition(":")
    if ":" in port:
        raise AddressError(f"{text!r} is no host:port: write an IPv6 address in brackets, [::1]:443")
    return host, port if colon else None


def _is_host(host: str) -> bool:
    try:
        # As the resolver will spell it: labels of 1 to 63 characters.
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host) and not any(character.isspace() for character in host)
