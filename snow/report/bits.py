"""Bits per byte: the table of all models, and what selection was worth, phase 2 against its control."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snow.errors import SnowError
from snow.report.charts import Bar, bars
from snow.report.content import Column, Figure, Section, Table
from snow.report.format import count, decimal, size
from snow.report.receipts import Receipts, pick
from snow.report.training import MODELS

Bits = Mapping[str, Mapping[str, Any]]  # by model, as `bits` writes them
EVEN = 0.0005  # bits per byte; what rounds to no difference is called none


def read_bits(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """`eval/MODEL/bits.json` by model; SnowError names a broken file, or a model of the recipe that has none."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        try:
            values = json.loads(path.read_text())
            _ = values["heldout"]["total"]["bits_per_byte"], values["suites"]
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise SnowError(f"{path} is not a bits-per-byte file ({error!r}); delete it and run again") from None
        found[path.parent.name] = values
    missing = [model for model in MODELS if model not in found]
    if missing:
        raise SnowError(f"the report needs eval/{missing[0]}/bits.json among its --input bits; build it with `snakemake all`")
    return found


def texts_of(bits: Bits) -> list[tuple[str, tuple[str, ...]]]:
    """(name, where in a bits file) of everything measured: held-out in all, the suites' solutions, held-out by language."""
    first = bits["phase1"]
    languages = first["heldout"].get("languages", {})
    order = sorted(languages, key=lambda name: (-languages[name]["bytes"], name))
    return [
        ("held-out repositories", ("heldout", "total")),
        *((f"{suite} solutions", ("suites", suite)) for suite in first["suites"]),
        *((f"held out, {name}", ("heldout", "languages", name)) for name in order),
    ]


def section(bits: Bits) -> Section:
    """Every model's bits are required."""
    words = (
        "How many bits a model needs to write down a byte of text, given what precedes it; lower is better. Bytes are the same for "
        "every tokenizer, and the number moves long before the first task is solved. Held-out repositories resemble the corpus; the "
        "suites' reference solutions, each given its prompt, are what the annotator was validated on."
    )
    chart = Figure(
        "Bits per byte of each model",
        tuple(_chart(bits, name, path) for name, path in texts_of(bits) if path[1:2] != ("languages",)),
        "Lower is better. Bars start at 0.",
    )
    return Section("bits", "Bits per byte", [words, chart, _table(bits)])


def _chart(bits: Bits, name: str, path: tuple[str, ...]) -> Any:
    values = [(title, pick(bits[model], *path, "bits_per_byte"), index) for index, (model, title) in enumerate(MODELS.items())]
    return bars([Bar(title, value, decimal(value), colour) for title, value, colour in values if value is not None], name=name, width=280)


def _table(bits: Bits) -> Table:
    columns = (
        Column("text", "text", "text"),
        Column("bytes", "bytes scored", "bytes"),
        Column("byte_unigram_entropy", "byte-unigram entropy", "decimal"),
        *(Column(model, title, "decimal") for model, title in MODELS.items()),
    )
    rows = []
    for name, path in texts_of(bits):
        facts = pick(bits["phase1"], *path)
        values = (pick(bits[model], *path, "bits_per_byte") for model in MODELS)
        rows.append((name, facts["bytes"], facts.get("byte_unigram_entropy"), *values))
    notes = (
        "The byte-unigram entropy is what a code would need that knows only how often each byte occurs in the very text scored; a "
        f"model above it has learned nothing of use there. Scored with up to {count(bits['phase1'].get('sequence_length', 0))} tokens "
        "of context.",
    )
    return Table("bits", "Bits per byte, lower is better", columns, tuple(rows), notes)


def difference(name: str, selected: float, control: float) -> str:
    """What selection did to one number, in words that follow its sign."""
    change = selected - control
    if abs(change) < EVEN:
        return (
            f"On {name} selection made no difference: {decimal(selected)} bits per byte with it and {decimal(control)} with random "
            "documents."
        )
    verb, judgement = ("lowered", "better") if change < 0 else ("raised", "worse")
    return (
        f"On {name} selection {verb} bits per byte by {decimal(abs(change))}, which is {judgement}: {decimal(selected)} with it against "
        f"{decimal(control)} with random documents."
    )


def worth(bits: Bits) -> str:
    """What selection was worth on held-out text and on every suite's solutions, as measured."""
    sentences = []
    for name, path in texts_of(bits):
        if path[1:2] == ("languages",):
            continue
        pair = [pick(bits[model], *path, "bits_per_byte") for model in ("phase2", "control")]
        if None not in pair:
            sentences.append(difference(name, *pair))
    return " ".join(sentences)


def worth_section(bits: Bits, receipts: Receipts, scores: str) -> Section:
    """Phase 2 against its control; `scores` says how differently the annotator sees what the two trained on."""
    columns = (
        Column("text", "text", "text"),
        Column("bytes", "bytes scored", "bytes"),
        Column("phase1", "Phase 1", "decimal"),
        Column("phase2", "Phase 2, selected", "decimal"),
        Column("control", "Control, random", "decimal"),
        Column("difference", "selected − random", "signed"),
    )
    rows = []
    for name, path in texts_of(bits):
        before, selected, control = (pick(bits[model], *path, "bits_per_byte") for model in ("phase1", "phase2", "control"))
        change = None if selected is None or control is None else selected - control
        rows.append((name, pick(bits["phase1"], *path, "bytes"), before, selected, control, change))
    notes = ("A negative difference is in favour of selection.",)
    table = Table("worth", "Phase 2 against its control, bits per byte", columns, tuple(rows), notes, strong=frozenset({0}))
    total = bits["phase1"]["heldout"]["total"]["bytes"]
    words = (
        f"{_setting(receipts)} ({scores}). The held-out text, {size(total)}, is drawn like the corpus: it says what selection costs or "
        "gains on ordinary code. The benchmarks' solutions are what selection aims at."
    )
    caution = "This is one run of each with one seed; how much such differences vary from seed to seed was not measured."
    return Section("worth", "What selection was worth", [words, worth(bits), caution, table])


def _setting(receipts: Receipts) -> str:
    """What phase 2 and its control have in common, as far as it is so."""
    params = receipts.params()
    tokens = [receipts.one("pretrain", model)["tokens"] for model in ("phase2", "control")]
    if params["pretrain"]["phase2"] != params["pretrain"]["control"]:
        return (
            "Phase 2 and its control were trained with different params, so what follows is not the work of selection alone; their "
            "documents differ too"
        )
    if tokens[0] != tokens[1]:
        return (
            f"Phase 2 and its control start from the same weights on the same schedule, but see {count(tokens[0])} and "
            f"{count(tokens[1])} tokens; their documents differ"
        )
    return (
        "Phase 2 and its control start from the same weights and see as many tokens, in the same languages, on the same schedule; only "
        "the documents differ"
    )


def summary(bits: Bits) -> str:
    """Bits per byte over the phases, held out and on the solutions, in one sentence."""
    parts = []
    for name, path in texts_of(bits):
        if path[1:2] != ("languages",):
            values = [pick(bits[model], *path, "bits_per_byte") for model in ("phase1", "phase2", "phase3")]
            if None not in values:
                parts.append(f"{' → '.join(decimal(value) for value in values)} on {name}")
    return f"Bits per byte over the three phases: {'; '.join(parts)}."
