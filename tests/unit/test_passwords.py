"""Passwords of databases, and the URLs they travel in."""

from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from deploytag.passwords import DatabaseAddress, database_password


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_password_survives_the_url(password: str) -> None:
    parts = urlsplit(DatabaseAddress("db.test", 5432, "shop_x", "shop_x", "disable").url(password))
    assert unquote(parts.password or "") == password
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("db.test", 5432, "/shop_x", "sslmode=disable")


def test_passwords_differ_by_role_and_by_key_and_are_found_again() -> None:
    assert database_password("k", "a") == database_password("k", "a")
    assert len({database_password(key, role) for key in ("k", "l") for role in ("a", "b")}) == 4
