"""Bits per byte: the table of all models, and one model against another; and how often models think right solutions more likely."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean
from typing import Any

from snow.report import heldout, quality
from snow.report.charts import Bar, bars, colour
from snow.report.content import Column, Figure, Section, Table, columns
from snow.report.format import count, decimal, size
from snow.report.receipts import pick
from snow.report.run import Run, listed, schedule_words
from snow.reserved import SCRATCH

EVEN = 0.0005  # bits per byte; what rounds to no difference is called none
WORDS = {"train_on": "what they train on", "begin_from": "what they begin from"}  # other params go by their names


def texts_of(run: Run, languages: bool = True) -> list[tuple[str, tuple[str, ...]]]:
    """(name, where in a bits file) of everything measured: held-out in all, the suites' solutions, held-out by language."""
    last = run.bits[run.last]
    by_language = last["heldout"].get("languages", {}) if languages else {}
    order = sorted(by_language, key=lambda name: (-by_language[name]["bytes"], name))
    return [
        ("held-out text", ("heldout", "total")),
        *((f"{suite} solutions", ("suites", suite)) for suite in last["suites"]),
        *((f"held out, {name}", ("heldout", "languages", name)) for name in order),
    ]


def value_of(run: Run, model: str, path: tuple[str, ...]) -> float | None:
    """A model's bits per byte on one text."""
    return pick(run.bits[model], *path, "bits_per_byte")


def section(run: Run) -> Section:
    """Every model's bits and the receipts of preference are required."""
    words = (
        "How many bits a model needs to write down a byte of text, given what precedes it; lower is better. Bytes are the same for "
        "every tokenizer, and the number moves long before the first task is solved. The held-out text is of the corpus' own kind; the "
        "suites' reference solutions, each given its prompt, are what annotators are validated on."
    )
    chart = Figure(
        "Bits per byte of each model",
        tuple(_chart(run, name, path) for name, path in texts_of(run, languages=False)),
        "Lower is better. Bars start at 0.",
    )
    return Section("bits", "Bits per byte", [words, chart, _table(run), _preference(run)])


def _chart(run: Run, name: str, path: tuple[str, ...]) -> Any:
    values = [(run.label(model), value_of(run, model, path), colour(place)) for place, model in enumerate(run.measured)]
    return bars([Bar(model, value, decimal(value), shade) for model, value, shade in values if value is not None], name=name, width=280)


def _table(run: Run) -> Table:
    heads = [*columns("text", text="text"), *columns("bytes", bytes="bytes scored")]
    heads += [*columns("decimal", byte_unigram_entropy="byte-unigram entropy"), *_of_models(run, run.measured)]
    last = run.bits[run.last]
    rows = [
        (
            name,
            *(pick(last, *path, key) for key in ("bytes", "byte_unigram_entropy")),
            *(value_of(run, model, path) for model in run.measured),
        )
        for name, path in texts_of(run)
    ]
    notes = (
        "The byte-unigram entropy is what a code would need that knows only how often each byte occurs in the very text scored; a "
        f"model above it has learned nothing of use there. Scored with up to {count(last.get('sequence_length', 0))} tokens of context.",
    )
    others = [name for name, facts in run.bits.items() if facts["heldout"]["total"]["bytes"] != last["heldout"]["total"]["bytes"]]
    told = (f"With another tokenizer {listed(others)} scored another part of the held-out text.",) if others else ()
    return Table("bits", "Bits per byte, lower is better", heads, rows, (*notes, *told, *run.compared()))


def _preference(run: Run) -> Table:
    rate = [*columns("fraction", value="right is more likely"), *columns("fraction", "95% interval", low="from", high="to")]
    heads = [*columns("text", suite="suite", model="model"), *rate, *columns("count", tasks="tasks", pairs="pairs")]
    facts = {(suite, model): run.receipts.one("preference", f"{model}/{suite}") for suite in run.suites for model in run.measured}
    rows = [(suite, run.label(model), *(pick(found, column.key) for column in heads[2:])) for (suite, model), found in facts.items()]
    notes = (
        "The canonical solution of a task against copies of it in which two tokens have changed places and which fail the task's tests: "
        "how often the model thinks the right one more likely, as the mean over tasks. A model that knows nothing is right about 50% of "
        "them; an interval that holds 50% is no evidence of more. The interval is of 10,000 bootstraps over tasks.",
        *(
            f"Of {suite} {count(made['tasks_with_mutants'])} of {count(made['tasks'])} tasks have such copies."
            for suite, made in ((suite, run.receipts.one("mutate", suite)) for suite in run.suites)
        ),
    )
    return Table("preference", "Right solutions against broken ones", heads, rows, notes)


def _of_models(run: Run, models: Iterable[str]) -> list[Column]:
    return [Column(f"bits:{model}", run.label(model), "decimal") for model in models]


def difference(name: str, models: tuple[str, str], values: tuple[float, float]) -> str:
    """What the first of two models has over the second on one text, in words that follow the sign."""
    change = values[0] - values[1]
    first, second = map(decimal, values)
    if abs(change) < EVEN:
        return f"On {name} there is no difference: {first} bits per byte with {models[0]} and {second} with {models[1]}."
    more, judgement = ("less", "better") if change < 0 else ("more", "worse")
    return (
        f"On {name} {models[0]} needs {decimal(abs(change))} bits per byte {more} than {models[1]}, which is {judgement}: {first} against "
        f"{second}."
    )


