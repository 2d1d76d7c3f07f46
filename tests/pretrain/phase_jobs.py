"""A tiny model trained on packed standard library code, in this process or as the command a user would type."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import forked
from tests.stage_runs import changed, run
from tests.tokens.token_jobs import SPECIAL, corpus, write_documents, write_heldout

ARCHITECTURE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
MODEL = {
    "begin_from": "scratch",
    "train_on": "corpus",
    "tokens": 24 * 8 * 64,
    "repetitions": 1,
    "sequence_length": 64,
    "batch_size": 8,
    "micro_batch_size": 4,
    "schedule": {"kind": "cosine", "warmup_steps": 3, "max_lr": 4.0e-3, "min_lr": 4.0e-4},
    "engine": {
        "zero_stage": 0,
        "precision": "fp32",
        "offload_optimizer": False,
        "kernels": "liger",
        "compile": False,
        "activation_checkpointing": "none",
    },
    "checkpoint_steps": 5,
    "validate_steps": 8,
    "validate_tokens": 1024,
}


@dataclass(frozen=True)
class Data:
    """Packed tokens of two shards and of their held-out repositories, and their tokenizer."""

    folder: Path

    @property
    def inputs(self) -> dict[str, list[Path]]:
        """What `snow pretrain` takes, by name."""
        named = {
            name: [self.folder / token_set / f"{shard:05}{suffix}" for shard in range(2)]
            for name, token_set, suffix in (
                ("tokens:corpus", "corpus", ".bin"),
                ("index:corpus", "corpus", ".index.parquet"),
                ("heldout", "heldout-bpe", ".bin"),
                ("heldout_index", "heldout-bpe", ".index.parquet"),
            )
        }
        return named | {"tokenizer": [self.folder / "tokenizer"]}


def make_data(folder: Path) -> Data:
    """Documents of half the repositories in each of two shards; `email` is held out."""
    documents = corpus()
    heldout = write_heldout(folder / "heldout.json", ["email"])
    shards = [write_documents(folder / f"{shard}.parquet", documents[shard::2]) for shard in range(2)]
    small = {"tokenizers.bpe": {"vocab_size": 600, "sample_bytes": 400_000, "special_tokens": list(SPECIAL)}}
    run("tokenizer", "bpe", folder, {"documents": shards, "heldout": heldout}, {"tokenizer": folder / "tokenizer"}, small)
    for token_set, repositories in (("corpus", "left_out"), ("heldout-bpe", "only")):
        for shard, path in enumerate(shards):
            inputs = {"documents": path, repositories: heldout, "tokenizer": folder / "tokenizer"}
            place = folder / token_set
            outputs = {"tokens": place / f"{shard:05}.bin", "index": place / f"{shard:05}.index.parquet"}
            run("pack", f"{token_set}/{shard:05}", folder, inputs, outputs)
    return Data(folder)


def changes_of(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """What makes a model of params.yaml the tiny one, some of its params changed."""
    return {"architecture": ARCHITECTURE, f"models.{name}": MODEL | changes}


def train(data: Data, folder: Path, name: str = "phase1", given: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The facts of one model trained in this process into `folder/model`."""
    return run("pretrain", name, folder, data.inputs | (given or {}), {"model": folder / "model"}, changes_of(name, changes))


def command(data: Data, folder: Path, workers: int = 1, **changes: Any) -> list[str]:
    """The command line of phase 1, to be run in `folder`; its model is `folder/model`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(changed(changes_of("phase1", changes))))
    python = str(forked.environments() / "torch/bin/python")
    launcher = [python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(workers)] if workers > 1 else [python]
    inputs = [word for name, paths in data.inputs.items() for word in ("--input", name, *map(str, paths))]
    return [*launcher, "-m", "snow", "pretrain", "phase1", *inputs, "--output", "model", "model", "--output", "receipt", "receipt.json"]


def environment() -> dict[str, str]:
    """One thread, as in this process's runs."""
    return os.environ | {"OMP_NUM_THREADS": "1"}


def finish(arguments: list[str], folder: Path) -> None:
    """Run a command to its end; what it said is the failure's message."""
    done = subprocess.run(arguments, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def log(model: Path) -> list[dict[str, Any]]:
    """The records of a model's log."""
    return [json.loads(line) for line in (model / "log.jsonl").read_text().splitlines()]


def digest(model: Path) -> dict[str, str]:
    """SHA-256 of every file of a model folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(model.iterdir())}
