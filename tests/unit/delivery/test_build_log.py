"""The output of a build, out of the engine's events."""

from hypothesis import given
from hypothesis import strategies as st

from deploytag.build_message import LIMIT, tell
from deploytag.delivery.build_log import ENDING, BuildOutput
from deploytag.delivery.events import Diagnostic

APP = "urn:pulumi:t::shop::deploytag:index:Environment$deploytag:index:Images$docker-build:index:Image::shop-app"
ROLE = "urn:pulumi:t::shop::deploytag:index:Environment$postgresql:index/role:Role::shop-database-role"


BASE = APP.replace("shop-app", "shop-base")
IMAGES = "urn:pulumi:t::shop::deploytag:index:Environment$deploytag:index:Images::shop-images"


def heard(*events: Diagnostic) -> BuildOutput:
    it = BuildOutput()
    for event in events:
        it.listen(event)
    return it


def output(*events: Diagnostic) -> str:
    return heard(*events).text


def test_only_what_a_builder_says_while_it_builds() -> None:
    text = output(
        Diagnostic("info", "#5 RUN pip install", APP, status=True),
        Diagnostic("info", "waiting", ROLE, status=True),
        Diagnostic("info", "#5 RUN pip install", APP),  # once more, after a failure
        Diagnostic("info", "#6 exporting\n#7 done", APP, status=True),
    )
    assert text.splitlines() == ["shop-app #5 RUN pip install", "shop-app #6 exporting", "shop-app #7 done"]


def test_a_build_that_failed_before_it_was_shown_live_is_known_by_what_it_says_at_its_end() -> None:
    text = output(Diagnostic("error", "#5 RUN false\n#5 ERROR", APP), Diagnostic("error", "refused", ROLE))
    assert text.splitlines() == ["shop-app #5 RUN false", "shop-app #5 ERROR"]


def test_what_a_failed_build_says_at_its_end_is_kept_where_it_is_more_than_was_shown_live() -> None:
    text = output(
        Diagnostic("info", "#1 FROM debian", BASE, status=True),
        Diagnostic("info", "#5 RUN make", APP, status=True),
        Diagnostic("info", "#5 RUN make\n#5 no rule\n", APP),
        Diagnostic("error", "failed to solve", APP),
    )
    assert text.splitlines() == [
        "shop-base #1 FROM debian",
        "shop-app #5 RUN make",
        "shop-app #5 no rule",
        "shop-app failed to solve",
    ]


def test_the_builders_own_record_goes_before_whatever_arrived_of_it() -> None:
    it = heard(
        Diagnostic("info", "#5 RUN make", APP, status=True),
        Diagnostic("info", "#5 RUN make\n#5 compiling\n#5 linking", APP),
        Diagnostic("info", tell("shop-app", "#5 RUN make\n#5 no rule\n"), IMAGES),
        Diagnostic("info", "something else", IMAGES),
        Diagnostic("error", "failed to solve", APP),
    )
    assert it.text.splitlines() == ["shop-app #5 RUN make", "shop-app #5 no rule", "shop-app failed to solve"]
    assert it.ending == ("#5 RUN make", "#5 no rule")


def test_the_ending_is_of_the_build_that_failed() -> None:
    said = [Diagnostic("info", f"#5 line {number}\n\n", APP, status=True) for number in range(30)]
    good = Diagnostic("info", "#1 DONE", BASE, status=True)
    bad = heard(*said, good, Diagnostic("error", "failed to solve", APP))
    assert bad.ending == tuple(f"#5 line {number}" for number in range(30 - ENDING, 30))
    assert heard(*said, good).ending == ()


def test_a_build_that_is_tried_again_is_known_by_its_last_try() -> None:
    it = heard(Diagnostic("info", "#5 pushing", APP, status=True), Diagnostic("error", "failed to push", APP))
    it.begin_again()
    assert (it.ending, it.text) == ((), "")
    it.listen(Diagnostic("info", "#5 DONE", APP, status=True))
    assert (it.ending, it.text) == ((), "shop-app #5 DONE")


def test_of_a_line_that_is_too_long_the_beginning_is_kept() -> None:
    assert output(Diagnostic("info", "x" * LIMIT, APP, status=True)).startswith("shop-app xxx")


@given(st.lists(st.text(max_size=LIMIT // 2).map(lambda text: text * 3), max_size=5))
def test_the_end_is_kept(messages: list[str]) -> None:
    text = output(*(Diagnostic("info", message, APP, status=True) for message in messages))
    assert len(text) <= LIMIT
    if lines := [line for message in messages for line in message.splitlines()]:
        assert text.endswith(lines[-1][: LIMIT - len("shop-app \n")])
