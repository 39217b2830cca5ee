"""Real processes: whatever a command starts ends with it, with the wrapper, and before the lease does."""

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deploytag import redaction
from deploytag.delivery.processes import keeper, leftovers
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.processes.children import CannotStartError, Children, Finished, Stop
from deploytag.delivery.processes.leftovers import Ended, end_all, end_leftovers
from deploytag.delivery.processes.lines import LINE_LIMIT, OUTPUT_LIMIT
from deploytag.delivery.run import MARK, Action, Run
from deploytag.errors import BusyError, InterruptedRunError, LeftoverError
from tests.unit.family import PATIENCE, ROOT, Pipe, command, gone
from tests.unit.wrapper import FakeLease, Wrapper


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    with Pipe(tmp_path / "pipe") as it:
        yield it


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test leaves a child of this process, not even a zombie, nor an open file."""
    # Again and again: an event loop that an earlier test left is closed only when what waited in it is gone.
    while gc.collect():
        pass
    children, files = psutil.Process().children(), set(Path("/proc/self/fd").iterdir())
    yield
    gc.collect()
    assert psutil.Process().children() == children
    assert set(Path("/proc/self/fd").iterdir()) == files


def shell(script: str, children: Children | None = None, **options: object) -> Finished:
    it = children or Children(None, os.environ)
    return it.run(["sh", "-c", script], cwd=ROOT, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("script", "code", "output"),
    [
        ("true", 0, ""),
        ("exit 3", 3, ""),
        ("kill -9 $$", -9, ""),
        ("echo out; echo err >&2", 0, "out\nerr\n"),
        ("printf 'no end'", 0, "no end"),
        (r"printf 'a\r\n\377b\n'", 0, "a\r\n\N{REPLACEMENT CHARACTER}b\n"),
        ("cat", 0, ""),  # nothing to read
    ],
)
def test_a_command_has_an_exit_code_and_an_output(script: str, code: int, output: str) -> None:
    assert shell(script) == Finished(code, output)


def test_lines_come_as_they_are_printed(tmp_path: Path) -> None:
    """The command waits for the effect of its own line."""
    heard = []

    def on_line(line: str) -> None:
        heard.append(line)
        (tmp_path / "heard").touch()

    shell(f"echo one; while [ ! -e {tmp_path}/heard ]; do sleep 0.01; done; printf two", on_line=on_line)
    assert heard == ["one", "two"]


@pytest.mark.parametrize("source", [f"yes {1000 * 'x'}", "cat /dev/zero"])
def test_a_huge_output_is_told_and_only_its_end_kept(source: str) -> None:
    size = 8 * OUTPUT_LIMIT
    told = []
    finished = shell(f"{source} | head -c {size}; echo; echo end", on_line=lambda line: told.append(len(line)))
    assert sum(told) >= size // 2
    assert max(told) <= LINE_LIMIT + (1 << 16)
    assert OUTPUT_LIMIT - max(told) <= len(finished.output) <= OUTPUT_LIMIT + 100
    assert finished.output.startswith("[the first ")
    assert finished.output.endswith("end\n")


@pytest.mark.parametrize(
    ("command", "cwd", "sentence"),
    [
        (["nonexistent-command"], ROOT, "`nonexistent-command` cannot be started in .*: No such file"),
        ([str(ROOT)], ROOT, "cannot be started in .*: Permission denied"),
        (["true"], ROOT / "nonexistent", "`true` cannot be started in .*/nonexistent: No such file"),
        (["true", "x" * 200_000], ROOT, "`true` cannot be started in .*: Argument list too long"),
    ],
)
def test_what_cannot_be_started_is_a_sentence(command: list[str], cwd: Path, sentence: str) -> None:
    with pytest.raises(CannotStartError, match=sentence):
        Children(None, os.environ).run(command, cwd=cwd)


def test_the_process_id_is_told_before_the_program_runs(tmp_path: Path) -> None:
    told = []

    def on_pid(pid: int) -> None:
        told.append((pid, (tmp_path / "ran").exists()))

    finished = shell(f"touch {tmp_path}/ran; echo $$", on_pid=on_pid)
    assert told == [(int(finished.output), False)]


def test_a_program_whose_process_id_cannot_be_noted_never_runs(tmp_path: Path) -> None:
    def on_pid(pid: int) -> None:
        raise BusyError("the lease is lost")

    with pytest.raises(BusyError, match="the lease is lost"):
        shell(f"touch {tmp_path}/ran", on_pid=on_pid)
    assert not (tmp_path / "ran").exists()


def test_a_command_begins_clean() -> None:
    """It has a session of its own, the run's mark, no file but the three, and sees every signal."""
    run = Run.start(Action.DEPLOY, None)
    program = (
        "import os, sys; from pathlib import Path; status = Path('/proc/self/status').read_text().split();"
        f"print(os.environ['{MARK}'], os.getsid(0) == os.getpid(), sorted(os.listdir('/proc/self/fd')),"
        "status[status.index('SigBlk:') + 1], end='')"
    )
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN), signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        finished = Children(run, os.environ).run([sys.executable, "-c", program], cwd=ROOT)
        ignored = shell("grep SigIgn /proc/self/status").output.split()[1]
    finally:
        signal.signal(signal.SIGUSR1, before[0])
        signal.pthread_sigmask(signal.SIG_SETMASK, before[1])
    assert finished.output == f"{run.id} True ['0', '1', '2', '3'] {0:016x}"  # 3 is the folder being listed
    # Signals 32 and 33 are the C library's own: nobody can change them, and some starters ignore them.
    assert int(ignored, 16) & ~(0b11 << 31) == 0


