"""`report`: one self-contained page from all receipts, its tables as Markdown and JSON, the data card and the model card.

Everything is read from the inputs; nothing depends on when, where or how fast the run was, so equal runs give equal reports.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from snow.report import bits as bits_per_byte
from snow.report import cards, funnel, passing, provenance, quality, synthetic, training
from snow.report.content import Section, tables_of
from snow.report.format import count, short
from snow.report.markdown import markdown
from snow.report.markup import printable
from snow.report.page import page
from snow.report.receipts import Receipts, load
from snow.report.scores import Scores, read_scores

if TYPE_CHECKING:
    from snow.job import Job

COLOPHON = "This page needs no network and runs no script. Its tables are beside it as tables.md and tables.json."


def sections(
    receipts: Receipts, logs: dict[str, training.Log], scores: Scores, bits: bits_per_byte.Bits, verdicts: passing.Verdicts
) -> list[Section]:
    """The report in reading order; SnowError names a receipt that is missing."""
    return [
        funnel.section(receipts),
        training.section(receipts, logs),
        quality.section(receipts, scores),
        bits_per_byte.worth_section(bits, receipts, quality.worth(receipts)),
        synthetic.section(receipts),
        passing.section(receipts, verdicts),
        bits_per_byte.section(bits),
        provenance.section(receipts),
    ]


def lead(receipts: Receipts, bits: bits_per_byte.Bits) -> str:
    """The run in a paragraph: from how much, how big, how long, with what result."""
    collected = receipts.total("collect")["documents"]
    left = receipts.total("decontaminate")["documents"]
    parameters, trained = receipts.one("pretrain", "phase1")["parameters"], passing.trained_tokens(receipts)
    passed = passing.solved(receipts)
    expected = ", as is to be expected of a model this small" if passing.small(receipts) else ""
    tests = (
        f"Programs that pass their tests, over all models and suites: {count(passed)}"
        if passed
        else f"No program passes its tests{expected}"
    )
    return (
        f"The Arctic-SnowCoder recipe on {count(left)} of {count(collected)} collected documents: a model of {short(parameters)} "
        f"parameters, pretrained on {short(trained)} tokens in three phases. {tests}. {bits_per_byte.summary(bits)}"
    )


def run(job: Job) -> dict[str, Any]:
    """receipts, logs, scores, bits, verdicts -> report, a folder: index.html, tables.md, tables.json, data_card.md, model_card.md."""
    receipts = load(job.inputs.get("receipts", ()))
    bits = bits_per_byte.read_bits(job.inputs.get("bits", ()))
    verdicts = passing.read_verdicts(job.inputs.get("verdicts", ()))
    found = sections(receipts, training.read_logs(job.inputs.get("logs", ())), read_scores(job.inputs.get("scores", ())), bits, verdicts)
    files = written(job.params.report.title, lead(receipts, bits), found, receipts, bits)
    folder = job.output("report")
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(printable(text), encoding="utf-8", newline="\n")
    return {
        "sections": len(found),
        "tables": len(tables_of(found)),
        "receipts": len(receipts.all()),
        "bytes": sum(len(text) for text in files.values()),
    }


def written(title: str, summary: str, found: Sequence[Section], receipts: Receipts, bits: bits_per_byte.Bits) -> dict[str, str]:
    """Every file of the report by name."""
    tables = tables_of(found)
    by_name = {table.name: table for table in tables}
    values = {"title": title, "summary": summary, "tables": [table.as_json() for table in tables]}
    return {
        "index.html": page(title, summary, found, COLOPHON),
        "tables.md": markdown(title, summary, found),
        "tables.json": json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "data_card.md": cards.data_card(title, receipts, by_name),
        "model_card.md": cards.model_card(title, receipts, by_name, passing.verdict(receipts), bits_per_byte.worth(bits)),
    }
