"""Stage `bits`: bits per byte of a model on held-out repositories and on the suites' canonical solutions.

A byte is the same for every tokenizer, so the numbers compare models that tokens per second or loss per token cannot; and they
move long before the first HumanEval task is solved. Beside each stands the byte-unigram entropy of the very bytes scored: what
a code that knows only how often each byte occurs there would need, and any model must beat.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow.parquet as pq

from snow.errors import SnowError
from snow.evaluate import loading
from snow.evaluate.likelihood import check_window, scored
from snow.evaluate.loading import Checkpoint
from snow.evaluate.spans import Span, Text, heldout_spans, heldout_texts, solution_spans
from snow.suites.tasks import read_suite
from snow.tokens import vocabulary
from snow.tokens.stream import open_stream

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Bits


@dataclass
class Tally:
    """Sums over the scored spans of one group; `counts` [256] is how often each byte was scored."""

    nats: float = 0.0
    tokens: int = 0
    spans: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))

    def add(self, nats: float, tokens: int, counts: np.ndarray, spans: int = 1) -> None:
        """One span, or another group's sums."""
        self.nats, self.tokens, self.spans, self.counts = self.nats + nats, self.tokens + tokens, self.spans + spans, self.counts + counts

    def facts(self) -> dict[str, Any]:
        """The numbers of the group, rounded to what float32 arithmetic supports."""
        size = int(self.counts.sum())
        shares = self.counts[self.counts > 0] / max(1, size)
        return {
            "bits_per_byte": round(self.nats / math.log(2) / max(1, size), 6),
            "nats_per_token": round(self.nats / max(1, self.tokens), 6),
            "byte_unigram_entropy": round(abs(float((shares * np.log2(shares)).sum())), 6),
            "tokens": self.tokens,
            "bytes": size,
            "spans": self.spans,
        }


class Params(Protocol):
    bits: Bits


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `bits`: {"heldout": {"total", "languages": {...}}, "suites": {name: ...}}, each with the fields of Tally.facts.

    `heldout` is left out where no `tokens` of held-out documents are given: outside the recipe there are none.
    """
    settings = job.params.bits
    loaded = loading.load(job.input("model"), job.threads)
    check_window(loaded, settings.sequence_length)
    table = vocabulary.token_bytes(loaded.tokenizer.backend_tokenizer)
    packed = bool(job.inputs.get("tokens"))
    texts, heldout = _heldout(job, table) if packed else ([], [])
    suites = {path.stem: read_suite(path) for path in job.inputs["suites"]}
    solutions = [
        span
        for name, tasks in suites.items()
        for task in tasks
        for span in solution_spans(name, task.prompt, task.solution, loaded, settings.sequence_length)
    ]
    work = sum(len(span.ids) for span in (*heldout, *solutions))
    print(f"snow: scoring {len(heldout) + len(solutions)} spans, {work} tokens with their contexts, on {loaded.device}", file=sys.stderr)
    facts: dict[str, Any] = {}
    result: dict[str, Any] = {"sequence_length": settings.sequence_length}
    if packed:
        languages = measure(loaded, heldout, table, settings.batch_size)
        total = together(languages.values()).facts()
        result["heldout"] = {"total": total, "languages": {name: tally.facts() for name, tally in sorted(languages.items())}}
        facts["heldout"] = total | {"documents": len(texts), "content_tokens": sum(text.end - text.first for text in texts)}
    tallies = measure(loaded, solutions, table, settings.batch_size)
    facts["suites"] = result["suites"] = {name: tally.facts() for name, tally in tallies.items()}
    job.output("bits").write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    return facts


def _heldout(job: Job[Params], table: Sequence[bytes]) -> tuple[list[Text], list[Span]]:
    """The held-out texts, and what of them is scored."""
    stream = open_stream(job.inputs["tokens"], job.inputs["index"])
    if stream.vocab_size > len(table):
        raise SnowError(
            f"the held-out tokens are of a vocabulary of {stream.vocab_size}, the model's has {len(table)}; pack them with its tokenizer"
        )
    byte_lengths = np.asarray([len(each) for each in table], np.int64)
    texts = heldout_texts(stream, [pq.ParquetFile(path) for path in job.inputs["index"]], byte_lengths)
    return texts, heldout_spans(stream, texts, job.params.bits.sequence_length, job.params.bits.max_tokens)


def measure(loaded: Checkpoint, spans: Sequence[Span], table: Sequence[bytes], batch_size: int) -> dict[str, Tally]:
    """A Tally per group."""
    tallies = {span.group: Tally() for span in spans}
    for span, nats in scored(loaded, spans, batch_size):
        content = b"".join(table[token] for token in span.ids[-span.scored :].tolist())
        tallies[span.group].add(nats, span.scored, np.bincount(np.frombuffer(content, np.uint8), minlength=256))
    return tallies


def together(tallies: Iterable[Tally]) -> Tally:
    """The sum of groups."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally.nats, tally.tokens, tally.counts, tally.spans)
    return whole