def test_a_command_that_signals_its_group_does_not_reach_the_keeper() -> None:
    assert shell("trap '' TERM; kill -TERM 0; echo still here") == Finished(0, "still here\n")


def test_what_outlives_the_command_for_a_moment_is_waited_for() -> None:
    assert shell("(sleep 0.2; echo late) & echo early").output == "early\nlate\n"


def test_what_outlives_the_command_is_ended(pipe: Pipe) -> None:
    children = Children(None, os.environ, linger=0.1)
    finished = shell(f"exec 3>{pipe.path}; setsid sleep 600 & echo $!", children)
    assert finished.code == 0
    assert finished.ended == (Ended(int(finished.output), "sleep"),)
    assert pipe.end() == []


def test_a_daemon_of_a_plugin_ends_with_the_run(pipe: Pipe) -> None:
    cancellation = Cancellation()

    def on_line(line: str) -> None:
        if line == "up":  # Python says more when it is interrupted
            pipe.hear("plugin", "daemon", "command")
            cancellation.request("enough")

    finished = Children(None, os.environ, linger=0).run(
        command("daemon", pipe.path), cwd=ROOT, on_line=on_line, cancellation=cancellation
    )
    assert finished.stopped is Stop.INTERRUPT
    assert finished.code == -signal.SIGINT
    assert len(finished.ended) == 2
    assert pipe.end() == []


def test_a_command_that_does_not_want_to_end_is_ended_after_a_grace(pipe: Pipe) -> None:
    cancellation = Cancellation()
    finished = Children(None, os.environ, grace=0.2).run(
        command("patient", pipe.path),
        cwd=ROOT,
        on_line=lambda line: cancellation.request("enough"),
        cancellation=cancellation,
    )
    assert finished.code == -signal.SIGKILL
    assert finished.stopped is Stop.INTERRUPT
    assert pipe.end() == ["SIGINT"]


def test_a_timeout_is_one_signal_too() -> None:
    children = Children(None, os.environ, grace=0.2, linger=0)
    finished = shell("trap 'echo told' TERM; while :; do sleep 0.01; done", children, timeout=2)
    assert finished.code == -signal.SIGKILL
    assert finished.stopped is Stop.TIMEOUT
    assert finished.output == "told\n"


@pytest.mark.parametrize("early", [True, False])
def test_a_cancelled_run_starts_nothing(tmp_path: Path, early: bool) -> None:
    cancellation = Cancellation()
    if early:
        cancellation.request("SIGTERM")

    def on_pid(pid: int) -> None:
        assert not early
        cancellation.request("SIGTERM")

    with pytest.raises(InterruptedRunError, match=r"`sh -c` was not started: the run was stopped \(SIGTERM\)"):
        shell(f"touch {tmp_path}/ran", cancellation=cancellation, on_pid=on_pid)
    assert not (tmp_path / "ran").exists()


def test_an_error_while_a_line_is_told_ends_everything(pipe: Pipe) -> None:
    def on_line(line: str) -> None:
        raise BrokenPipeError("nobody reads our own output")

    with pytest.raises(BrokenPipeError):
        Children(None, os.environ).run(command("daemon", pipe.path), cwd=ROOT, on_line=on_line)
    pipe.end()


@pytest.mark.parametrize("victims", [["keeper"], ["guard"], ["keeper", "guard"]])
def test_when_a_keeper_is_killed_everything_is_ended(pipe: Pipe, victims: list[str]) -> None:
    processes = {}

    def on_pid(pid: int) -> None:
        processes["keeper"] = psutil.Process(psutil.Process(pid).ppid())
        processes["guard"] = psutil.Process(processes["keeper"].ppid())

    def on_line(line: str) -> None:
        for number in (signal.SIGSTOP, signal.SIGKILL):  # so that neither can do something about the other's end
            for victim in victims:
                os.kill(processes[victim].pid, number)

    children = Children(Run.start(Action.DEPLOY, None), os.environ)
    with pytest.raises(InterruptedRunError, match=r"that held `.*` has ended.* was ended too"):
        children.run(command("daemon", pipe.path), cwd=ROOT, on_pid=on_pid, on_line=on_line)
    pipe.end()
    assert gone(*processes.values())


