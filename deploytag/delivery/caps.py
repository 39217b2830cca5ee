"""How much there is of what the policy's `caps` limit, and whether one more environment would be too much. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from deploytag.delivery.inventory.things import Connections, Inventory, Kind
from deploytag.errors import SettingsError
from deploytag.identity import identify
from deploytag.settings import Caps, EnvironmentClass, Limits, Policy, number_of

LISTED = 5
"""How many environments are proposed to go."""


@dataclass(frozen=True, slots=True)
class Present:
    """An environment that exists, or that a run is making."""

    ref: str
    class_name: str | None
    """None: it was made by hand, and no pattern takes its branch."""
    pushed: datetime | None
    """None: nobody remembers."""
    asleep: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is."""

    environments: tuple[Present, ...]
    connections: Connections | None
    """None: no database server is named."""
    unmade: int = 0
    """Connections of environments whose role is not made yet."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one thing is used."""

    what: str
    used: Decimal
    cap: Decimal | None
    """None: any number is allowed."""

    def __str__(self) -> str:
        """`12 of 50 environments`, `16.5 of 16 processors`."""
        # Rounded apart, so that what is beyond its cap by little does not read as if it were equal.
        capped = "" if self.cap is None else f" of {_rounded(self.cap, ROUND_FLOOR)}"
        return f"{_rounded(self.used, ROUND_CEILING)}{capped} {self.what}"


def _rounded(number: Decimal, how: str) -> str:
    return f"{number.quantize(Decimal('0.01'), how).normalize():f}"


def facts(
    project: str, found: Inventory, connections: Connections | None, policy: Policy, *, newcomer: str | None = None
) -> Facts:
    """What an inventory and the database server say of it.

    Args:
        newcomer: a ref of which a record is no environment yet: the run that asks may have written it just now.
    """
    environments = tuple(
        _present(ref, found, policy)
        for ref, items in found.environments.items()
        if {item.kind for item in items} - {Kind.BACKUP, *([Kind.RECORD] if ref == newcomer else [])}
    )
    limits = connections.limits if connections else {}
    unmade = sum(
        cls.limits.database_connections
        for it in environments
        if (cls := _class(it, policy)) and cls.database and identify(project, it.ref).role not in limits
    )
    return Facts(environments, connections, unmade)


def _present(ref: str, found: Inventory, policy: Policy) -> Present:
    record = found.records.get(ref)
    if record is not None and record.environment_class is not None:
        return Present(ref, record.environment_class, record.pushed, record.asleep is True)
    try:
        return Present(ref, policy.class_name_of(ref), record.pushed if record else None)
    except SettingsError:
        return Present(ref, None, None)


def _class(it: Present, policy: Policy) -> EnvironmentClass | None:
    return policy.classes.get(it.class_name) if it.class_name else None


def uses(known: Facts, policy: Policy) -> tuple[Use, ...]:
    """Everything that is counted."""
    return tuple(_uses(known, policy, {}))


def refusal(ref: str, class_name: str, known: Facts, policy: Policy) -> str | None:
    """Why `ref` can have no environment now; None when it can, or has one."""
    if any(it.ref == ref for it in known.environments):
        return None
    cls = policy.classes[class_name]
    more = {
        ENVIRONMENTS: Decimal(1),
        _of_class(class_name): Decimal(1),
        CONNECTIONS: Decimal(cls.limits.database_connections if cls.database else 0),
        **{limited.what: limited.of(cls.limits) for limited in LIMITED if limited.cap(policy.caps) is not None},
    }
    over = [use for use in _uses(known, policy, more) if use.cap is not None and use.used > use.cap]
    # What it does not take more of is no reason, however far beyond its cap it is.
    over = [use for use in over if more.get(use.what)]
    if not over:
        return None
    helpful = [it for it in known.environments if _would_help(it, over, policy)]
    needed = "; ".join(f"with it there would be {use}" for use in over)
    return "\n  ".join(
        [
            f"{ref} gets no environment: {needed}. Nothing was made. Longest without a push:",
            *(_said(it) for it in idlest(helpful, policy)),
            "Remove one (`deploytag destroy BRANCH`), collect what is due (`deploytag gc --yes`), or raise `caps` in "
            "the policy, then push again.",
        ]
    )


def _would_help(it: Present, over: Iterable[Use], policy: Policy) -> bool:
    """Whether any of what there is too much of would be less without it."""
    cls = _class(it, policy)
    held = {ENVIRONMENTS, _of_class(it.class_name or ""), *(limited.what for limited in LIMITED)}
    if cls is None or cls.database:
        held.add(CONNECTIONS)
    return any(use.what in held for use in over)


def idlest(environments: Iterable[Present], policy: Policy) -> list[Present]:
    """Those that nobody pushed to for the longest time; none that is protected."""
    candidates = [it for it in environments if not ((cls := _class(it, policy)) and cls.protected)]
    # What nobody remembers was made by hand: it is nobody's to propose before what is known to be idle.
    return sorted(candidates, key=lambda it: (it.pushed is None, it.pushed or datetime.min, it.ref))[:LISTED]


@dataclass(frozen=True, slots=True)
class Limited:
    """What the quota of each environment limits, so that their sum is known before any of it is used."""

    what: str
    cap: Callable[[Caps], Decimal | None]
    of: Callable[[Limits], Decimal]
    """How much one environment may take."""


ENVIRONMENTS = "environments"
CONNECTIONS = "database connections"
GIB = 1 << 30


def _of_class(name: str) -> str:
    return f"environments of the class {name}"


def _gib(quantity: str) -> Decimal:
    return (number_of(quantity) / GIB).normalize()


LIMITED = (
    Limited("load balancers", lambda caps: _whole(caps.load_balancers), lambda limits: Decimal(limits.load_balancers)),
    Limited("processors", lambda caps: number_of(caps.cpu) if caps.cpu else None, lambda limits: number_of(limits.cpu)),
    Limited("GiB of memory", lambda caps: _gib(caps.memory) if caps.memory else None, lambda it: _gib(it.memory)),
    Limited("pods", lambda caps: _whole(caps.pods), lambda limits: Decimal(limits.pods)),
)


def _whole(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number)


def _uses(known: Facts, policy: Policy, more: Mapping[str, Decimal]) -> Iterator[Use]:
    caps, present = policy.caps, known.environments

    def use(what: str, used: Decimal | int, cap: Decimal | int | None) -> Use:
        return Use(what, used + more.get(what, Decimal(0)), None if cap is None else Decimal(cap))

    yield use(ENVIRONMENTS, len(present), caps.environments)
    for name, number in caps.classes.items():
        yield use(_of_class(name), sum(it.class_name == name for it in present), number)
    limits = [cls.limits if (cls := _class(it, policy)) else Limits() for it in present]
    for limited in LIMITED:
        if (cap := limited.cap(caps)) is not None:
            yield use(limited.what, sum((limited.of(it) for it in limits), Decimal(0)), cap)
    if known.connections is not None:
        promised = known.connections.promised + known.unmade
        yield use(CONNECTIONS, promised, caps.database_connections or known.connections.available)


def _said(it: Present) -> str:
    pushed = f"pushed {it.pushed:%Y-%m-%d %H:%M} UTC" if it.pushed else "made by hand"
    return f"{it.ref}, {pushed}{', asleep' if it.asleep else ''}"
