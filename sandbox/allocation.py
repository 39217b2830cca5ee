"""Which Service of type LoadBalancer gets which address: a pure decision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """A Service that wants an address from outside the cluster."""

    namespace: str
    name: str
    # What its status says it has, and what its spec asks for.
    has: str = ""
    asks: str = ""


@dataclass(frozen=True)
class Allocation:
    """The addresses to write, and the Services for which there is none."""

    given: dict[Wish, str]
    refused: dict[Wish, str]


def allocate(wishes: Iterable[Wish], pool: Sequence[str]) -> Allocation:
    """Leave every valid address where it is; give the others the one asked for, or the first free one."""
    ordered = sorted(wishes, key=lambda wish: (wish.namespace, wish.name))
    holders: dict[str, Wish] = {}
    pending = []
    for wish in ordered:
        if wish.has in pool and wish.has not in holders and wish.asks in ("", wish.has):
            holders[wish.has] = wish
        else:
            pending.append(wish)
    given: dict[Wish, str] = {}
    refused: dict[Wish, str] = {}
    # Who asks for a certain address is served before somebody else gets it by chance.
    for wish in sorted(pending, key=lambda wish: not wish.asks):
        free = [address for address in pool if address not in holders]
        if wish.asks and wish.asks not in pool:
            refused[wish] = f"{wish.asks} is not one of the sandbox's addresses, {pool[0]} to {pool[-1]}"
        elif wish.asks and wish.asks not in free:
            other = holders[wish.asks]
            refused[wish] = f"{wish.asks} belongs to the Service {other.namespace}/{other.name}"
        elif not free:
            refused[wish] = f"all {len(pool)} addresses from {pool[0]} to {pool[-1]} are taken"
        else:
            given[wish] = wish.asks or free[0]
            holders[given[wish]] = wish
    return Allocation(given, refused)
