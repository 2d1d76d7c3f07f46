"""The training section: what each phase cost and reached, and its curves, end to end over the tokens seen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from snow.errors import SnowError
from snow.report.charts import Line, lines, thin
from snow.report.content import Column, Figure, Section, Table
from snow.report.format import cell, count, decimal, general, percent, short
from snow.report.receipts import Receipts, pick

MODELS = {"phase1": "Phase 1", "phase2": "Phase 2", "control": "Control", "phase3": "Phase 3"}
MEANING = {
    "phase1": "general pretraining on the whole corpus",
    "phase2": "continued on the selected documents",
    "control": "phase 2 again, on random documents of the same languages instead of the selected ones",
    "phase3": "continued on the synthetic documents",
}
COLOURS = {"phase1": 0, "phase2": 1, "control": 2, "phase3": 3}

Log = Sequence[Mapping[str, Any]]


def read_logs(paths: Iterable[Path]) -> dict[str, Log]:
    """`models/MODEL/log.jsonl` by model. A log that is not one record per line is a SnowError naming it."""
    logs: dict[str, Log] = {}
    for path in paths:
        try:
            logs[path.parent.name] = [json.loads(line) for line in path.read_text().splitlines() if line]
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise SnowError(f"{path} is not a readable training log ({error}); train {path.parent.name} again") from None
    return logs


def start(receipts: Receipts, model: str) -> int:
    """Tokens the weights had seen before this model's phase began: those of the phases it was begun from."""
    before = receipts.one("pretrain", model)["begin_from"]
    return 0 if before == "scratch" else start(receipts, before) + receipts.one("pretrain", before)["tokens"]


def section(receipts: Receipts, logs: Mapping[str, Log]) -> Section:
    """Every model's pretrain receipt is required; logs may be empty."""
    facts = {model: receipts.one("pretrain", model) for model in MODELS}
    grouped = {"language_repo": "language and repository", "repo": "repository"}[receipts.params()["packing"]["group_by"]]
    begins = {model: MODELS.get(facts[model]["begin_from"], "random weights").lower() for model in MODELS}
    words = (
        f"A causal language model of {short(facts['phase1']['parameters'])} parameters with a vocabulary of "
        f"{cell(pick(receipts.one('tokenizer'), 'vocab_size'), 'count')}. Phase 1 reads the corpus grouped by {grouped}; phase 2 goes "
        f"on from the weights of {begins['phase2']} with the documents the annotator ranked highest; the control goes on from "
        f"{begins['control']} with documents drawn at random from the same languages, so that the difference between the two is what "
        f"selection did; phase 3 goes on from {begins['phase3']} with the synthetic documents. Each has an optimizer and a schedule of "
        "its own. Curves are drawn over all tokens the weights have seen."
    )
    return Section("training", "Training", [words, *_figures(receipts, logs), _table(receipts), *_cuts(receipts)])


def _table(receipts: Receipts) -> Table:
    columns = (
        Column("model", "model", "text"),
        Column("begin_from", "begins from", "text"),
        Column("steps", "steps"),
        Column("tokens", "tokens trained"),
        Column("unique_tokens", "unique tokens"),
        Column("passes", "passes", "general"),
        Column("flop", "FLOP (6ND)", "power"),
        Column("train_loss", "training", "decimal", "loss at the end"),
        Column("heldout_loss", "held-out", "decimal", "loss at the end"),
        Column("heldout_bits_per_byte", "held-out bits/byte", "decimal", "loss at the end"),
    )
    rows = []
    for model, name in MODELS.items():
        facts = receipts.one("pretrain", model)
        rows.append((name, MODELS.get(facts["begin_from"], "random weights").lower(), *(pick(facts, column.key) for column in columns[2:])))
    first = receipts.one("pretrain", "phase1")
    notes = [
        "Losses are nats per token: of the last step's batch, and of the held-out text. Lower is better.",
        f"Held out while training: {_amount(first, 'heldout_tokens')} tokens, {_amount(first, 'heldout_bytes')} bytes, from "
        "repositories no phase trains on. The evaluation below measures more of them.",
    ]
    return Table("training", "Phases", columns, tuple(rows), tuple(notes))


def _amount(facts: Mapping[str, Any], key: str) -> str:
    value = pick(facts, key)
    return "an unrecorded number of" if value is None else count(value)


def _cuts(receipts: Receipts) -> list[str]:
    """What to know where a phase trained for less than params.yaml asked."""
    told = []
    for model, name in MODELS.items():
        facts = receipts.one("pretrain", model)
        if pick(facts, "horizon_cut"):
            phase = receipts.params()["pretrain"][model]
            told.append(
                f"{name} was to see {count(phase['tokens'])} tokens; {phase['repetitions']} passes over its "
                f"{count(facts['unique_tokens'])} unique tokens allow {count(facts['tokens'])} "
                f"({percent(facts['tokens'] / phase['tokens'])})."
            )
    return told


def _figures(receipts: Receipts, logs: Mapping[str, Log]) -> list[Figure]:
    if not any(logs.values()):
        return []

    def curves(key: str, smooth: bool, dots: bool = False) -> list[Line]:
        drawn = []
        for model, name in MODELS.items():
            begin = start(receipts, model)
            points = [
                (float(begin + record["tokens"]), float(record[key])) for record in logs.get(model, ()) if record.get(key) is not None
            ]
            drawn.append(
                Line(name, thin(points) if smooth else points, COLOURS[model], dashed=model == "control", dots=dots and len(points) <= 60)
            )
        return drawn

    def chart(title: str, key: str, unit: str, caption: str, smooth: bool = True, dots: bool = False, zero: bool = False) -> Figure:
        svg = lines(
            curves(key, smooth, dots),
            name=title,
            x_label="tokens seen",
            y_label=unit,
            x_text=short,
            y_text=general if key == "lr" else _rounded,
            zero=zero,
            height=240 if key == "lr" else 320,
        )
        return Figure(title, (svg,), caption)

    return [
        chart(
            "Training loss",
            "loss",
            "nats per token",
            "Each phase reads other documents, so a jump between phases is a change of data as well as of the model.",
        ),
        chart(
            "Held-out bits per byte",
            "heldout_bits_per_byte",
            "bits per byte",
            "The same held-out text in every phase; lower is better. It resembles the whole corpus, not the benchmarks.",
            smooth=False,
            dots=True,
        ),
        chart("Learning rate", "lr", "learning rate", "Every phase has a schedule of its own.", zero=True),
    ]


def _rounded(value: float) -> str:
    return decimal(value).rstrip("0").rstrip(".")
