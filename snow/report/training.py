"""The training section: what each model cost and reached, and its curves, end to end over the tokens seen."""

from __future__ import annotations

from snow.report.charts import Line, lines, thin
from snow.report.content import Column, Figure, Section, Table
from snow.report.format import cell, count, decimal, general, percent, short
from snow.report.receipts import Facts, pick
from snow.report.run import Run, listed


def section(run: Run) -> Section:
    """Every model's pretrain receipt is required."""
    tokenizer = run.receipts.one("tokenizer", run.tokenizer(run.last))
    words = (
        f"Causal language models of {short(run.trained(run.last)['parameters'])} parameters with a vocabulary of "
        f"{cell(pick(tokenizer, 'vocab_size'), 'count')}. {listed([f'{name} is {run.meaning(name)}' for name in run.path])}. Each has an "
        "optimizer and a schedule of its own. Curves are drawn over all tokens the weights have seen."
    )
    return Section("training", "Training", [words, *_figures(run), _table(run), *_mixtures(run), *_cuts(run)])


def _table(run: Run) -> Table:
    columns = (
        Column("model", "model", "text"),
        Column("begin_from", "begins from", "text"),
        Column("train_on", "trains on", "text"),
        Column("steps", "steps"),
        Column("tokens", "tokens trained"),
        Column("unique_tokens", "unique tokens"),
        Column("passes", "passes", "general"),
        Column("flop", "FLOP (6ND)", "power"),
        Column("train_loss", "training", "decimal", "loss at the end"),
        Column("heldout_loss", "held-out", "decimal", "loss at the end"),
        Column("heldout_bits_per_byte", "held-out bits/byte", "decimal", "loss at the end"),
    )
    rows = tuple(
        (name, run.origin(name), run.documents(name), *(pick(run.trained(name), column.key) for column in columns[3:]))
        for name in run.models
    )
    last = run.trained(run.last)
    notes = (
        "Losses are nats per token: of the last step's batch, and of the held-out text. Lower is better.",
        f"Held out while training: {_amount(last, 'heldout_tokens')} tokens, {_amount(last, 'heldout_bytes')} bytes, from "
        "repositories no model trains on. The evaluation below measures more of them.",
    )
    return Table("training", "Models", columns, rows, notes)


def _mixtures(run: Run) -> list[Table]:
    """What each token set gave to the models that train on several."""
    columns = (
        Column("model", "model", "text"),
        Column("set", "token set", "text"),
        Column("share", "share of the tokens", "fraction"),
        Column("unique_tokens", "unique tokens"),
        Column("passes", "passes", "general"),
    )
    rows = tuple(
        (name, used, *(pick(run.trained(name), "sets", used, column.key) for column in columns[2:]))
        for name, model in run.models.items()
        if len(model.shares) > 1
        for used in model.shares
    )
    return [Table("mixtures", "Mixtures", columns, rows)] if rows else []


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

    def curves(key: str, smooth: bool, dots: bool = False) -> list[Line]:
        drawn = []
        for place, (name, log) in enumerate(run.logs.items()):
            begin = run.start(name)
            points = [(float(begin + record["tokens"]), float(record[key])) for record in log if record.get(key) is not None]
            drawn.append(Line(name, thin(points) if smooth else points, place, dots=dots and len(points) <= 60))
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
            "Where a model goes on with other documents, a jump is a change of data as well as of the model.",
        ),
        chart(
            "Held-out bits per byte",
            "heldout_bits_per_byte",
            "bits per byte",
            "The same held-out text for every model; lower is better. It resembles the whole corpus, not the benchmarks.",
            smooth=False,
            dots=True,
        ),
        chart("Learning rate", "lr", "learning rate", "Every model has a schedule of its own.", zero=True),
    ]


def _rounded(value: float) -> str:
    return decimal(value).rstrip("0").rstrip(".")
