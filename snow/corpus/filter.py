"""`filter`: which documents pass the filters, decided from their signals and the thresholds of params.filters; and who opted out.

A rule whose signal is missing fires as `unmeasured`: nothing passes because it could not be measured. Memory is one batch of documents.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from snow.corpus import opt_outs
from snow.corpus.rules import RULES, Limits, decide, limits
from snow.errors import SnowError
from snow.tables import DOCUMENTS, TableWriter, read_rows

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Filters, OptOut

DECISIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),  # the first rule that fired; null for a kept document
        pa.field("rules", pa.list_(pa.string()), nullable=False),  # every rule that fired, in the order of RULES
    ]
)


def pairs(documents: Iterable[dict[str, Any]], signals: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Documents with their signals; SnowError naming the first row at which the two tables differ."""
    others = iter(signals)
    row = 0
    for row, document in enumerate(documents, start=1):
        own = next(others, None)
        if own is None or own["id"] != document["id"]:
            has = "none" if own is None else f"those of {own['id']}"
            raise SnowError(f"row {row} of documents is {document['id']} but signals has {has}; build the signals of these documents again")
        yield document, own
    if next(others, None) is not None:
        raise SnowError(f"signals has more than the {row} rows of documents; build the signals of these documents again")


SIGNALS = {rule.name: rule.signal for rule in RULES}


@dataclass
class Tally:
    """The receipt's counts: documents and bytes seen and kept, documents dropped by their reason, and how often each rule fired; of
    signals that say why, documents dropped by what they say."""

    counts: Counter[str] = field(default_factory=lambda: Counter(documents_in=0, bytes_in=0, documents=0, bytes=0))
    dropped: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    because: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, size: int, fired: list[str], signals: dict[str, Any]) -> None:
        """Count one document of `size` bytes."""
        self.counts.update(documents_in=1, bytes_in=size)
        if fired:
            self.dropped[fired[0]] += 1
            self.fired.update(fired)
            if isinstance(said := signals.get(SIGNALS.get(fired[0], "")), str):
                self.because[fired[0]][said] += 1
        else:
            self.counts.update(documents=1, bytes=size)

    def facts(self) -> dict[str, Any]:
        """As JSON types."""
        because = {rule: dict(sorted(said.items())) for rule, said in sorted(self.because.items())}
        return {
            **self.counts,
            "dropped": dict(sorted(self.dropped.items())),
            "because": because,
            "fired": dict(sorted(self.fired.items())),
        }


class Params(Protocol):
    filters: Filters
    opt_out: OptOut


def run(job: Job[Params]) -> dict[str, Any]:
    """Write the documents that pass to `documents` and what was decided about every one to `decisions`."""
    filters, opted_out = job.params.filters, opt_outs.OptOuts(job.params.opt_out)
    signals = job.input("signals")
    columns = _columns(signals)

    @functools.cache
    def in_force(language: str) -> Limits:
        found = limits(filters, language)
        for rule, _ in found:
            if rule.signal not in columns:
                raise SnowError(f"{signals} has no column {rule.signal}, which filters.{rule.name} needs; delete it and measure again")
        return found

    total, by_language = Tally(), defaultdict[str, Tally](Tally)
    rows = pairs(read_rows(job.input("documents")), read_rows(signals))
    with TableWriter(job.output("documents"), DOCUMENTS) as kept, TableWriter(job.output("decisions"), DECISIONS) as decisions:
        for document, measured in tqdm(rows, desc=f"filter {job.instance}", unit="doc", mininterval=10):
            fired = [opt_outs.REASON] if opted_out.hold(document) else []
            fired += decide(measured, in_force(document["language"]))
            decisions.write({"id": document["id"], "kept": not fired, "reason": fired[0] if fired else None, "rules": fired})
            if not fired:
                kept.write(document)
            for tally in (total, by_language[document["language"]]):
                tally.add(document["size"], fired, measured)
    return {
        **total.facts(),
        "languages": {name: tally.facts() for name, tally in sorted(by_language.items())},
        "opt_out": opted_out.facts(),
    }


def _columns(path: Path) -> frozenset[str]:
    """The signals table's columns."""
    try:
        return frozenset(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise SnowError(f"{path} is not a readable Parquet file ({error}); delete it and run again") from error
