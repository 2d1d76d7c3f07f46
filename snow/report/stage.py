"""`report`: one self-contained page from all receipts, its tables as Markdown and JSON, the data card and the model card.

Everything is read from the inputs; nothing depends on when, where or how fast the run was, so equal runs give equal reports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from snow.report import bits, cards, experiments, funnel, passing, provenance, quality, synthetic, training
from snow.report.content import Section, tables_of
from snow.report.format import count, short
from snow.report.markdown import markdown
from snow.report.markup import printable
from snow.report.page import page
from snow.report.run import Run, read_run

if TYPE_CHECKING:
    from snow import arms
    from snow.job import Job

COLOPHON = "This page needs no network and runs no script. Its tables are beside it as tables.md and tables.json."


class Params(Protocol):
    """What the experiment declares, as far as the report tells of it."""

    report: arms.Report
    annotators: Mapping[str, arms.Annotator]
    selections: Mapping[str, arms.Selection]
    synthetic: Mapping[str, arms.Synthetic]
    token_sets: Mapping[str, arms.TokenSet]
    models: Mapping[str, arms.Model]
    compare_with: Mapping[str, arms.Compared]


def sections(run: Run) -> list[Section]:
    """The report in reading order; SnowError names a receipt that is missing."""
    return [
        funnel.section(run),
        training.section(run),
        *quality.section(run),
        *bits.compared(run),
        *synthetic.section(run),
        passing.section(run),
        bits.section(run),
        *experiments.sections(run),
        provenance.section(run),
    ]


def lead(run: Run) -> str:
    """The run in a paragraph: from how much, how big, how long, with what result."""
    collected = run.receipts.total("collect")["documents"]
    left = run.receipts.total("decontaminate")["documents"]
    passed = passing.solved(run)
    expected = ", as is to be expected of a model this small" if passing.small(run) else ""
    tests = (
        f"Programs that pass their tests, over all models trained here and all suites: {count(passed)}"
        if passed
        else f"No program passes its tests{expected}"
    )
    over = f" over {' → '.join(run.path)}" if len(run.path) > 1 else ""
    return (
        f"The Arctic-SnowCoder recipe on {count(left)} of {count(collected)} collected documents: a model of "
        f"{short(run.trained(run.last)['parameters'])} parameters, pretrained on {short(run.path_tokens)} tokens{over}. {tests}. "
        f"{bits.summary(run)}"
    )


def run(job: Job[Params]) -> dict[str, Any]:
    """receipts, logs, scores, matches, bits, verdicts -> report, a folder: index.html, tables.md, tables.json and both cards."""
    read = read_run(job)
    told = sections(read)
    files = written(read, lead(read), told)
    folder = job.output("report")
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(printable(text), encoding="utf-8", newline="\n")
    return {
        "sections": len(told),
        "tables": len(tables_of(told)),
        "receipts": len(read.receipts.all()),
        "bytes": sum(len(text) for text in files.values()),
    }


def written(run: Run, summary: str, told: Sequence[Section]) -> dict[str, str]:
    """Every file of the report by name."""
    title, tables = run.declared.report.title, tables_of(told)
    by_name = {table.name: table for table in tables}
    values = {"title": title, "summary": summary, "tables": [table.as_json() for table in tables]}
    worth = [bits.worth(run, pair) for pair in run.declared.report.compare]
    return {
        "index.html": page(title, summary, told, COLOPHON),
        "tables.md": markdown(title, summary, told),
        "tables.json": json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "data_card.md": cards.data_card(title, run, by_name),
        "model_card.md": cards.model_card(title, run, by_name, passing.verdict(run), worth),
    }
