"""An output is whole or absent: nothing a job does half, or that kills it, can be mistaken for a result."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from snow import digest, job
from snow import params as settings
from snow.caching.store import LINK_TYPES
from snow.errors import SnowError
from snow.job import Call, Job

from .bodies import stage
from .conftest import ROOT

PARAMS = settings.load(ROOT / "params.yaml")

WRITE = """
def run(job):
    job.output("table").write_text(job.input("text").read_text().upper())
    job.output("model").mkdir()
    (job.output("model") / "weights").write_text(str(job.params.seed))
    return {"documents": 1, "names": ["b", "a"]}
"""

Ask = Callable[..., Call]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask for a job whose body is given as source; the working directory is a scratch folder with in.txt."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python takes a body of the same size and second for the one it compiled
    Path("in.txt").write_text("text")
    Path("bodies").mkdir()
    Path("bodies/__init__.py").touch()

    def of(body: str, outputs: tuple[str, ...] = ("table", "model", "receipt"), text: str = "in.txt") -> Call:
        Path("bodies/stage.py").write_text(textwrap.dedent(body))
        for name in ("bodies", "bodies.stage"):
            sys.modules.pop(name, None)
        named = {name: Path(f"out/{name}") for name in outputs}
        return job.call(stage("made"), "00000", PARAMS, {"text": (Path(text),)}, named, 1)

    return of


def left() -> list[str]:
    """Files of the scratch folder that are results or leftovers of jobs."""
    folders = (Path("out"), Path(".snow/staging"), Path(".snow/work"))
    return sorted(str(path) for folder in folders for path in folder.rglob("*") if path.is_file())


def test_outputs_and_receipt_appear_together(ask: Ask) -> None:
    receipt = job.execute(ask(WRITE))
    assert Path("out/table").read_text() == "TEXT"
    assert Path("out/model/weights").read_text() == "0"
    assert left() == ["out/model/weights", "out/receipt", "out/table"]
    written = json.loads(Path("out/receipt").read_text())
    assert written.pop("sum")
    assert written == receipt
    assert written["stage"] == "made"
    assert written["facts"] == {"documents": 1, "names": ["b", "a"]}
    assert written["spec"]["params"] == {"seed": 0}


@pytest.mark.parametrize("change", ["write_text('other')", "unlink()"])
def test_what_an_input_that_changed_meanwhile_gives_is_on_no_record(ask: Ask, change: str) -> None:
    Path(".dvc").mkdir()
    body = WRITE.replace("    return", f"    from pathlib import Path\n    Path('in.txt').{change}\n    return")
    with pytest.raises(SnowError, match=r"^made 00000: its input in.txt changed while it ran; run the same command again$"):
        job.execute(ask(body))
    assert not Path("out").exists()
    Path("in.txt").write_text("text")
    assert not job.restore(ask(body))


def test_an_input_that_is_written_again_as_it_was_did_not_change(ask: Ask) -> None:
    job.execute(ask(WRITE.replace("    return", "    from pathlib import Path\n    Path('in.txt').write_text('text')\n    return")))
    assert Path("out/table").read_text() == "TEXT"


def test_a_repeated_job_writes_the_same_bytes(ask: Ask) -> None:
    job.execute(ask(WRITE))
    first = Path("out/receipt").read_bytes()
    job.execute(ask(WRITE))
    assert Path("out/receipt").read_bytes() == first


def test_the_key_follows_inputs_and_params_but_not_paths_or_threads(ask: Ask) -> None:
    key = ask(WRITE).key
    Path("elsewhere.txt").write_text("text")
    assert ask(WRITE, text="elsewhere.txt", outputs=("table",)).key == key
    Path("elsewhere.txt").write_text("other")
    assert ask(WRITE, text="elsewhere.txt").key != key
    changed = PARAMS.model_copy(update={"seed": 1})
    made = stage("made")
    assert job.call(made, "00000", changed, {"text": (Path("in.txt"),)}, {}, 8).key != key
    assert job.call(made, "00000", PARAMS, {"text": (Path("in.txt"),)}, {}, 8).key == key
    assert job.call(made, "00001", PARAMS, {"text": (Path("in.txt"),)}, {}, 8).key != key


def test_no_byte_is_hashed_twice(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when a job is asked for, has run, goes into the cache, is restored, or is input of the next."""
    Path(".dvc").mkdir()
    read: list[bytes] = []
    original = digest.file_md5
    monkeypatch.setattr(digest, "file_md5", lambda path: read.append(path.read_bytes()) or original(path))
    job.execute(ask(WRITE))
    assert sorted(read)[:3] == [b"0", b"TEXT", b"text"]
    assert len(read) == 4, "the receipt is the fourth"
    shutil.rmtree("out")
    assert job.restore(ask(WRITE))
    job.execute(ask(WRITE.replace("upper", "lower"), text="out/table", outputs=("table", "model")))
    listing, *new = read[4:]
    assert b"weights" in listing, "of the folder, read to restore it"
    assert sorted(new) == [b"0", b"text"], "the files that the second body wrote"


@pytest.mark.parametrize("kind", LINK_TYPES)
def test_a_body_cannot_change_a_cached_file_through_a_link(kind: str, ask: Ask) -> None:
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text(f"[cache]\n    type = {kind},copy\n")
    job.execute(ask(WRITE))
    shutil.rmtree("out")
    assert job.restore(ask(WRITE))
    cached = {path: path.read_bytes() for path in Path(".dvc/cache/files").rglob("*") if path.is_file()}
    rewriting = WRITE.replace('.write_text(job.input("text").read_text().upper())', '.open("a").write("more")')
    job.execute(ask(rewriting))
    assert Path("out/table").read_text() == "more"
    assert {path: path.read_bytes() for path in cached} == cached


