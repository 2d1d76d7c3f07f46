"""CONTRIBUTING.md is true: its blocks applied to a finished run, its commands executed, and what a user then sees."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from .workspace import ROOT, Clone

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
SECTIONS = dict(re.findall(r"(?ms)^## (.+?)\n(.*?)(?=^## |\Z)", GUIDE))
BLOCK = re.compile(r"(?ms)^```(\w+)(?: (\S+))?\n(.*?)^```$")


@pytest.fixture(scope="module")
def clone(finished: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the finished clone to which the sections are applied one after the other."""
    copied = finished.copy(tmp_path_factory.mktemp("contributing") / "clone")
    copied.executed()
    return copied


def followed(clone: Clone, title: str) -> list[str]:
    """Do what a section says: write its files, apply its diffs, execute its commands. What each command printed."""
    printed = []
    for language, file, text in BLOCK.findall(SECTIONS[title]):
        if language == "sh":
            printed += [executed(clone, re.sub(r"\s+#.*", "", line)) for line in text.splitlines()]
        elif language == "diff":
            applied = subprocess.run(["git", "apply"], cwd=clone.path, input=text, text=True, capture_output=True, check=False)
            assert applied.returncode == 0, applied.stderr
        elif file == "params.yaml":
            (clone.path / file).write_text(yaml.safe_dump(added(clone.params(), yaml.safe_load(text)), sort_keys=False))
        else:
            (clone.path / file).parent.mkdir(exist_ok=True)
            (clone.path / file).write_text(text)
    return printed


def executed(clone: Clone, command: str) -> str:
    """What a command of the guide printed; `snow why` exits with 1 where there is something to do."""
    done = clone.run("bash", "-c", command, check=not command.startswith("snow why"))
    assert done.returncode <= 1, done.stderr
    return done.stdout + done.stderr


def added(params: Any, more: Any) -> Any:
    """Entries that a block adds to mappings and lists of params.yaml."""
    if isinstance(params, list):
        return params + more
    return {**params, **{key: added(params[key], value) if key in params else value for key, value in more.items()}}


def facts(clone: Clone, stage: str, instance: str) -> dict[str, Any]:
    """What a job's receipt says."""
    return json.loads((clone.path / f"receipts/{stage}/{instance}.json").read_text())


def rows(clone: Clone, pattern: str) -> list[dict[str, Any]]:
    """The rows of tables."""
    return [row for file in sorted(clone.path.glob(pattern)) for row in pq.read_table(file).to_pylist()]


def test_every_section_with_commands_is_tested_here() -> None:
    shown = {title for title, text in SECTIONS.items() if "```sh" in text}
    assert shown == {"An arm", "An annotator", "A suite", "A source kind", "A stage"}


def test_an_arm_executes_its_own_jobs(clone: Clone) -> None:
    lock = (clone.path / "dvc.lock").read_text()
    why, _ = followed(clone, "An arm")
    assert "bits: 1 of 1 jobs not made yet" in why
    measured = {f"{stage} mixed/humaneval" for stage in ("complete", "judge", "preference")}
    assert clone.executed() == {"pretrain mixed", *measured, "bits mixed", "report all"}
    assert {"tokens:best", "tokens:synthetic"} <= set(facts(clone, "pretrain", "mixed")["inputs"])
    assert "A fifth of synthetic code in phase 2" in (clone.path / "report/index.html").read_text()
    assert (clone.path / "dvc.lock").read_text() == lock


def test_an_annotator_scores_and_selects(clone: Clone) -> None:
    followed(clone, "An annotator")
    assert clone.executed() == {"annotate tops", "score tops/00000", "score tops/00001", "select best-tops"}
    scores, before = rows(clone, "quality/tops/scores/*.parquet"), rows(clone, "quality/hqins/scores/*.parquet")
    assert [row["id"] for row in scores] == [row["id"] for row in before]
    assert [row["score"] for row in scores] != [row["score"] for row in before]
    selected = {row["id"] for row in rows(clone, "quality/selections/best-tops/*.parquet")}
    assert selected
    assert selected < {row["id"] for row in scores}
    assert not (clone.path / "models/mixed").exists(), "the arm of the section before is taken away again"


def test_a_suite_clears_the_corpus_and_is_evaluated(clone: Clone) -> None:
    followed(clone, "A suite")
    evaluated = {"complete phase1/strings", "judge phase1/strings", "bits phase1", "mutate strings", "preference phase1/strings"}
    assert clone.executed() == {"suite strings", "decontaminate 00000", "decontaminate 00001"} | evaluated
    cleared = facts(clone, "decontaminate", "00000")["facts"]["suites"]["strings"]
    assert (cleared["tasks"], cleared["findable_tasks"]) == (2, 2)
    assert facts(clone, "judge", "phase1/strings")["facts"]["canonical"] == {"checked": 2, "passed": 2}
    verdicts = (clone.path / "eval/phase1/strings/verdicts.jsonl").read_text().splitlines()
    assert [json.loads(line)["task_id"] for line in verdicts] == ["strings/0", "strings/1"]


def test_a_source_kinds_documents_are_in_the_corpus(clone: Clone) -> None:
    why, _ = followed(clone, "A source kind")
    assert "a source changed" in why
    assert "code snow.corpus.sources" in why
    assert "code snow.corpus.csv_files" in why
    documents = {row["path"]: row for row in rows(clone, "corpus/raw/*.parquet") if row["repo"].startswith("snippets.csv")}
    assert {path: row["language"] for path, row in documents.items()} == {"add.py": "Python", "greet.sh": "Shell"}
    assert documents["add.py"]["content"] == "def add(a, b):\n    return a + b\n"
    assert documents["greet.sh"]["license"] == "MIT"
    jobs = clone.executed()
    assert {name for name in jobs if name.startswith(("collect", "report"))} == {"collect 00000", "collect 00001", "report all"}
    assert {name.split()[0] for name in jobs} == {"collect", "partition", "measure", "filter", "report"}
    left = [
        path for path in ("models/mixed", "quality/tops", "suites/strings.jsonl", "eval/phase1/strings") if (clone.path / path).exists()
    ]
    assert left == [], "nothing of an overlay is left"


def test_a_stages_outputs_are_there(clone: Clone) -> None:
    checked, why, _ = followed(clone, "A stage")
    assert checked == "dvc.yaml and the rules agree\n"
    assert "count: 2 of 2 jobs not made yet" in why
    assert {"count 00000", "count 00001", "report all"} <= clone.executed()
    counted = [json.loads((clone.path / f"corpus/counts/{shard}.json").read_text()) for shard in ("00000", "00001")]
    documents = rows(clone, "corpus/decontaminated/*.parquet")
    assert sum(each.get("Python", 0) for each in counted) == sum(row["language"] == "Python" for row in documents) > 50
    assert "corpus/counts" in (clone.path / "dvc.lock").read_text()
    assert clone.nothing_to_do(), "with the source and the stage in params.yaml"


def test_its_code_is_in_the_projects_style(clone: Clone) -> None:
    ruff = str(Path(ROOT, ".envs/dev/bin/ruff"))
    clone.run(ruff, "check", "snow")
    clone.run(ruff, "format", "--check", "snow")
    clone.run(str(Path(ROOT, ".envs/dev/bin/snakefmt")), "--check", "rules")
