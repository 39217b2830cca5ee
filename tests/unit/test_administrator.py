"""How sessions of the administrator begin in databases that others own."""

from deploytag.administrator import OWN_SESSION, in_own_session


def test_what_a_user_wants_of_sessions_stays_and_the_owner_of_a_database_decides_nothing() -> None:
    assert in_own_session({"PGUSER": "admin"}) == {"PGUSER": "admin", "PGOPTIONS": OWN_SESSION}
    # PostgreSQL takes the last of two settings of one name.
    assert in_own_session({"PGOPTIONS": "-c search_path=mine"})["PGOPTIONS"] == f"-c search_path=mine {OWN_SESSION}"