def test_a_missing_input_is_named(ask: Ask) -> None:
    with pytest.raises(SnowError, match=r"made: input text is missing: corpus/00000.parquet; build it first"):
        ask(WRITE, text="corpus/00000.parquet")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("def run(job):\n    job.output('table').write_text('half')\n    raise RuntimeError('broken')", RuntimeError),
        ("def run(job):\n    job.output('table').write_text('only one')\n    return {}", SnowError),  # model is missing
        ("def run(job):\n    job.output('tabel')", SnowError),
        ("def run(job):\n    job.input('texts')", SnowError),
        ("def run(job):\n    return job.params.dedup", AttributeError),  # not declared
        (WRITE.replace('"documents": 1', '"documents": {1}'), TypeError),  # no JSON
        ("def run(job)\n", SyntaxError),
    ],
)
def test_a_failing_body_leaves_nothing_and_earlier_outputs_survive(body: str, error: type[Exception], ask: Ask) -> None:
    with pytest.raises(error):
        job.execute(ask(body))
    assert left() == []
    job.execute(ask(WRITE))
    before = {name: Path(name).read_bytes() for name in left()}
    with pytest.raises(error):
        job.execute(ask(body))
    assert {name: Path(name).read_bytes() for name in left()} == before


def test_the_old_output_is_readable_until_the_new_one_is_whole(ask: Ask) -> None:
    job.execute(ask(WRITE))
    job.execute(
        ask(WRITE.replace('job.output("model").mkdir()', "assert open('out/table').read() == 'TEXT'; job.output(\"model\").mkdir()"))
    )


def test_a_folder_is_replaced_as_a_whole(ask: Ask) -> None:
    job.execute(ask(WRITE))
    Path("out/model/stale").touch()
    job.execute(ask(WRITE))
    assert sorted(path.name for path in Path("out/model").iterdir()) == ["weights"]


def test_outputs_may_lie_behind_a_link_to_another_disk(ask: Ask, tmp_path: Path) -> None:
    disk = Path("/dev/shm")
    if not disk.is_dir() or not os.access(disk, os.W_OK) or disk.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second writable file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=disk) as elsewhere:
        Path("out").symlink_to(elsewhere)
        for _ in range(2):
            job.execute(ask(WRITE))
        assert sorted(path.relative_to(elsewhere).as_posix() for path in Path(elsewhere).rglob("*")) == [
            "model",
            "model/weights",
            "receipt",
            "table",
        ]


KILLED = """
import os, signal
def run(job):
    state = job.work / "state"
    if state.exists():
        job.output("table").write_text(state.read_text())
        return {}
    state.write_text("continued")
    job.output("table").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
EXECUTE = """
import sys; from pathlib import Path; from snow import job; from snow import params; from tests.bodies import stage
given = {"text": (Path("in.txt"),)}, {"table": Path("out/table")}
job.execute(job.call(stage("made"), "00000", params.load(Path(sys.argv[1])), *given, 1))
"""


def test_a_killed_job_continues_from_its_work_folder(ask: Ask) -> None:
    ask(KILLED)
    command = [sys.executable, "-c", EXECUTE, str(ROOT / "params.yaml")]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{Path.cwd()}"}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert not Path("out").exists()
    job.sweep_staging()
    assert [Path(name).name for name in left()] == ["state"]
    subprocess.run(command, env=environment, check=True)
    assert Path("out/table").read_text() == "continued"
    assert left() == ["out/table"]


def test_the_sweep_leaves_running_jobs_alone(ask: Ask) -> None:
    asked = ask(WRITE.replace("def run(job):", "def run(job):\n    from snow.job import sweep_staging\n    sweep_staging()"))
    job.execute(asked)
    assert Path("out/table").exists()


def test_inputs_and_outputs_are_asked_for_by_name(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    made = Job("all", None, {"one": (one,), "two": (one, two)}, {"out": two}, 1, tmp_path, "key")
    assert made.input("one") == one
    assert made.output("out") == two
    with pytest.raises(SnowError, match="--input two needs exactly one path, got 2"):
        made.input("two")
    with pytest.raises(SnowError, match="--input three needs exactly one path, got 0"):
        made.input("three")
    with pytest.raises(SnowError, match="--output receipt PATH is missing"):
        made.output("receipt")


def test_a_source_that_changes_under_a_job_is_not_recorded(ask: Ask) -> None:
    """Its key speaks of the source as it was when the job began."""
    asked = ask(
        """
        from pathlib import Path


        def run(job):
            job.output("table").write_text(Path("outside").read_text())
            return {}
        """
    )
    Path("bodies/told.py").write_text(
        "from pathlib import Path\n\n\ndef fingerprint(params, env):\n    return dict.fromkeys(params, Path('outside').read_text())\n"
    )
    Path("outside").write_text("before")
    made = replace(stage("made"), fingerprint="bodies.told")
    again = job.call(made, "00000", PARAMS, asked.inputs, {name: asked.outputs[name] for name in ("table", "receipt")}, 1)
    Path("outside").write_text("after")
    with pytest.raises(SnowError, match="made 00000: what it reads outside the repository changed while it ran"):
        job.execute(again)
    assert left() == []
