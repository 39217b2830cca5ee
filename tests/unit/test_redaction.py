"""What this process knows to be secret does not reach a person, in whatever form a program shows it."""

import base64
import io
import json
import logging
import sys
from urllib.parse import quote, quote_plus

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploytag import redaction
from deploytag.cli import app
from deploytag.cli.app import print_json
from deploytag.credentials import secret_values
from deploytag.encodings import SHORTEST
from deploytag.output import LogFilter, Redacting, redacting_output
from deploytag.redaction import REDACTED, Redactor

SECRETS = st.lists(st.text(min_size=SHORTEST), max_size=5)
ODD = [
    "hunter2-and-more",
    "with \"quotes\" and 'others'",
    "a&b<c>d$e",
    "pass/wörd €%",
    "tab\tand \\ slash",
    "line\nbreak-in-it",
]
AROUND = [("", ""), ('"', '"'), ('"\\"', '\\""'), ("'", "'"), ('b"', '"'), ("b'", "'")]
"""What a form puts around a text."""
FORMS = {
    "raw": lambda text: text,
    "JSON": json.dumps,
    "JSON, Unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON, Go": lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "repr": repr,
    "bytes": lambda text: repr(text.encode()),
    "URL": lambda text: quote(text, safe=""),
    "query": quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, URL": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Redactor:
    """Knowledge of its own for a test."""
    fresh = Redactor()
    monkeypatch.setattr(redaction, "PROCESS", fresh)
    return fresh


@given(SECRETS, st.text(), st.text())
def test_no_value_is_left(values: list[str], before: str, after: str) -> None:
    for value in values:
        assert value not in Redactor(values)(before + value + after).replace(REDACTED, "")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("value", ODD)
def test_a_value_is_found_in_every_form(value: str, form: object) -> None:
    assert callable(form)
    left = Redactor([value])(f"it is {form(value)}!")
    assert left in {f"it is {before}{REDACTED}{after}!" for before, after in AROUND}


@pytest.mark.parametrize("before", ["", "u", "us", "use"])
def test_a_value_inside_of_base64_is_found(before: str) -> None:
    shown = base64.b64encode(f"{before}:hunter2-and-more:x".encode()).decode()
    left = Redactor(["hunter2-and-more"])(shown)
    assert REDACTED in left
    assert len(left.replace(REDACTED, "")) < 14


def test_a_value_that_is_part_of_another_leaves_nothing_of_it() -> None:
    assert Redactor(["hunter2", "hunter2-and-more"])("it is hunter2-and-more") == f"it is {REDACTED}"


def test_the_lines_of_a_value_are_values() -> None:
    redact = Redactor(["-----BEGIN KEY-----\nabcdefgh\n-----END KEY-----"])
    assert [redact(line) for line in ("abcdefgh", "other")] == [REDACTED, "other"]


def test_what_is_inside_of_a_value_is_a_value() -> None:
    redact = Redactor(['{"user": {"password": "hunter2"}, "pins": [123456]}', "postgresql://shop:p%40ssword@db/shop"])
    assert redact("hunter2 123456 p@ssword p%40ssword") == " ".join([REDACTED] * 4)


def test_what_every_text_has_in_it_stays() -> None:
    assert Redactor(["true", "8080", ""])("true: listening on 8080") == "true: listening on 8080"


def test_names_that_deploytag_gives_itself_stay() -> None:
    redactor = Redactor(["feature", "hunter2"])
    redactor.spare(["feature/test"])
    assert redactor("feature/test is at hunter2") == f"feature/test is at {REDACTED}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cloning https://token:hunter2@git.test/shop", f"cloning https://token:{REDACTED}@git.test/shop"),
        ("cloning https://ghp_token@git.test/shop", f"cloning https://{REDACTED}@git.test/shop"),
        ("https://ghp_token:x-oauth-basic@git.test", f"https://{REDACTED}:{REDACTED}@git.test"),
        ("https://ghp_token:@git.test", f"https://{REDACTED}:@git.test"),
        ("ssh://git@git.test/shop, https://git.test?of=x@y", "ssh://git@git.test/shop, https://git.test?of=x@y"),
        ("redis://:p@ss@host:6379/0", f"redis://:{REDACTED}@host:6379/0"),
        ("http://172.30.0.1:80/path?x=y@z", "http://172.30.0.1:80/path?x=y@z"),
        ("host=db password='hun ter2' user=x", f"host=db password={REDACTED} user=x"),
        ("Authorization: Bearer abcdefghijklmnopqrst", f"Authorization: Bearer {REDACTED}"),
        ("'X-Amz-Security-Token': b'IQoJb3JpZ2luX2Vj'", f"'X-Amz-Security-Token': b'{REDACTED}'"),
        ("the bearer authenticates, basic authentication", "the bearer authenticates, basic authentication"),
    ],
)
def test_what_stands_where_secrets_do_is_taken_out_unknown(text: str, shown: str) -> None:
    assert Redactor()(text) == shown


