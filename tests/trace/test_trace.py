"""`snow trace` on what the corpus stages write: every file's fate, told from as few tables as it takes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from snow import params as settings
from snow import sealed, stages
from snow.corpus import units
from snow.job import Job
from snow.stages import STAGES
from snow.tables import read_rows
from snow.trace import find, run
from snow.trace.lookup import Recipe
from tests import stage_runs
from tests.corpus.corpus_stages import standard_library

CORPUS = ("suite", "collect", "partition", "measure", "filter", "redact", "minhash", "duplicates", "unique", "decontaminate", "holdout")
MARKERS = {"email": "<EMAIL>", "ip_address": None, "key": None, "password": "<PASSWORD>"}
Trace = Callable[..., tuple[int, str, str]]


def code(folder: Path) -> None:
    """Repositories with a copy, a near-copy, a file too short, one that is not free, one nobody collects, and a benchmark's solution."""
    modules = standard_library(30)
    files = {f"lib{number % 6}/{name}": text for number, (name, text) in enumerate(modules[:24])}
    files["fork/deep/down/copy.py"] = modules[0][1]
    files["fork/deep/down/near.py"] = modules[1][1] + "\n\nSEEN = True\n"
    files["small/tiny.py"] = "x = 1\n"
    files["small/notes.bin"] = "nothing to collect"
    files["closed/secret.py"] = modules[25][1]
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        licence = "GPL-3.0-only" if path.startswith("closed/") else "MIT"
        (folder / path.partition("/")[0] / "LICENSE").write_text(f"SPDX-License-Identifier: {licence}\n")