def test_what_is_shown_of_a_command_that_was_killed_is_redacted_before_it_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redaction, "PROCESS", redaction.Redactor(["hunter2-and-more"]))
    # The cut, 2000 characters before the end, is in the middle of it.
    script = f"printf 'hunter2-and-more{'x' * 1992}\\n'; kill -9 $PPID; sleep 60"
    with pytest.raises(InterruptedRunError) as error:
        shell(script)
    assert "xxx" in str(error.value)
    assert "and-more" not in str(error.value)
    assert "more" not in str(error.value).partition("xxx")[0].rpartition("again.")[2]


def test_a_lease_that_is_not_renewed_ends_the_command(pipe: Pipe) -> None:
    lease = FakeLease()
    with pytest.raises(BusyError, match="was not renewed in time"):
        Children(None, os.environ, lease).run(
            command("daemon", pipe.path), cwd=ROOT, on_line=lambda line: lease.renew(keeper.now())
        )
    pipe.end()


def test_a_renewed_lease_lets_the_command_go_on(pipe: Pipe) -> None:
    end = keeper.now() + 4
    lease = FakeLease(end + keeper.HEAD_START)
    finished = Children(None, os.environ, lease).run(
        [*command("until", pipe.path), str(end + 0.1)], cwd=ROOT, on_pid=lambda pid: lease.renew(end + 3600)
    )
    assert finished == Finished(0, "")


def test_many_commands_at_once_under_a_lease_that_is_renewed_all_the_time() -> None:
    lease = FakeLease()
    children = Children(None, os.environ, lease)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(0.001):
            lease.renew(keeper.now() + 3600)

    with ThreadPoolExecutor(5) as threads:
        renewing = threads.submit(renew)
        found = list(threads.map(lambda number: shell(f"echo {number}; exit {number}", children), range(24)))
        done.set()
        renewing.result()
    assert found == [Finished(number, f"{number}\n") for number in range(24)]


def test_a_command_begins_though_its_keeper_has_yet_to_read_all_that_it_was_told() -> None:
    lease = FakeLease(keeper.now() + 10)

    def tell_too_much(pid: int) -> None:
        holder = psutil.Process(pid).parent()
        assert holder
        holder.suspend()
        for _ in range(10_000):
            lease.renew(lease.deadline)
        threading.Timer(0.3, holder.resume).start()

    assert Children(None, os.environ, lease).run(["true"], cwd=ROOT, on_pid=tell_too_much) == Finished(0, "")


@pytest.fixture
def family(pipe: Pipe) -> Iterator[Wrapper]:
    """A wrapper with a command that has a plugin and a daemon."""
    wrapper = Wrapper("held", *command("daemon", pipe.path))
    assert wrapper.line() == "up"
    pipe.hear("plugin", "daemon", "command")
    yield wrapper
    wrapper.close()


def test_when_the_wrapper_is_killed_everything_is_ended(family: Wrapper, pipe: Pipe) -> None:
    held = family.held()
    assert len(held) == 5, "guard, keeper, command, plugin, daemon"
    family.process.kill()
    assert pipe.end() == []
    assert gone(*held)


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.06, 0.1, 0.2])
def test_the_wrapper_may_be_killed_at_any_moment(delay: float) -> None:
    wrapper = Wrapper("again", "sh", "-c", "sleep 0.01 & (setsid sleep 600 &)")
    try:
        wrapper.popen.wait(delay)
    except subprocess.TimeoutExpired:
        wrapper.process.kill()
    wrapper.wait()
    while left := leftovers.leftovers(wrapper.run.id):
        assert gone(*left)
    wrapper.close()


def test_a_stopped_wrapper_loses_its_children_before_its_lease(pipe: Pipe) -> None:
    wrapper = Wrapper("lost", *command("daemon", pipe.path))
    assert wrapper.line() == "up"
    pipe.end()
    os.waitid(os.P_PID, wrapper.popen.pid, os.WSTOPPED | os.WNOWAIT)
    assert wrapper.process.status() == psutil.STATUS_STOPPED
    wrapper.process.resume()
    assert wrapper.line().startswith("BusyError: The lease of the environment was not renewed in time")
    wrapper.close()