@given(st.lists(st.integers(1, 30), max_size=8))
def test_a_value_written_in_pieces_is_found(cuts: list[int]) -> None:
    out = io.StringIO()
    stream = Redacting(out, Redactor(["hunter2-and-more"]))
    text = "it is hunter2-and-more, or\nhunter2-and-more\n"
    for cut in cuts:
        stream.write(text[:cut])
        text = text[cut:]
    stream.write(text)
    assert out.getvalue() == f"it is {REDACTED}, or\n{REDACTED}\n"


def test_a_question_is_shown_before_its_line_ends() -> None:
    out = io.StringIO()
    stream = Redacting(out, Redactor())
    stream.write("Sure? ")
    assert out.getvalue() == ""
    stream.flush()
    assert out.getvalue() == "Sure? "


def test_nothing_writes_bytes_past_it() -> None:
    assert not hasattr(Redacting(sys.stdout), "buffer")


def test_logs_are_redacted_with_their_tracebacks_and_without_whole_answers(process: Redactor) -> None:
    process.learn(["hunter2"])
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(LogFilter())
    log = logging.getLogger("deploytag.test-redaction")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    body = logging.getLogger("botocore.parsers")
    body.addHandler(handler)
    body.setLevel(logging.DEBUG)
    try:
        log.warning("it is %s", "hunter2")
        body.debug("Response body:\n%s", '{"SecretString": "never learned"}')
        try:
            raise ValueError("hunter2")
        except ValueError:
            log.exception("failed with %r", {"password": "hunter2"})
    finally:
        log.removeHandler(handler)
        body.removeHandler(handler)
        body.setLevel(logging.NOTSET)
    assert "hunter2" not in out.getvalue()
    assert "never learned" not in out.getvalue()
    assert "ValueError" in out.getvalue()


def test_output_is_redacted_for_as_long_as_it_is_asked_for(
    process: Redactor, capsys: pytest.CaptureFixture[str]
) -> None:
    process.learn(["hunter2"])
    with redacting_output():
        print("out hunter2")
        print("errors hunter2", file=sys.stderr)
    print("after")
    assert capsys.readouterr() == (f"out {REDACTED}\nafter\n", f"errors {REDACTED}\n")


def test_what_is_printed_as_json_stays_json(process: Redactor, capsys: pytest.CaptureFixture[str]) -> None:
    process.learn(["nabcdef", "hunter2"])
    document = {"a": ['x\nabcdef password="hunter2"', 1, None], "b": ("hunter2",), "c": {"d": "http://u:p@h"}}
    with redacting_output():
        print_json(document)
    assert json.loads(capsys.readouterr().out) == {
        "a": [f"x\nabcdef password={REDACTED}", 1, None],
        "b": [REDACTED],
        "c": {"d": f"http://u:{REDACTED}@h"},
    }


def test_a_defect_is_a_redacted_traceback(
    process: Redactor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise KeyError("hunter2")

    process.learn(["hunter2"])
    monkeypatch.setattr("deploytag.identity.identify", defect)
    monkeypatch.setattr("deploytag.cli.scripts.identify", defect)
    with pytest.raises(SystemExit) as ended:
        app(["name", "feature/x", "--project", "shop"])
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert f"KeyError: '{REDACTED}'" in said


def test_the_environments_own_credentials_are_known() -> None:
    environ = {
        "PGPASSWORD": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_SESSION_TOKEN": "c",
        "PULUMI_CONFIG_PASSPHRASE": "d",
        "SMTP_PASS": "e",
        "GH_PAT": "f",
        "npm_config__auth": "g",
        "DOCKER_AUTH_CONFIG": "h",
        "MYSQL_PWD": "i",
        "KUBECONFIG_PASSPHRASE": "j",
        "AWS_ACCESS_KEY_ID": "no",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "no",
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "no",
        "PGHOST": "no",
        "DOCKER_CONFIG": "no",
        "SSH_AUTH_SOCK": "no",
        "GIT_ASKPASS": "no",
        "OLDPWD": "no",
    }
    assert sorted(secret_values(environ)) == list("abcdefghij")


USERS = """users:
- name: ci
  user:
    token: the-token
    client-key-data: dGhlLWtleQ==
    client-certificate-data: cHVibGlj
- name: someone
  user: {username: someone, password: 'the-password'}
"""


@pytest.mark.parametrize("name", ["KUBECONFIG_DATA", "KUBE_CONFIG", "KUBE_CONFIG_B64", "STAGING_KUBECONFIG"])
@pytest.mark.parametrize("text", [USERS, json.dumps(yaml.safe_load(USERS))])
def test_of_a_kubeconfig_the_credentials_are_known(name: str, text: str) -> None:
    credentials = ["the-token", "dGhlLWtleQ==", "the-password"]
    assert list(secret_values({name: text})) == credentials
    packed = base64.encodebytes(text.encode()).decode()
    assert list(secret_values({name: packed})) == [packed, *credentials]


@pytest.mark.parametrize("value", ["/etc/kubernetes/admin.conf", "~/.kube/config", "/etc/kube/config", "a:b", ""])
def test_where_a_kubeconfig_is_is_no_secret(value: str) -> None:
    assert [found for found in secret_values({"KUBECONFIG": value}) if found] == []
