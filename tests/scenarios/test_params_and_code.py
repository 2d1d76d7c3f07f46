"""S3, S4, S8, S9, S10, S16: what an edit makes run, in both tools, and what it does not."""

from __future__ import annotations

import json

import pytest

from .workspace import Clone

REFACTORING = ("writer.rows + len(dropped)", "len(dropped) + writer.rows")
TRAINING = {"pretrain phase1", "pretrain phase2", "pretrain control", "pretrain phase3"}


def test_s3_s4_a_param_runs_what_reads_it_and_going_back_computes_nothing(clone: Clone) -> None:
    before = clone.contents()
    clone.set_param("selections.best.tokens", 5000)
    assert clone.outdated() == {"select", "report"}, "the report says what is declared"
    assert clone.planned() == clone.outdated("outdated", "missing", "waiting")
    assert set(json.loads(clone.dvc("status", "--json").stdout)) == {"quality-selections-best", "report"}
    plan = clone.snow("plan", "--json", check=False)
    assert plan.returncode == 1
    told = json.loads(plan.stdout)
    assert {line["stage"] for line in told["stages"]} == clone.planned()
    assert clone.contents() == before, "a dry run changes no content"
    held = {line["stage"]: line["basis"] for line in told["stages"] if line["stage"] != "report"}
    assert set(held.values()) == {"this clone's runs"}
    for cost in (clone.path / "logs/pack").rglob("*.cost.json"):
        cost.write_text(json.dumps(json.loads(cost.read_text()) | {"key": "of another result"}))
    again = json.loads(clone.snow("plan", "--json", check=False).stdout)["stages"]
    assert {line["basis"] for line in again if line["stage"] == "pack"} == {"units.yaml"}
    assert [warning.split()[1] for warning in told["warnings"]] == ["phase2", "control", "phase3"]
    assert all("param selections.best.tokens: 6000 -> 5000" in warning for warning in told["warnings"])
    said = clone.snakemake("all").stderr
    trained = sum(one["tokens"] for one in told["training"] if one["model"] != "phase1")
    assert f", {trained:,.0f} tokens to train on\n" in said, "phase 3's are cut to its repetitions"
    stages = {job.split()[0] for job in clone.executed()}
    assert "select" in stages
    assert stages.isdisjoint(
        {"collect", "partition", "measure", "filter", "minhash", "duplicates", "unique", "decontaminate", "tokenizer", "annotate", "score"}
    )
    assert clone.nothing_to_do()

    clone.set_param("selections.best.tokens", 6000)
    clone.snakemake("all")
    assert clone.executed() == set()
    assert clone.contents() == before
    assert clone.nothing_to_do()
    assert clone.snow("plan").stdout == "nothing to do\n"
    assert "everything is current" in clone.snow("why").stdout


def test_s8_a_comment_a_docstring_or_another_number_of_workers_computes_nothing(clone: Clone) -> None:
    clone.edit("snow/corpus/measure.py", "from __future__ import annotations\n", "from __future__ import annotations\n\n# a remark\n")
    clone.edit("snow/pretrain/stage.py", '"""', '"""Reworded. ')
    clone.set_param("synthetic.inspired.concurrency", 3)
    clone.set_param("evaluation.completion.batch_size", 3)
    clone.snakemake("--cores", "1", "all")
    assert clone.executed() == set()
    assert clone.nothing_to_do()


def test_s9_s10_a_refactoring_with_equal_bytes_runs_its_stage_alone(clone: Clone) -> None:
    clone.edit("snow/corpus/unique.py", *REFACTORING)
    assert clone.outdated() == {"unique"}
    assert "  code snow.corpus.unique.run changed\n" in clone.snow("why", "corpus-unique", check=False).stdout
    clone.snakemake("all")
    executed = clone.executed()
    assert {job.split()[0] for job in executed} == {"unique", "report"}  # the report prints every job's key
    assert executed.isdisjoint(TRAINING)
    assert clone.nothing_to_do()


def test_s10_the_same_through_dvc(clone: Clone) -> None:
    clone.edit("snow/corpus/unique.py", *REFACTORING)
    clone.dvc("repro")
    executed = clone.executed()
    assert {job.split()[0] for job in executed} <= {"unique", "report"}
    assert executed.isdisjoint(TRAINING)
    assert clone.nothing_to_do()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("filters.min_alpha", 0.5, "filters.min_alpha is not a known key"),
        ("dedup.threshold", "high", "dedup.threshold"),
        ("models.phase1.tokens", -1, "models.phase1.tokens"),
    ],
)
def test_s16_wrong_params_are_refused_before_anything_runs(clone: Clone, key: str, value: object, says: str) -> None:
    clone.set_param(key, value)
    done = clone.snakemake("all", check=False)
    assert done.returncode != 0
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert clone.executed() == set()
