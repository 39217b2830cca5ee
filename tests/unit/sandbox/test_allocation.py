from hypothesis import given
from hypothesis import strategies as st

from sandbox.allocation import Wish, allocate

POOL = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]

addresses = st.sampled_from(["", *POOL, "10.9.9.9"])
wishes = st.lists(
    st.builds(Wish, st.sampled_from("ab"), st.sampled_from("cdefg"), addresses, addresses),
    unique_by=lambda wish: (wish.namespace, wish.name),
)


def final(all_of_them: list[Wish]) -> dict[Wish, str]:
    decided = allocate(all_of_them, POOL)
    return {wish: decided.given.get(wish, wish.has) for wish in all_of_them if wish not in decided.refused}


def test_the_first_free_address_is_given() -> None:
    first, second = Wish("a", "one"), Wish("a", "two", has="10.0.0.1")
    assert allocate([first, second], POOL).given == {first: "10.0.0.2"}


def test_an_address_is_kept_over_restarts() -> None:
    assert allocate([Wish("a", "one", has="10.0.0.3"), Wish("a", "two", has="10.0.0.1")], POOL).given == {}


def test_the_address_of_a_deleted_service_is_free_again() -> None:
    full = [Wish("a", name, has=address) for name, address in zip("cde", POOL, strict=True)]
    late = Wish("a", "late")
    assert late in allocate([*full, late], POOL).refused
    assert allocate([*full[1:], late], POOL).given == {late: "10.0.0.1"}


def test_who_asks_for_an_address_gets_that_one() -> None:
    by_chance, asking = Wish("a", "a"), Wish("b", "b", asks="10.0.0.1")
    assert allocate([by_chance, asking], POOL).given == {by_chance: "10.0.0.2", asking: "10.0.0.1"}


def test_a_refusal_says_why() -> None:
    holder = Wish("a", "holder", has="10.0.0.1")
    taken, outside = Wish("b", "taken", asks="10.0.0.1"), Wish("b", "outside", asks="8.8.8.8")
    refused = allocate([holder, taken, outside], POOL).refused
    assert refused[taken] == "10.0.0.1 belongs to the Service a/holder"
    assert "8.8.8.8 is not one of" in refused[outside]


def test_an_address_from_elsewhere_is_replaced() -> None:
    stranger = Wish("a", "one", has="192.168.1.1")
    assert allocate([stranger], POOL).given == {stranger: "10.0.0.1"}


@given(wishes)
def test_nobody_shares_an_address(some: list[Wish]) -> None:
    held = list(final(some).values())
    assert len(held) == len(set(held))
    assert set(held) <= set(POOL)


@given(wishes)
def test_everybody_is_served_or_refused_while_addresses_are_free(some: list[Wish]) -> None:
    served = final(some)
    refused = allocate(some, POOL).refused
    assert set(served) | set(refused) == set(some)
    if len(served) < len(POOL):
        assert all(wish.asks for wish in refused)


@given(wishes)
def test_a_second_look_changes_nothing(some: list[Wish]) -> None:
    settled = [Wish(wish.namespace, wish.name, address, wish.asks) for wish, address in final(some).items()]
    assert allocate(settled, POOL).given == {}
