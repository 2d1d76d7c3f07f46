"""File times that mean nothing, shards that come and go, files that share an inode: at the first look both tools are right."""

from __future__ import annotations

import os
import random
import subprocess
import time

import pytest

from .workspace import Clone

pytestmark = pytest.mark.slow  # tests/model plays the same on a recipe of seconds

OUTS = ("corpus", "suites", "tokenizers", "tokens", "models", "quality", "synthetic", "eval", "report", "receipts", ".snow/spec", "logs")


def files(clone: Clone) -> list[str]:
    return [str(file) for out in OUTS for file in sorted((clone.path / out).rglob("*"))]


def test_random_times_mean_nothing(clone: Clone) -> None:
    for seed in range(3):
        choose = random.Random(seed)
        for file in files(clone):
            moment = choose.uniform(0, 2**31)  # up to 2038
            os.utime(file, (moment, moment))
        assert clone.nothing_to_do()


def test_inputs_from_the_future_stop_no_job(clone: Clone) -> None:
    future = time.time() + 5 * 365 * 86400
    for file in files(clone):
        os.utime(file, (future, future))
    clone.set_param("selections.best.tokens", 5000)
    clone.snakemake("all")
    assert "select all" in clone.executed()
    assert clone.nothing_to_do()


def test_shards_come_and_go(clone: Clone) -> None:
    clone.git("checkout", "-qb", "more")
    clone.set_param("shards", 3)
    clone.snakemake("corpus-decontaminated")
    clone.git("commit", "-qam", "three shards")
    clone.git("checkout", "-q", "main")
    clone.dvc("checkout")
    assert clone.nothing_to_do()
    clone.executed()
    clone.git("checkout", "-q", "more")
    clone.dvc("checkout")
    planned = clone.planned()
    assert planned == clone.outdated("outdated", "missing", "waiting")
    assert planned.isdisjoint({"collect", "partition", "measure", "filter", "decontaminate"})
    clone.snakemake("corpus-decontaminated")
    assert clone.executed() == set()


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_links_to_the_cache(clone: Clone, kind: str) -> None:
    """Equal files of different stages are one file under hard links, and have one time."""
    clone.dvc("config", "cache.type", kind)
    clone.dvc("checkout", "--relink")
    assert clone.nothing_to_do()
    clone.set_param("filters.max_line_length", 999)
    assert clone.planned() == clone.outdated("outdated", "missing", "waiting")
    assert "collect" not in clone.planned()
    clone.snakemake("all")
    assert {job.split()[0] for job in clone.executed()} <= {"filter", "report"}
    assert clone.nothing_to_do()
    clone.set_param("filters.max_line_length", 1000)
    clone.snakemake("all")
    assert clone.executed() == set()
    assert clone.nothing_to_do()


def test_what_is_gone_is_made_again_and_named(clone: Clone) -> None:
    before = clone.contents()
    for name in ("corpus/signals/00001.parquet", "receipts/unique/00000.json", "logs/minhash/00000.tsv"):
        (clone.path / name).unlink()
    subprocess.run(["rm", "-rf", str(clone.path / ".snakemake")], check=True)
    assert clone.outdated() == {"measure", "unique", "report"}
    assert clone.planned() == clone.outdated("outdated", "missing", "waiting")
    clone.snakemake("all")
    assert clone.executed() == set()
    assert clone.contents() == before
    assert clone.nothing_to_do()


def test_an_edited_receipt_vouches_for_nothing(clone: Clone) -> None:
    before = clone.contents()
    receipt = clone.path / "receipts/collect/00000.json"
    text = receipt.read_text()
    receipt.write_text(text.replace('"documents": ', '"documents":  ', 1))
    assert clone.outdated() == {"collect", "report"}  # which reads every receipt
    clone.snakemake("all")
    assert clone.executed() == set()
    assert clone.contents() == before
