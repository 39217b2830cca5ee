"""The host's side of the network: one cable into the sandbox, one route, one table of rules.

Everything else (bridges, addresses, the rules of kube-proxy and CNI) is made inside the sandbox's network namespace
and disappears with it.
"""

import json
import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_address
from pathlib import Path

from sandbox.config import Config
from sandbox.errors import SandboxError
from sandbox.render import render

HOST_LINK = "dt0"
INNER_LINK = "dt1"
TABLE = "deploytag"
COMMENT = "deploytag-sandbox"
# A VPN that takes everything has routes to half of all addresses each; our own, much narrower ones come before them.
WIDEST = 8


def run(*command: str, text: str | None = None, check: bool = True) -> str:
    """Run a tool of the system and return what it printed."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        # `down` comes before the packages when nothing was ever started.
        if not check:
            return ""
        raise SandboxError(
            f"`{' '.join(command)}` failed: there is no such program. `python -m sandbox up` installs what it needs."
        ) from None
    if check and done.returncode:
        raise SandboxError(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def routes() -> list[tuple[str, str]]:
    """Destinations the host has routes to, except the default one and our own, with their devices."""
    listed = json.loads(run("ip", "-json", "-4", "route", "show", "table", "main") or "[]")
    return [(r["dst"], r.get("dev", "?")) for r in listed if r["dst"] != "default" and r.get("dev") != HOST_LINK]


def uplinks() -> list[str]:
    """The devices that lead out of this machine."""
    listed = json.loads(run("ip", "-json", "-4", "route", "show", "default") or "[]")
    return sorted({route["dev"] for route in listed if "dev" in route})


def conflicts(config: Config, used: Iterable[tuple[str, str]], nameservers: Iterable[str]) -> list[str]:
    """What on this host stands in the way of the configured subnets, as sentences."""
    found = []
    for destination, device in used:
        network = IPv4Network(destination, strict=False)
        if network.prefixlen < WIDEST:
            continue
        found += [
            f"{key} {ours} is in use: the host has a route to {destination} on {device}."
            for key, ours in (("subnet", config.subnet), ("link", config.link))
            if ours.overlaps(network)
        ]
    for server in nameservers:
        found += [
            f"{key} {ours} contains the host's nameserver {server}, which the sandbox could then not reach."
            for key, ours in (("pods", config.pods), ("services", config.services), ("subnet", config.subnet))
            if ip_address(server) in ours
        ]
    return found


def attached(config: Config) -> bool:
    """Whether the cable is plugged in and the route leads through it."""
    listed = json.loads(run("ip", "-json", "-4", "route", "show", str(config.subnet), check=False) or "[]")
    return any(route.get("dev") == HOST_LINK for route in listed) and bool(
        run("nft", "list", "table", "ip", TABLE, check=False)
    )


def attach(pid: int, config: Config) -> None:
    """Plug the cable into the network namespace of `pid` and route its subnet there."""
    commands = [
        f"link add {HOST_LINK} type veth peer name {INNER_LINK} netns {pid}",
        f"address add {config.host_end}/{config.link.prefixlen} dev {HOST_LINK}",
        f"link set {HOST_LINK} up",
        f"route add {config.subnet} via {config.inner_end} dev {HOST_LINK}",
    ]
    run("ip", "-batch", "-", text="\n".join(commands) + "\n")
    Path(f"/proc/sys/net/ipv4/conf/{HOST_LINK}/forwarding").write_text("1")
    run("nft", "-f", "-", text=render("host.nft.j2", config=config, host_link=HOST_LINK))
    if _drops_forwarded():
        for direction in ("-i", "-o"):
            run("iptables", "-I", "FORWARD", *_accept(direction))


def detach() -> None:
    """Take back everything `attach` did; what is not there is no error."""
    run("ip", "link", "delete", HOST_LINK, check=False)
    run("nft", "delete", "table", "ip", TABLE, check=False)
    if _has_forward_chain():
        for direction in ("-i", "-o"):
            while (
                subprocess.run(
                    ["iptables", "-D", "FORWARD", *_accept(direction)], capture_output=True, check=False
                ).returncode
                == 0
            ):
                continue


def _accept(direction: str) -> list[str]:
    return [direction, HOST_LINK, "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT"]


def _forward_chain() -> str:
    return run("nft", "list", "chain", "ip", "filter", "FORWARD", check=False)


def _has_forward_chain() -> bool:
    return bool(_forward_chain())


def _drops_forwarded() -> bool:
    # Docker and ufw set this policy; a drop there is final, whatever our own table says.
    return "policy drop" in _forward_chain()