@pytest.fixture(scope="module", params=[None, MARKERS], ids=["as collected", "redacted"])
def corpus(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The corpus stages over `code` in four shards, in a folder of its own; tests must not change it."""
    folder = tmp_path_factory.mktemp("trace")
    code(folder / "code")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        values = stage_runs.changed({"heldout.fraction": 0.2})
        values |= {"shards": 4, "sources": [{"name": "code", "kind": "folder", "paths": ["code"]}], "redaction": request.param}
        Path("params.yaml").write_text(json.dumps(values))
        params = settings.load(Path("params.yaml"))
        for job in sorted(stages.graph(params).jobs, key=lambda job: job.stage != "suite"):
            if job.stage not in CORPUS:
                continue
            for path in job.files:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            given = {name: tuple(map(Path, paths)) for name, paths in job.inputs.items()}
            made = {name: Path(path) for name, path in job.outputs.items()}
            body = importlib.import_module(STAGES[job.stage].module)
            facts = body.run(Job(job.instance, settings.view(params, job.params), given, made, 1, folder / ".snow/work", "key"))
            told = {"stage": job.stage, "instance": job.instance, "key": "", "facts": facts, "spec": {}, "outputs": {}}
            Path(job.receipt).write_bytes(sealed.dump(told))
            if job.stage == "suite":  # what is collected after it contains one of its solutions
                task = next(iter(read_lines(made["suite"])))
                Path("code/lib0/leak.py").write_text(f"# ann@mail.com, bob@mail.com\n\n\n{task['prompt']}{task['canonical_solution']}\n")
    return folder


def read_lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def trace(corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Trace:
    """`snow trace WORDS` in that folder: exit status, output, errors."""
    monkeypatch.chdir(corpus)
    params = settings.load(Path("params.yaml"))

    def traced(text: str, as_json: bool = False) -> tuple[int, str, str]:
        status = run.run(params, text, as_json)
        return status, *capsys.readouterr()

    return traced


def held_by(corpus: Path, folder: str) -> set[str]:
    """REPOSITORY/PATH of all documents of an artifact."""
    return {f"{row['repo']}/{row['path']}" for path in (corpus / folder).glob("*.parquet") for row in read_rows(path)}


def test_every_document_is_told_where_it_ended(corpus: Path, trace: Trace) -> None:
    left = {name: held_by(corpus, f"corpus/{name}") for name in ("raw", "filtered", "unique", "decontaminated")}
    assert len(left["raw"]) > len(left["filtered"]) > len(left["unique"]) > len(left["decontaminated"])
    for name in left["raw"]:
        status, out, _ = trace(name, as_json=True)
        assert status == 0
        told = json.loads(out)
        assert f"{told['document']['repo']}/{told['document']['path']}" == name
        last = next(stage for stage in ("decontaminated", "unique", "filtered", "raw") if name in left[stage])
        ends = {"raw": "filter", "filtered": "duplicates", "unique": "benchmarks"}
        assert told["steps"][-1]["step"] == ends.get(last, told["steps"][-1]["step"]), name
        assert (last == "decontaminated") == any(step["step"] == "held out" for step in told["steps"])


def test_a_drop_is_told_with_its_cause(trace: Trace) -> None:
    modules = standard_library(30)
    assert "dropped by min_bytes 100: bytes is 6" in trace("small/tiny.py")[1]
    assert f"dropped as exact copy of lib0/{modules[0][0]}, which survives out of 2" in trace("fork/deep/down/copy.py")[1]
    assert f"dropped as near copy of lib1/{modules[1][0]}, which survives out of 2" in trace("near.py")[1]
    assert "survives out of 2; dropped: fork/deep/down/copy.py" in trace(f"lib0/{modules[0][0]}")[1]
    assert "dropped: humaneval HumanEval/0 by" in trace("lib0/leak.py")[1]
    assert "source code, MIT by LICENSE" in trace("lib0/leak.py")[1]


def test_what_was_redacted_is_told_and_both_ids_lead_there(corpus: Path, trace: Trace) -> None:
    if settings.load(Path("params.yaml")).redaction is None:
        assert "redacted" not in trace("lib0/leak.py")[1]
        return
    told = json.loads(trace("lib0/leak.py", as_json=True)[1])
    (step,) = [step for step in told["steps"] if step["step"] == "redacted"]
    assert step["kinds"] == {"email": 2}
    assert told["document"]["id"] != step["id"]
    assert step["id"] in {row["id"] for path in (corpus / "corpus/unique").glob("*.parquet") for row in read_rows(path)}
    for name in (told["document"]["id"], step["id"]):
        assert json.loads(trace(name, as_json=True)[1]) == told
    assert f"email 2; since then document {step['id']}" in trace("lib0/leak.py")[1]


def test_matched_lines_are_told_side_by_side(corpus: Path, trace: Trace) -> None:
    """The document's with their numbers, the task's beside them; as JSON whole."""
    line = "for idx, elem in enumerate(numbers):"
    shown = [row for row in trace("lib0/leak.py")[1].splitlines() if row.count(line) == 2]
    number, _, task = shown[0].partition("|")
    source = (corpus / "code/lib0/leak.py").read_text().splitlines()
    assert source[int(number.split()[0]) - 1].strip() == task.strip() == line
    matches = json.loads(trace("lib0/leak.py", as_json=True)[1])["steps"][-1]["matches"]
    whole = next(match for match in matches if match["method"] == "substring")
    assert source[whole["line"] - 1 :][: len(whole["document_lines"].splitlines())] == whole["document_lines"].splitlines()


def test_what_was_not_made_is_said_and_no_error(trace: Trace) -> None:
    status, out, _ = trace(f"lib2/{standard_library(30)[2][0]}")
    assert status == 0
    assert "not yet: quality/hqins/scores/0000" in out
    assert "not yet: tokens/corpus/0000" in out
    assert "not known before all token sets are here" in out
    status, out, _ = trace("models/phase2")
    assert status == 0
    assert "not made yet: receipts/pretrain/phase2.json does not exist" in out
    assert "source code: " in out


def test_several_are_listed_with_names_of_one_each(trace: Trace) -> None:
    identical = json.loads(trace("fork/deep/down/copy.py", as_json=True)[1])["document"]["id"]
    status, out, _ = trace(identical)
    assert status == 1
    assert out.startswith("2 documents; `snow trace 0000")
    for line in out.splitlines()[1:]:
        address, name = line.split()
        assert trace(address)[1].splitlines()[0] == name
    assert trace("/somewhere/else/fork/deep/down/copy.py")[1].splitlines()[0] == "fork/deep/down/copy.py"


def test_a_repository_is_told_as_a_whole(corpus: Path, trace: Trace) -> None:
    status, out, _ = trace("fork", as_json=True)
    steps = {step["step"]: step for step in json.loads(out)["steps"]}
    assert status == 0
    assert steps["documents"]["fates"] == {"dropped as exact copy": 1, "dropped as near copy": 1}
    clean = [name for name in held_by(corpus, "corpus/decontaminated") if name.startswith("lib0/")]
    steps = {step["step"]: step for step in json.loads(trace("lib0", as_json=True)[1])["steps"]}
    assert steps["documents"]["fates"] == {"kept": len(clean), "dropped, matches a benchmark": 1}
    assert "GPL-3.0-only by LICENSE: 1 source files, 0 documents" in trace("closed")[1]


def test_what_was_left_out_is_told_as_far_as_it_is_known(trace: Trace) -> None:
    status, out, _ = trace("small/notes.bin")
    assert status == 1
    assert "notes.bin is no document" in out
    assert "MIT by LICENSE: 1 source files, 1 documents" in out
    assert "left out, of all repositories in it: " in out
    assert "language" in out
    assert "near it: small/tiny.py" in trace("small/tiny.pyx")[1]


def test_what_is_not_known_is_one_sentence_with_what_is_like_it(trace: Trace) -> None:
    status, out, error = trace("forc")
    assert (status, out) == (1, "")
    assert error == "snow trace: there is no document, repository or artifact 'forc'; near it: fork\n"
    assert "near it: fork/deep/down/near.py" in trace("elsewhere/near.py")[2]
    assert trace("0" * 32)[0] == trace("0" * 64)[0] == 1


def test_a_named_repository_leads_to_its_shard_alone(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = settings.load(corpus / "params.yaml")
    recipe = Recipe(params, stages.graph(params))
    mine = _linked(recipe, corpus).shard_of("fork")
    looked_up = {recipe.shards[units.rank(name) % 4] for name in ("fork", "fork/deep", "fork/deep/down", "fork/deep/down/near.py")}
    for shard in recipe.shards:
        for path, needed in ((recipe.documents(shard), {mine}), (recipe.made("repositories", "collect", shard), looked_up)):
            if shard not in needed:
                path.unlink()
                path.write_bytes(b"whoever reads this fails")
    found = find.find(recipe, "fork/deep/down/near.py")
    assert [one.path for one in found.documents] == ["deep/down/near.py"]
    assert find.find(recipe, "fork").of == "fork"


def _linked(recipe: Recipe, corpus: Path) -> Recipe:
    """Links to the tables of documents and repositories in the present folder."""
    tables = [path for shard in recipe.shards for path in (recipe.documents(shard), recipe.made("repositories", "collect", shard))]
    for path in (*tables, Path(recipe.graph.by_name["partition all"].receipt)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(corpus / path)
    return recipe
