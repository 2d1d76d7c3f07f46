"""How large everything will be: what receipts say of jobs that hold, and for the rest shares of what comes before (`units.yaml`).

NaN stands for what is not known and makes all that follows from it unknown.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow.caching.ledger import Ledger
from snow.params import Params
from snow.planning import shapes, sources
from snow.planning.sources import Extent
from snow.planning.units import Table
from snow.reserved import CORPUS


@dataclass(frozen=True)
class Packed:
    """Tokens of a token set, and the bytes of text in them; NaN where that is not known."""

    tokens: float
    bytes: float


class Sizes:
    """Sizes of one set of params, as far as a look at the workspace tells them."""

    def __init__(self, params: Params, seen: Ledger, table: Table) -> None:
        self._params, self._seen, self._table = params, seen, table
        self._found: dict[tuple[str, str], Mapping[str, float] | None] = {}

    @functools.cached_property
    def sources(self) -> Mapping[str, Extent]:
        """What each source holds."""
        return {source.name: sources.extent(source, self._params, self._table.declared.document_bytes) for source in self._params.sources}

    @functools.cached_property
    def raw(self) -> Extent:
        """Documents collected."""
        return self._extent("collect") or self._kept("collect", sources.total(self.sources.values()))

    @functools.cached_property
    def filtered(self) -> Extent:
        """Documents that pass the filters."""
        return self._extent("filter") or self._kept("filter", self.raw)

    @functools.cached_property
    def unique(self) -> Extent:
        """Documents without their duplicates."""
        return self._extent("unique") or self._kept("unique", self.filtered)

    @functools.cached_property
    def clean(self) -> Extent:
        """Documents without a benchmark's."""
        return self._extent("decontaminate") or self._kept("decontaminate", self.unique)

    @property
    def heldout_bytes(self) -> float:
        """Text that is held out, at most."""
        held = self._params.heldout
        return min(held.fraction * self.clean.bytes, held.max_bytes * len(self._params.languages))

    def token_bytes(self, tokenizer: str) -> float:
        """Bytes of code that a token of this tokenizer stands for, along a line over the logarithm of its vocabulary; of another's that is
        not here, as of the largest."""
        known, entries = sorted(self._table.token_bytes.items()), shapes.vocabulary(self._params, tokenizer)
        wanted = math.log(known[-1][0] if math.isnan(entries) else entries)
        (low, first), (high, last) = known[0], known[-1]
        for (below, one), (above, other) in itertools.pairwise(known):
            if math.log(below) <= wanted <= math.log(above):
                (low, first), (high, last) = (below, one), (above, other)
        return first + (last - first) * (wanted - math.log(low)) / (math.log(high) - math.log(low))

    def packed(self, name: str) -> Packed:
        """What a token set holds."""
        facts = self._facts("pack", f"{name}/")
        if facts is not None:
            return Packed(facts["tokens"], facts["bytes"])
        one = self._params.token_sets[name]
        each = self.token_bytes(one.tokenizer)
        if one.documents == CORPUS:
            tokens = (self.clean.bytes - self.heldout_bytes) / each
        elif one.documents in self._params.synthetic:
            tokens = self._answered(one.documents, each)
        else:
            tokens = self.selected(one.documents)
        return Packed(tokens, tokens * each)

    def selected(self, name: str) -> float:
        """Tokens of a selection: its budget, or as many as there are."""
        one = self._params.selections[name]
        if one.like is not None:
            return self.selected(one.like)
        budget, there = float(one.tokens or 0), self.packed(str(one.among)).tokens
        return budget if math.isnan(there) else min(budget, there)

    def tasks(self, suite: str) -> int | None:
        """Tasks of a suite that has been fetched."""
        facts = self._facts("suite", suite)
        return None if facts is None else round(facts["tasks"])

    def passes(self, name: str) -> dict[str, float]:
        """How often a model reads each of its token sets, were its tokens not cut to its `repetitions`; NaN where that is not known."""
        model = self._params.models[name]
        return {used: over(share * model.tokens, self.packed(used).tokens) for used, share in model.shares.items()}

    def trained(self, name: str) -> float:
        """Tokens that a model trains on: its horizon, cut to its repetitions."""
        model = self._params.models[name]
        longest = max((passes for passes in self.passes(name).values() if not math.isnan(passes)), default=0.0)
        cut = min(1.0, model.repetitions / longest) if longest else 1.0
        step = model.batch_size * model.sequence_length
        return max(1, int(model.tokens * cut / step)) * step

    def answer_tokens(self, generator: str) -> float:
        """Tokens of an answer, at most."""
        return min(float(self._params.generators[generator].max_tokens), self._table.declared.answer_tokens)

    def _answered(self, name: str, token_bytes: float) -> float:
        """Tokens of a synthetic set after refinement."""
        one = self._params.synthetic[name]
        if self._params.generators[one.generator].backend == "llamacpp":
            return one.requests * self._table.answers["kept"] * self._table.answers["bytes"] / token_bytes
        return one.requests * self._table.declared.answers_kept * self.answer_tokens(one.generator)

    def _extent(self, stage: str) -> Extent | None:
        facts = self._facts(stage, "")
        if facts is None or not facts["documents"]:  # jobs that found nothing say nothing of those that are not done
            return None
        return Extent(facts["documents"], facts["bytes"])

    def _kept(self, stage: str, before: Extent) -> Extent:
        kept = self._table.kept[stage]
        return Extent(before.documents * kept["documents"], before.bytes * kept["bytes"])

    def _facts(self, stage: str, begins: str) -> Mapping[str, float] | None:
        if (stage, begins) not in self._found:
            self._found[stage, begins] = self._added(stage, begins)
        return self._found[stage, begins]

    def _added(self, stage: str, begins: str) -> Mapping[str, float] | None:
        """The numbers of a stage's receipts added up, over those of its jobs that hold, for all whose instance begins so."""
        names = [one for one in self._seen.graph.instances.get(stage, ()) if one.startswith(begins)]
        held = [name for name in names if self._seen.verdicts[f"{stage} {name}"].state in ("current", "waiting")]
        if not held:
            return None
        total: dict[str, float] = {}
        for name in held:
            for key, value in _receipt(stage, name).items():
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    total[key] = total.get(key, 0.0) + value * len(names) / len(held)
        return total


def _receipt(stage: str, instance: str) -> dict[str, Any]:
    return json.loads(Path(f"receipts/{stage}/{instance}.json").read_text())["facts"]


def over(part: float, whole: float) -> float:
    """How much a part is of a whole; NaN of none, which is what is known before anything of it is made."""
    return part / whole if whole > 0 else math.nan
