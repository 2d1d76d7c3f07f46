"""The command line: quick to ask, clear about mistakes, and every rule's line runs by hand."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snow import cli, source_code
from snow.errors import SnowError
from snow.stages import STAGES, stage
from snow.tables import DOCUMENTS, TableWriter, document_id, read_rows

ROOT = Path(__file__).parents[1]
HEAVY = ("numpy", "pyarrow", "pydantic", "yaml", "torch", "transformers", "dvc", "snakemake", "numba", "importlib.metadata")


def snow(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "SNOW_PARAMS"}
    command = [sys.executable, "-m", "snow", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_help_takes_less_than_a_third_of_a_second() -> None:
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert snow("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3


def test_help_imports_nothing_heavy() -> None:
    script = "import sys; from snow import cli; cli.parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_a_module_and_a_command(name: str) -> None:
    assert source_code.module_path(STAGES[name].module) is not None
    options = cli.parser().parse_args([name, "00000", "--input", "a", "x", "y", "--input", "b", "z", "--output", "c", "w"])
    assert options.input == [["a", "x", "y"], ["b", "z"]]


def test_a_reader_that_stops_early_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "snow", "params"]
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_an_unknown_stage_is_told_the_known_ones() -> None:
    done = snow("deduplicate")
    assert done.returncode == 2
    assert "'deduplicate'" in done.stderr
    assert "decontaminate" in done.stderr
    with pytest.raises(SnowError, match=r"there is no stage 'deduplicate'; the stages are collect, partition, measure, "):
        stage("deduplicate")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--params", "nosuch.yaml"), "nosuch.yaml: No such file or directory; give the params file with --params"),
        (("--params", "wrong.yaml"), "wrong.yaml: seed"),
        (("--input", "documents", "nosuch.parquet"), "input documents is missing: nosuch.parquet"),
        (("--output", "signals", "s.parquet"), "--input documents needs exactly one path, got 0"),
        (("--input", "documents", "broken.parquet", "--output", "signals", "s.parquet"), "broken.parquet is not a readable Parquet file"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "wrong.yaml").write_text((ROOT / "params.yaml").read_text().replace("seed: ", "seed: x", 1))
    (tmp_path / "broken.parquet").write_text("text")
    done = snow("measure", "00000", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("snow measure: ")
    assert says in sentence
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "s.parquet").exists()


def test_two_stages_run_by_hand(tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    texts = [(Path(os.__file__).parent / name).read_text() for name in ("os.py", "json/decoder.py")] + ["print 'Python 2'\n" * 10]
    with TableWriter(tmp_path / "raw.parquet", DOCUMENTS) as writer:
        for text in texts:
            columns = {"id": document_id(text), "content": text, "size": len(text.encode())}
            writer.write({"repo": "python", "path": "x.py", "language": "Python", "license": "PSF-2.0"} | columns)
    raw, signals = ("--input", "documents", "raw.parquet"), "signals.parquet"
    done = snow("measure", "00000", *raw, "--output", "signals", signals, "--output", "receipt", "m.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    outputs = ("--output", "documents", "clean.parquet", "--output", "decisions", "decisions.parquet", "--output", "receipt", "c.json")
    done = snow("filter", "00000", *raw, "--input", "signals", signals, *outputs, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["content"] for row in read_rows(tmp_path / "clean.parquet")] == texts[:2]
    receipt = json.loads((tmp_path / "c.json").read_text())
    assert receipt["facts"]["dropped"] == {"drop_unparsable_python": 1}
    assert receipt["spec"]["params"].keys() == {"filters", "opt_out"}
