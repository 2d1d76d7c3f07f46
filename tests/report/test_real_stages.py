"""The corpus section on what the corpus stages really write, so that a fact renamed there is noticed here."""

from __future__ import annotations

import importlib
import json
import sysconfig
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import recorded

from snow import params as settings
from snow.corpus import units
from snow.errors import SnowError
from snow.job import Job
from snow.report import funnel, synthetic
from snow.report.contaminated import read_matches
from snow.report.receipts import Receipts
from snow.report.run import Run
from snow.report.scores import read_scores
from snow.stages import STAGES
from snow.synthesis import refine

LIBRARY = Path(sysconfig.get_path("stdlib"))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """The corpus stages on copies of a few standard library packages, one shard; the later stages as recorded."""
    folder = tmp_path_factory.mktemp("corpus")
    for repo, package in (("one", "json"), ("two", "email"), ("three", "json"), ("four", "logging")):
        (folder / "code" / repo).mkdir(parents=True)
        (folder / "code" / repo / "LICENSE").write_text("SPDX-License-Identifier: MIT\n")
        for path in sorted((LIBRARY / package).glob("*.py")):
            (folder / "code" / repo / path.name).write_text(path.read_text())
    sources = [{"name": "folders", "kind": "folder", "paths": [str(folder / "code")], "license": "MIT"}]
    params = settings.check(recorded.VALUES | {"shards": 1, "sources": sources}, "test")
    found = {(receipt["stage"], receipt["instance"]): receipt for receipt in recorded.receipts(recorded.declared())}
    found = {key: receipt for key, receipt in found.items() if key[0] not in recorded.corpus("00000")}

    def execute(stage: str, instance: str, inputs: dict[str, tuple[str, ...]], outputs: dict[str, str]) -> None:
        for path in outputs.values():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
        keys = STAGES[stage].job(params, instance).params
        view = settings.view(params, keys)
        given = {name: tuple(folder / path for path in paths) for name, paths in inputs.items()}
        job = Job(instance, view, given, {name: folder / path for name, path in outputs.items()}, 1, folder / ".snow/work", "key")
        facts = json.loads(json.dumps(importlib.import_module(STAGES[stage].module).run(job), sort_keys=True))
        spec: dict[str, Any] = {"params": settings.subset(params, keys.values()), "code": "", "packages": {}}
        found[stage, instance] = {"stage": stage, "instance": instance, "key": "", "facts": facts, "spec": spec, "outputs": {}}

    shard = "00000"
    execute("collect", shard, {}, {"documents": "raw.parquet", "repositories": "repositories.parquet"})
    execute("partition", "all", {"documents": ("raw.parquet",)}, {"documents": "partitioned"})
    execute("measure", shard, {"documents": ("partitioned/00000.parquet",)}, {"signals": "signals.parquet"})
    tables = {"documents": "filtered.parquet", "decisions": "decisions.parquet"}
    execute("filter", shard, {"documents": ("partitioned/00000.parquet",), "signals": ("signals.parquet",)}, tables)
    execute("minhash", shard, {"documents": ("filtered.parquet",)}, {"signatures": "signatures/00000.parquet"})
    execute("duplicates", "all", {"signatures": ("signatures/00000.parquet",)}, {"duplicates": "duplicates"})
    execute(
        "unique", shard, {"documents": ("filtered.parquet",), "duplicates": ("duplicates/00000.parquet",)}, {"documents": "unique.parquet"}
    )
    execute("suite", "humaneval", {}, {"suite": "suites/humaneval.jsonl"})
    outputs = {"documents": "decontaminated.parquet", "matches": "matches.parquet"}
    execute("decontaminate", shard, {"documents": ("unique.parquet",), "suites": ("suites/humaneval.jsonl",)}, outputs)
    execute("holdout", "all", {"documents": ("decontaminated.parquet",)}, {"heldout": "heldout.json"})
    return Run(recorded.view(recorded.declared()), Receipts(found.values()), {}, {}, read_matches([folder / "matches.parquet"]), {}, {})


def test_the_funnel_reads_what_the_stages_write(run):
    steps = {step.name: step for step in funnel.steps(run)}
    json_files = len(list((LIBRARY / "json").glob("*.py")))
    assert steps["unique"].dropped["exact copy"] == json_files, "json was copied whole"
    assert steps["collected"].documents - steps["filter"].dropped_total == steps["filter"].documents
    assert steps["filter"].documents - steps["unique"].dropped_total == steps["unique"].documents
    assert steps["unique"].documents - steps["decontaminate"].dropped_total == steps["decontaminate"].documents
    assert 0 < steps["decontaminate"].bytes < steps["unique"].bytes + 1 < steps["collected"].bytes


def test_every_reason_of_every_stage_is_known_to_the_report():
    stated = {value for name, value in vars(units).items() if name.isupper() and isinstance(value, str) and value.isidentifier()}
    assert stated <= funnel.REASONS.keys()
    assert tuple(synthetic.REASONS) == refine.REASONS


def test_the_section_is_whole(run):
    section = funnel.section(run)
    names = [block.name for block in section.blocks if isinstance(block, funnel.Table)]
    assert names == [
        "funnel",
        "token_sets",
        "dropped",
        "dropped_languages",
        "languages",
        "sources",
        "licenses",
        "decontamination",
        "contaminated",
    ]


def test_scores_of_another_run_are_refused(tmp_path):
    path = tmp_path / "scores.parquet"
    path.write_bytes(b"PAR1 torn")
    with pytest.raises(SnowError, match=r"scores\.parquet is not a readable Parquet file"):
        read_scores([path])


def test_a_score_of_exactly_one_is_counted(tmp_path):
    columns = {"language": ["Python"] * 3, "repo": ["r"] * 3, "path": ["p"] * 3, "score": pa.array([0.0, 0.5, 1.0], pa.float32())}
    pq.write_table(pa.table(columns), tmp_path / "s.parquet")
    scores = read_scores([tmp_path / "s.parquet"])
    assert scores.histograms["Python"].sum() == 3
    assert (scores.highest[0].score, scores.lowest[0].score) == (1.0, 0.0)