def worth(run: Run, pair: tuple[str, str]) -> str:
    """One model against another on held-out text and on every suite's solutions, as measured."""
    sentences = []
    for name, path in texts_of(run, languages=False):
        first, second = (value_of(run, model, path) for model in pair)
        if first is not None and second is not None:
            sentences.append(difference(name, pair, (first, second)))
    return " ".join(sentences)


def compared(run: Run) -> list[Section]:
    """A section for every pair that is compared."""
    return [_compared(run, pair, f"compare-{place}") for place, pair in enumerate(run.declared.report.compare, start=1)]


def _compared(run: Run, pair: tuple[str, str], anchor: str) -> Section:
    before = [] if "begin_from" in run.differing(*pair) or run.models[pair[0]].begin_from == SCRATCH else [run.origin(pair[0])]
    heads = [*columns("text", text="text"), *columns("bytes", bytes="bytes scored"), *_of_models(run, (*before, *pair))]
    heads += columns("signed", difference=f"{pair[0]} − {pair[1]}")
    rows = []
    for name, path in texts_of(run):
        values = [value_of(run, model, path) for model in (*before, *pair)]
        first, second = values[-2:]
        change = None if first is None or second is None else first - second
        rows.append((name, pick(run.bits[pair[0]], *path, "bytes"), *values, change))
    notes = (f"A negative difference is in favour of {pair[0]}.", *(told for model in pair for told in spread(run, model)))
    title = f"{pair[0]} against {pair[1]}"
    table = Table(f"compare:{pair[0]}:{pair[1]}", f"{title}, bits per byte", heads, rows, notes, strong=frozenset({0}))
    scores = quality.means(run, pair)
    aim = " It says what selection costs or gains on ordinary code; the benchmarks' solutions are what selection aims at." if scores else ""
    mixed, total = heldout.mixed(run.receipts.one("holdout")), size(run.bits[pair[0]]["heldout"]["total"]["bytes"])
    words = f"{_setting(run, *pair)}{scores}. The held-out text {mixed}; {total} of it are scored.{aim}"
    return Section(anchor, title, [words, worth(run, pair), _caution(run, pair), table])


def _caution(run: Run, pair: tuple[str, str]) -> str:
    single = [model for model in pair if not run.replicas(model)]
    if single:
        return f"There is one run of {listed(single)} with one seed; how much such differences vary from seed to seed was not measured."
    return "Each was trained with several seeds; how far they lie apart stands below the table."


def _setting(run: Run, first: str, second: str) -> str:
    """What two models have in common and what not."""
    differing = run.differing(first, second)
    seen, others_seen = (run.trained(model)["tokens"] for model in (first, second))
    tokens = "see as many tokens" if seen == others_seen else f"see {count(seen)} and {count(others_seen)} tokens"
    if differing == ["train_on"]:
        alike = f"{first} and {second} begin from the same weights on the same schedule"
        if seen != others_seen:
            return f"{alike}, but {tokens}; what they train on differs, {run.documents(first)} against {run.documents(second)}"
        languages = ", in the same languages" if quality.common(run, (first, second)) else ""
        return f"{alike} and {tokens}{languages}; only what they train on differs, {run.documents(first)} against {run.documents(second)}"
    told = [f"{WORDS.get(key, key)} ({_shown(run, first, key)} against {_shown(run, second, key)})" for key in differing]
    alone = ", so what follows is not the work of one of these alone" if len(told) > 1 else ""
    return f"{first} and {second} {tokens} and differ in {listed(told) or 'no param'}{alone}"


def _shown(run: Run, model: str, key: str) -> str:
    value = run.settings(model)[key]
    if key == "train_on":
        return run.documents(model)
    return schedule_words(value) if key == "schedule" else str(value)


def spread(run: Run, model: str) -> list[str]:
    """How far a model and its replicas lie apart, in a sentence; none for a model without."""
    replicas = [model, *run.replicas(model)]
    parts = []
    for name, path in texts_of(run, languages=False):
        values = [value for value in (value_of(run, one, path) for one in replicas) if value is not None]
        if values:
            parts.append(f"{decimal(fmean(values))} ({decimal(min(values))} to {decimal(max(values))}) on {name}")
    sentence = f"{model} over {len(replicas)} seeds, mean and range of bits per byte: {'; '.join(parts)}."
    return [sentence] if len(replicas) > 1 else []


def summary(run: Run) -> str:
    """Bits per byte along the path, held out and on the solutions, in one sentence."""
    parts = []
    for name, path in texts_of(run, languages=False):
        values = [value_of(run, model, path) for model in run.path]
        shown = [decimal(value) for value in values if value is not None]
        if len(shown) == len(values):
            parts.append(f"{' → '.join(shown)} on {name}")
    over = f" over {' → '.join(run.path)}" if len(run.path) > 1 else ""
    return f"Bits per byte{over}: {'; '.join(parts)}."
