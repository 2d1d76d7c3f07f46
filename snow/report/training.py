"""The training section: what each model cost and reached, and its curves, end to end over the tokens seen."""

from __future__ import annotations

from typing import Any

from snow.report.charts import Line, lines, thin
from snow.report.content import Figure, Section, Table, columns
from snow.report.format import cell, count, decimal, general, percent, short
from snow.report.receipts import Facts, pick
from snow.report.run import Run, listed


def section(run: Run) -> Section:
    """Every model's pretrain receipt is required."""
    words = (
        f"Causal language models of {short(run.trained(run.last)['parameters'])} parameters with a vocabulary of "
        f"{cell(run.vocabulary(run.last), 'count')}. {listed([f'{name} is {run.meaning(name)}' for name in run.path])}. Each has an "
        "optimizer and a schedule of its own. Curves are drawn over all tokens the weights have seen."
    )
    return Section("training", "Training", [words, *_figures(run), _table(run), *_mixtures(run), *_cuts(run)])


def _table(run: Run) -> Table:
    losses = {"train_loss": "training", "heldout_loss": "held-out", "heldout_bits_per_byte": "held-out bits/byte"}
    numbers = [
        *columns("count", steps="steps", tokens="tokens trained", unique_tokens="unique tokens"),
        *columns("general", passes="passes"),
        *columns("power", flop="FLOP (6ND)"),
        *columns("decimal", "loss at the end", **losses),
    ]
    rows = [
        (name, run.origin(name), run.documents(name), *(pick(run.trained(name), column.key) for column in numbers)) for name in run.models
    ]
    last = run.trained(run.last)
    notes = (
        "Losses are nats per token: of the last step's batch, and of the held-out text. Lower is better.",
        f"Held out while training: {_amount(last, 'heldout_tokens')} tokens, {_amount(last, 'heldout_bytes')} bytes, from "
        "documents no model trains on. The evaluation below measures more of them.",
    )
    return Table(
        "training", "Models", [*columns("text", model="model", begin_from="begins from", train_on="trains on"), *numbers], rows, notes
    )


def _mixtures(run: Run) -> list[Table]:
    """What each token set gave to the models that train on several."""
    numbers = [*columns("fraction", share="share of the tokens"), *columns("count", unique_tokens="unique tokens")]
    numbers += columns("general", passes="passes")
    rows = [
        (name, used, *(pick(run.trained(name), "sets", used, column.key) for column in numbers))
        for name, model in run.models.items()
        if len(model.shares) > 1
        for used in model.shares
    ]
    return [Table("mixtures", "Mixtures", [*columns("text", model="model", set="token set"), *numbers], rows)] if rows else []


def _amount(facts: Facts, key: str) -> str:
    value = pick(facts, key)
    return "an unrecorded number of" if value is None else count(value)


def _cuts(run: Run) -> list[str]:
    """What to know where a model trained for less than params.yaml asked."""
    told = []
    for name, model in run.models.items():
        facts = run.trained(name)
        if pick(facts, "horizon_cut"):
            over = f"its {count(facts['unique_tokens'])} unique tokens" if len(model.shares) == 1 else "any of its token sets"
            told.append(
                f"{name} was to see {count(model.tokens)} tokens; {model.repetitions} passes over {over} allow {count(facts['tokens'])} "
                f"({percent(facts['tokens'] / model.tokens)})."
            )
    return told


def _figures(run: Run) -> list[Figure]:
    if not any(run.logs.values()):
        return []

    def chart(title: str, key: str, unit: str, caption: str, dots: bool = False) -> Figure:
        curves = []
        for place, (name, log) in enumerate(run.logs.items()):
            begin = run.start(name)
            points = [(float(begin + record["tokens"]), float(record[key])) for record in log if record.get(key) is not None]
            curves.append(Line(name, points if dots else thin(points), place, dots=dots and len(points) <= 60))
        axis: dict[str, Any] = {"zero": True, "height": 240, "y_text": general} if key == "lr" else {"height": 320, "y_text": _rounded}
        return Figure(title, (lines(curves, name=title, x_label="tokens seen", y_label=unit, x_text=short, **axis),), caption)

    jump = "Where a model goes on with other documents, a jump is a change of data as well as of the model."
    same = "The same held-out text for every model; lower is better. It is taken from the corpus, not from the benchmarks."
    return [
        chart("Training loss", "loss", "nats per token", jump),
        chart("Held-out bits per byte", "heldout_bits_per_byte", "bits per byte", same, dots=True),
        chart("Learning rate", "lr", "learning rate", "Every model has a schedule of its own."),
    ]


def _rounded(value: float) -> str:
    return decimal(value).rstrip("0").rstrip(".")
