"""Passwords of databases, and the URLs they travel in."""

import base64
import hashlib
import hmac
from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from deploytag.passwords import (
    DatabaseAddress,
    database_password,
    password_verifier,
    scram_verifier,
)


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_password_survives_the_url(password: str) -> None:
    parts = urlsplit(DatabaseAddress("db.test", 5432, "shop_x", "shop_x", "disable").url(password))
    assert unquote(parts.password or "") == password
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("db.test", 5432, "/shop_x", "sslmode=disable")


def test_passwords_differ_by_role_and_by_key_and_are_found_again() -> None:
    assert database_password("k", "a") == database_password("k", "a")
    assert len({database_password(key, role) for key in ("k", "l") for role in ("a", "b")}) == 4


def test_the_verifier_recognises_the_example_of_the_standard() -> None:
    """RFC 7677, section 3: user `user`, password `pencil`, and what client and server say to each other."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    method, parameters, keys = scram_verifier("pencil", salt, 4096).split("$")
    assert (method, parameters) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    stored, server = (base64.b64decode(it) for it in keys.split(":"))
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    said = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}".encode()
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(stored, said, "sha256")
    client = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(client).digest() == stored
    assert base64.b64encode(hmac.digest(server, said, "sha256")) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_verifier_does_not_change_by_itself_and_holds_no_password() -> None:
    assert password_verifier("k", "a") == password_verifier("k", "a")
    assert len({password_verifier(key, role) for key in ("k", "l") for role in ("a", "b")}) == 4
    assert database_password("k", "a") not in password_verifier("k", "a")
