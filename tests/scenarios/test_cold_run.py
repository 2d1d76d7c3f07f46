"""S1, S2 and the issue's own words: a fresh clone, one command, every artifact there and readable as users read it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from snow import params, stages
from snow.tables import DOCUMENTS

from .workspace import Clone


def test_every_artifact_exists_and_both_tools_are_clean(finished: Clone) -> None:
    loaded = params.load(finished.path / "params.yaml")
    files = [finished.path / file for files in stages.graph(loaded).artifacts.values() for file in files]
    assert [file for file in files if not file.exists()] == []
    assert finished.nothing_to_do()


def test_running_again_executes_nothing(clone: Clone) -> None:
    again = clone.snakemake("all")
    assert "Nothing to be done" in again.stdout + again.stderr
    assert clone.executed() == set()


def test_documents_are_parquet_any_tool_reads(finished: Clone) -> None:
    import datasets

    files = sorted((finished.path / "corpus/decontaminated").glob("*.parquet"))
    tables = [pq.read_table(file) for file in files]
    assert all(table.schema.equals(DOCUMENTS) for table in tables)
    loaded = datasets.load_dataset(
        "parquet", data_files=[str(file) for file in files], split="train", cache_dir=str(finished.path / "cache")
    )
    assert loaded.num_rows == sum(table.num_rows for table in tables) > 50


def test_token_files_are_what_their_index_says(finished: Clone) -> None:
    for index in (finished.path / "tokens").rglob("*.index.parquet"):
        table = pq.read_table(index)
        dtype = np.dtype(table.schema.metadata[b"dtype"].decode())
        tokens = index.with_name(index.name.replace(".index.parquet", ".bin")).stat().st_size // dtype.itemsize
        assert sum(table["tokens"].to_pylist()) == tokens


MODELS = ("phase1", "phase2", "control", "phase3")


@pytest.mark.parametrize("model", MODELS)
def test_every_checkpoint_generates(finished: Clone, model: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = finished.path / "models" / model
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForCausalLM.from_pretrained(folder)
    given = tokenizer("def add(a, b):", return_tensors="pt", return_token_type_ids=False)
    assert network.generate(**given, max_new_tokens=4, do_sample=False).shape[1] == given["input_ids"].shape[1] + 4


def test_phases_begin_from_each_other_and_the_log_says_how_they_went(finished: Clone) -> None:
    for model in MODELS:
        log = [json.loads(line) for line in (finished.path / "models" / model / "log.jsonl").read_text().splitlines()]
        assert all(np.isfinite(row["loss"]) for row in log if "loss" in row)
    facts = {model: json.loads((finished.path / f"receipts/pretrain/{model}.json").read_text()) for model in MODELS}
    assert facts["phase2"]["inputs"]["model"][0][0] == "models/phase1"
    assert facts["control"]["inputs"]["model"] == facts["phase2"]["inputs"]["model"]
    assert facts["phase3"]["inputs"]["model"][0][0] == "models/phase2"


def test_the_report_contains_its_numbers(finished: Clone) -> None:
    page = (finished.path / "report/index.html").read_text()
    raw = sum(json.loads(file.read_text())["facts"]["documents"] for file in (finished.path / "receipts/collect").glob("*.json"))
    assert f"{raw:,}" in page
    assert "<script src" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert (finished.path / "report/tables.md").read_text().count("|") > 20
    json.loads((finished.path / "report/tables.json").read_text())
