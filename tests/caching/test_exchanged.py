"""Artifacts that are exchanged while a run works: nothing goes on record that was not made so, and the run says what happened."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.model import project
from tests.model.project import edit, environment


def run(clone: Path, *words: str) -> str:
    """What a program says that must succeed."""
    done = project.run(clone, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with the toy recipe after a committed run."""
    world = tmp_path_factory.mktemp("finished")
    made = project.create(world)
    run(made, "snow", "check", "--fix")
    run(made, "snakemake", "all")
    project.git(made, "add", "-A")
    project.git(made, "commit", "-q", "-m", "a run")
    return world


@pytest.fixture
def clone(finished: Path, tmp_path: Path) -> Path:
    """The finished toy recipe, with another width in params.yaml."""
    project.copy(finished, tmp_path)
    edit(tmp_path / "work/params.yaml", "width: 30", "width: 6")
    return tmp_path / "work"


WAIT = "    import os, time\n    open('waits', 'w').close()\n    while not os.path.exists('go'):\n        time.sleep(0.05)\n"


def while_it_waits(clone: Path, happens: Callable[[], object], *targets: str, front: str = "snakemake --cores 4") -> tuple[int, str]:
    """Exit status and words of a run in which something happens while a job is in `WAIT`."""
    with subprocess.Popen(
        [*front.split(), *targets],
        cwd=clone,
        env=environment(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            end = time.monotonic() + 120
            while not (clone / "waits").exists():
                assert running.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
            happens()
        finally:
            (clone / "go").touch()
        said, _ = running.communicate(timeout=120)
    for name in ("go", "waits"):
        (clone / name).unlink()
    return running.returncode, said


def checked_out_beside(clone: Path, stage: str, line: str, *targets: str) -> str:
    """What a run says that fails: its jobs of a stage wait in their first line until `dvc checkout` has put back the older shards."""

    def check_out() -> None:
        end = time.monotonic() + 60
        while not narrow(clone):  # made beside a job that reads none of them
            assert time.monotonic() < end
            time.sleep(0.05)
        run(clone, "dvc", "checkout")
        assert not narrow(clone)

    body = clone / f"snow/toy/{stage}.py"
    text = body.read_text()
    edit(body, line, WAIT + line)
    status, said = while_it_waits(clone, check_out, *targets)
    assert status == 1, said
    body.write_text(text)
    return said


def narrow(clone: Path) -> bool:
    """Whether both shards lie there, cut to six characters and an end."""
    paths = [clone / f"corpus/shaped/0000{shard}.txt" for shard in range(2)]
    return all(path.exists() and max(map(len, path.read_text().splitlines())) <= 8 for path in paths)


def test_a_job_whose_inputs_were_exchanged_records_nothing(clone: Path) -> None:
    said = checked_out_beside(clone, "merge", "    seen: set", "all")
    assert "merge all: its input corpus/shaped/0000" in said
    assert " changed while it ran; run the same command again" in said
    run(clone, "snakemake", "all")
    run(clone, "snow", "why")
    shaped = {line for path in (clone / "corpus/shaped").glob("*.txt") for line in path.read_text().splitlines()}
    merged = {line for path in (clone / "corpus/merged").glob("*.txt") for line in path.read_text().splitlines()}
    assert narrow(clone)
    assert shaped == merged


def test_a_job_that_fails_over_exchanged_inputs_names_them_and_not_its_own_line(clone: Path) -> None:
    body, shaped = clone / "snow/toy/merge.py", clone / "corpus/shaped/00000.txt"
    edit(body, "    seen: set", f"{WAIT}    seen: set")
    status, said = while_it_waits(clone, shaped.unlink, "corpus-merged")
    assert status == 1
    assert "merge all: its input corpus/shaped/00000.txt changed while it ran; run the same command again" in said
    assert "Traceback" not in said


def test_a_run_whose_results_were_exchanged_says_so(clone: Path) -> None:
    said = checked_out_beside(clone, "suite", "    words = ", "corpus-shaped", "suites")
    assert "what shape 0000" in said
    assert "made is not what lies there now: something else wrote there while the run worked" in said
    assert "other params than" not in said
    assert "0 jobs executed, 4 from the cache" in run(clone, "snakemake", "corpus-shaped", "suites")
    assert narrow(clone)


def test_a_job_whose_code_changed_before_it_was_imported_records_nothing(clone: Path) -> None:
    body, late = clone / "snow/toy/merge.py", clone / "snow/toy/late.py"
    late.write_text('WORD = "one"\n')
    edit(body, "    seen: set", f"{WAIT}    from snow.toy import late\n    seen: set")
    edit(body, '{"mark": [MARK, lines.END]', '{"mark": [late.WORD]')
    status, said = while_it_waits(clone, lambda: edit(late, "one", "two"), "corpus-merged")
    assert status == 1
    assert f"merge all: its code, {late}, changed while it ran; run the same command again" in said
    status, said = while_it_waits(clone, lambda: None, "corpus-merged")
    assert status == 0, said
    assert json.loads((clone / "receipts/merge/all.json").read_bytes())["facts"]["mark"] == ["two"]


def test_a_job_whose_code_changed_after_it_was_imported_has_done_what_it_says(clone: Path) -> None:
    body, shared = clone / "snow/toy/merge.py", clone / "snow/toy/lines.py"
    edit(body, "    seen: set", f"{WAIT}    seen: set")
    status, said = while_it_waits(clone, lambda: edit(shared, 'END = "."', 'END = "!"'), "corpus-merged")
    assert status == 0, said
    assert json.loads((clone / "receipts/merge/all.json").read_bytes())["facts"]["mark"] == ["", "."]
    assert "snow.toy.lines" in project.run(clone, "snow", "why", "corpus-merged").stdout


def test_dvc_records_no_result_as_that_of_code_edited_meanwhile(clone: Path) -> None:
    body, shared = clone / "snow/toy/merge.py", clone / "snow/toy/lines.py"
    text = body.read_text()
    run(clone, "dvc", "repro", "corpus-shaped")
    edit(body, "    seen: set", f"{WAIT}    seen: set")
    status, said = while_it_waits(
        clone, lambda: edit(shared, 'END = "."', 'END = "!"'), "--single-item", "corpus-merged", front="dvc repro"
    )
    assert status != 0
    assert "code, or what merge all read or made, was changed while DVC ran corpus-merged; run `dvc repro` again" in said
    assert "corpus-merged" in run(clone, "dvc", "status")
    body.write_text(text)
    run(clone, "dvc", "repro", "corpus-merged")
    assert json.loads((clone / "receipts/merge/all.json").read_bytes())["facts"]["mark"] == ["", "!"]


EDITED = """
import shutil
from pathlib import Path
from snow.caching import commit
file, recorded, edited = Path({file!r}), commit._commit, []
def edited_first(seen):
    if not edited:
        text = file.read_text().replace({old!r}, {new!r}, 1)
        edited.append(file.write_text(text) if {new!r} else shutil.rmtree(file.parent))
    return recorded(seen)
commit._commit = edited_first
commit.run()
"""


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("snow/toy/lines.py", 'END = "."', 'END = "!"'), ("corpus/merged/00000.txt", "a", "b"), ("corpus/merged/00000.txt", "a", "")],
    ids=["code", "result", "gone"],
)
def test_what_changes_while_dvc_lock_is_written_is_judged_again(clone: Path, file: str, old: str, new: str) -> None:
    project.git(clone, "checkout", "-q", "params.yaml")
    edit(clone / "snow/toy/judge.py", '"""Stage', '"""The stage')  # dvc.lock is to follow
    run(clone, "python", "-c", EDITED.format(file=file, old=old, new=new))
    assert "corpus-merged" in run(clone, "dvc", "status")


def test_a_stage_of_dvc_that_is_refused_has_its_results_back(clone: Path) -> None:
    edit(clone / "params.yaml", "suites:\n", "suites:\n  three:\n    words: [fox]\n")
    held = {path: path.read_bytes() for path in (clone / "suites").iterdir()}
    done = project.run(clone, "dvc", "repro", "suites")
    assert done.returncode != 0
    assert "run `snow check --fix`, then `dvc repro` again" in done.stdout + done.stderr
    assert {path: path.read_bytes() for path in (clone / "suites").iterdir()} == held