def test_a_command_gets_one_signal_however_many_come(tmp_path: Path, pipe: Pipe) -> None:
    wrapper = Wrapper("held", *command("patient", pipe.path))
    assert wrapper.line() == "up"
    os.killpg(wrapper.popen.pid, signal.SIGINT)  # as a terminal's Ctrl-C
    pipe.hear("SIGINT")
    for number in (signal.SIGTERM, signal.SIGINT):
        os.killpg(wrapper.popen.pid, number)
        assert wrapper.line() == f"again {number.name}"
    (tmp_path / "release").touch()
    assert pipe.end() == []
    assert wrapper.line() == "0 interrupt SIGINT"
    assert wrapper.wait() == 0
    wrapper.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_every_signal_that_ends_a_run_reaches_the_command_as_sigint(
    tmp_path: Path, pipe: Pipe, number: signal.Signals
) -> None:
    wrapper = Wrapper("held", *command("patient", pipe.path))
    assert wrapper.line() == "up"
    wrapper.process.send_signal(number)
    pipe.hear("SIGINT")
    (tmp_path / "release").touch()
    assert wrapper.line() == f"0 interrupt {number.name}"
    wrapper.close()


def test_a_stopped_run_is_ended_whole(family: Wrapper, pipe: Pipe) -> None:
    held = family.held()
    family.stop()
    ended = end_leftovers(family.run, PATIENCE)
    assert {process.pid for process in ended} == {process.pid for process in [family.process, *held]}
    assert pipe.end() == []
    assert gone(*held)
    assert end_leftovers(family.run, PATIENCE) == []


def test_what_a_run_left_is_listed(family: Wrapper) -> None:
    assert {process.pid for process in leftovers.leftovers(family.run.id)} == {child.pid for child in family.held()}
    assert leftovers.leftovers("another") == []


def test_a_run_of_another_machine_is_left_alone(family: Wrapper) -> None:
    assert end_leftovers(replace(family.run, machine="another"), PATIENCE) == []
    assert family.process.is_running()
    assert len(family.held()) == 5


def test_a_process_that_has_the_id_of_a_dead_wrapper_is_left_alone(family: Wrapper) -> None:
    reused = replace(Run.start(Action.DEPLOY, None), pid=family.run.pid)
    assert end_leftovers(reused, PATIENCE) == []
    assert family.process.is_running()


def test_this_process_is_spared() -> None:
    run = Run.start(Action.DEPLOY, None)
    children = Children(run, os.environ)
    assert end_leftovers(run, PATIENCE) == []
    assert shell("true", children).code == 0


@pytest.mark.parametrize(
    ("script", "killed"),
    [
        ("true", False),
        ("exit 3", False),
        ("kill -9 $$", True),
        ("sleep 1000", True),
        ("trap 'exit 1' INT TERM; sleep 1000 & wait", False),
        ("sleep 1000 &", False),  # the command itself has ended, and what it held with it
    ],
)
def test_it_is_known_whether_a_command_ended_by_itself(script: str, killed: bool) -> None:
    children = Children(None, os.environ, grace=0.5, linger=0)
    shell(f"trap '' INT TERM; {script}" if script == "sleep 1000" else script, children, timeout=0.5)
    assert children.killed == killed
    assert not children.stuck


def test_what_never_began_was_not_killed() -> None:
    children = Children(None, os.environ)
    with pytest.raises(CannotStartError):
        children.run(["nonexistent-command"], cwd=ROOT)

    def refuse(_: int) -> None:
        raise BusyError("lost")

    with pytest.raises(BusyError):
        shell("true", children, on_pid=refuse)
    assert not children.killed


def test_what_was_being_done_when_this_process_raised_was_killed() -> None:
    children = Children(None, os.environ)

    def fail(_: str) -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        shell("echo; sleep 1000", children, on_line=fail)
    assert children.killed


def test_a_process_that_cannot_be_ended_is_named(family: Wrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(process: psutil.Process) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "kill", kill)
    with pytest.raises(LeftoverError, match=rf"cannot be ended: python\S* \(process {family.run.pid}\)\. They belong"):
        end_all(lambda: [family.process], 0.1)


def test_a_keeper_gives_up_on_what_it_cannot_end() -> None:
    """In a process of its own, which becomes a subreaper and may kill nothing."""
    program = """
import os, subprocess
from deploytag.delivery.processes.keeper import Family
kill = os.kill
def refuse(pid, number):
    raise PermissionError
os.kill = refuse
family = Family()
child = subprocess.Popen(["sleep", "600"])
print(family.end(0.2) == ({}, {child.pid: "sleep"}))
kill(child.pid, 9)
print(family.end() == ({}, {}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True\nTrue\n"
