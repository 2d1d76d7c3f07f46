"""`filter`: which documents pass the filters, decided from their signals and the thresholds of params.filters; and who opted out.

A rule is named after the key of params.filters that holds its threshold, so a reason in the decisions is what to edit. A rule
whose signal is missing fires as `unmeasured`: nothing passes because it could not be measured. Memory is one batch of documents.
"""

from __future__ import annotations

import functools
import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from snow.corpus import opt_outs
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
UNMEASURED = "unmeasured"
OPTIONAL = "comments"  # the only signal that params.signals can leave out


@dataclass(frozen=True)
class Rule:
    """Drops a document when `fires(signal, threshold)`; the threshold is `filters.<name>`, and `language` the only one it is for."""

    name: str
    signal: str
    fires: Callable[[Any, Any], bool]
    language: str | None = None


RULES = (  # a document's reason is the first of these that fires; sizes before contents, cheap explanations before involved ones
    Rule("min_bytes", "bytes", operator.lt),
    Rule("max_bytes", "bytes", operator.gt),
    Rule("max_lines", "lines", operator.gt),
    Rule("max_line_length", "max_line_length", operator.gt),
    Rule("max_mean_line_length", "mean_line_length", operator.gt),
    Rule("min_alphabetic", "alphabetic", operator.lt),
    Rule("min_alphanumeric", "alphanumeric", operator.lt),
    Rule("max_encoded_run", "encoded_run", operator.gt),
    Rule("max_encoded_fraction", "encoded_fraction", operator.gt),
    Rule("drop_generated", "generated", operator.and_),
    Rule("drop_xml", "xml", operator.and_),
    Rule("min_html_text", "html_text", operator.lt, "HTML"),
    Rule("min_html_fraction", "html_fraction", operator.lt, "HTML"),
    Rule("min_comments", "comments", operator.le),  # bigcode-dataset keeps what lies strictly between the two
    Rule("max_comments", "comments", operator.ge),
    Rule("drop_unparsable_python", "parses", lambda parses, drop: drop and not parses, "Python"),
)
Limits = tuple[tuple[Rule, Any], ...]


def limits(filters: Filters, language: str, measured: frozenset[str]) -> Limits:
    """The rules in force for a language with their thresholds: general ones, replaced or switched off by `filters.languages`.

    `measured` are the signals table's columns; the comment rules are in force only where comments were measured.
    """
    override = filters.languages.get(language)
    given = override.model_fields_set if override else frozenset()
    in_force = []
    for rule in RULES:
        limit = getattr(override if rule.name in given else filters, rule.name)
        wanted = limit is not None and limit is not False and rule.language in (None, language)
        if wanted and (rule.signal != OPTIONAL or OPTIONAL in measured):
            in_force.append((rule, limit))
    return tuple(in_force)


def decide(signals: dict[str, Any], in_force: Limits) -> list[str]:
    """The names of the rules that fire, in order; `unmeasured` first when a rule in force lacks its signal (null or NaN)."""
    missing, fired = [], []
    for rule, limit in in_force:
        value = signals[rule.signal]
        if value is None or value != value:
            missing = [UNMEASURED]
        elif rule.fires(value, limit):
            fired.append(rule.name)
    return missing + fired


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


@dataclass
class Tally:
    """The receipt's counts: documents and bytes seen and kept, documents dropped by their reason, and how often each rule fired."""

    counts: Counter[str] = field(default_factory=lambda: Counter(documents_in=0, bytes_in=0, documents=0, bytes=0))
    dropped: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)

    def add(self, size: int, fired: list[str]) -> None:
        """Count one document of `size` bytes."""
        self.counts.update(documents_in=1, bytes_in=size)
        if fired:
            self.dropped[fired[0]] += 1
            self.fired.update(fired)
        else:
            self.counts.update(documents=1, bytes=size)

    def facts(self) -> dict[str, Any]:
        """As JSON types."""
        return {**self.counts, "dropped": dict(sorted(self.dropped.items())), "fired": dict(sorted(self.fired.items()))}


class Params(Protocol):
    filters: Filters
    opt_out: OptOut


def run(job: Job[Params]) -> dict[str, Any]:
    """Write the documents that pass to `documents` and what was decided about every one to `decisions`."""
    filters, opted_out = job.params.filters, opt_outs.OptOuts(job.params.opt_out)
    signals = job.input("signals")
    columns = _columns(signals)
    in_force = functools.cache(lambda language: limits(filters, language, columns))
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
                tally.add(document["size"], fired)
    return {
        **total.facts(),
        "languages": {name: tally.facts() for name, tally in sorted(by_language.items())},
        "opt_out": opted_out.facts(),
        "not_measured": [] if OPTIONAL in columns else [OPTIONAL],  # by choice: the rules on these signals were not in force
    }


def _columns(path: Path) -> frozenset[str]:
    """The signals table's columns; SnowError when one that a rule needs is not among them."""
    try:
        columns = frozenset(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise SnowError(f"{path} is not a readable Parquet file ({error}); delete it and run again") from error
    for rule in RULES:
        if rule.signal not in columns and rule.signal != OPTIONAL:
            raise SnowError(f"{path} has no column {rule.signal}, which filters.{rule.name} needs; delete it and measure again")
    return columns
