"""A run as its report sees it: what the params declare and what the jobs recorded, by the names they were declared under."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow.errors import SnowError
from snow.report.contaminated import Ledger, read_matches
from snow.report.format import general, percent, short
from snow.report.receipts import Facts, Receipts, load, pick
from snow.report.scores import Scores, read_scores
from snow.reserved import CORPUS, SCRATCH, root_of, tokenizer_of

if TYPE_CHECKING:
    from snow import arms
    from snow.job import Job
    from snow.report.stage import Params

Records = Sequence[Mapping[str, Any]]
WATCHING = frozenset({"checkpoint_steps", "validate_steps", "validate_tokens"})  # params of a model that change nothing in it
VERDICT = ("task_id", "status")  # what the report reads of one


@dataclass(frozen=True)
class Run:
    """Everything the report is made of."""

    declared: Params
    receipts: Receipts
    logs: Mapping[str, Records]  # by model
    scores: Mapping[str, Scores]  # by annotator
    matches: Ledger  # of decontamination
    bits: Mapping[str, Mapping[str, Any]]  # by model, as `bits` writes them
    verdicts: Mapping[str, Records]  # by MODEL/SUITE

    @property
    def models(self) -> Mapping[str, arms.Model]:
        """All models, in declared order."""
        return self.declared.models

    @property
    def measured(self) -> list[str]:
        """The models, then those of others that they are compared with."""
        return [*self.models, *self.declared.compare_with]

    def label(self, model: str) -> str:
        """A model's name in a table of the evaluation, marked where it is another's."""
        return model if model in self.models else f"{model} (compared)"

    def compared(self) -> list[str]:
        """What to know of each model of others, in a sentence."""
        told = []
        for model, named in self.declared.compare_with.items():
            facts = self.receipts.one("obtain", model)
            commit = f" at {facts['commit']}" if facts["commit"] else ""
            told.append(
                f"{model} is compared and was not trained here: {named.pretrained}{commit}, {short(facts['parameters'])} parameters. "
                "Whether it was trained on the held-out files or the suites' tasks is not known here."
            )
        return told

    @property
    def path(self) -> tuple[str, ...]:
        """The models that lead to the published one, itself included."""
        return self.declared.report.path

    @property
    def last(self) -> str:
        """The published model."""
        return self.path[-1]

    @cached_property
    def params(self) -> dict[str, Any]:
        """What the jobs read of params.yaml, as plain values."""
        return self.receipts.params()

    @property
    def redacted(self) -> bool:
        """Whether personal data and secrets were looked for."""
        return self.params.get("redaction") is not None

    @property
    def corpus_set(self) -> str | None:
        """A token set of the whole corpus: what the path begins with, if it is one, else the first declared."""
        sets = [*self.models[self.path[0]].shares, *self.declared.token_sets]
        return next((name for name in sets if self.declared.token_sets[name].documents == CORPUS), None)

    @property
    def synthetic_sets(self) -> list[str]:
        """The synthetic sets that token sets hold, in the order of those."""
        documents = dict.fromkeys(one.documents for one in self.declared.token_sets.values())
        return [name for name in documents if name != CORPUS and name not in self.declared.selections]

    @property
    def suites(self) -> list[str]:
        """The suites' names, sorted."""
        return list(self.receipts.instances("suite"))

    def tokenizer(self, model: str) -> str:
        """The one of everything it trains on."""
        return tokenizer_of(self.declared.token_sets, self.models[model])

    def vocabulary(self, model: str) -> int | None:
        """The entries of its tokenizer's vocabulary; of the model of others whose it is."""
        name = self.tokenizer(model)
        return pick(self.receipts.one("obtain" if name in self.declared.compare_with else "tokenizer", name), "vocab_size")

    def trained(self, model: str) -> Facts:
        """What training a model recorded."""
        return self.receipts.one("pretrain", model)

    def packed(self, token_set: str) -> Facts:
        """What packing a token set recorded, over its shards."""
        return self.receipts.total("pack", f"{token_set}/")

    @property
    def path_tokens(self) -> int:
        """Tokens the models of the path were trained on, together."""
        return sum(self.trained(model)["tokens"] for model in self.path)

    def start(self, model: str) -> int:
        """Tokens the weights had seen in this run before this model's training: those of the models it goes back to."""
        before = self.models[model].begin_from
        return self.start(before) + self.trained(before)["tokens"] if before in self.models else 0

    def origin(self, model: str) -> str:
        """The model it begins from."""
        before = self.models[model].begin_from
        return "random weights" if before == SCRATCH else before

    def root(self, model: str) -> str | None:
        """The model of others that it goes back to, None for random weights."""
        root = root_of(self.models, model)
        return None if root == SCRATCH else root

    def documents(self, model: str) -> str:
        """The token sets it trains on, of a mixture with their shares."""
        shares = self.models[model].shares
        return " and ".join(f"{name} ({percent(share)})" if len(shares) > 1 else name for name, share in shares.items())

    def meaning(self, model: str) -> str:
        """A model in half a sentence."""
        goes_on = self.models[model].begin_from != SCRATCH
        return f"{'continued' if goes_on else 'trained'} from {self.origin(model)} on {self.documents(model)}"

    def settings(self, model: str) -> dict[str, Any]:
        """What decides a model's weights, the recipe's seed where it has none of its own."""
        own = {key: value for key, value in self.models[model] if key not in WATCHING}
        return own if own["seed"] is not None else own | {"seed": self.params.get("seed")}

    def differing(self, *models: str) -> list[str]:
        """The params in which models differ."""
        first, *others = map(self.settings, models)
        return [key for key in first if any(other[key] != first[key] for other in others)]

    def replicas(self, model: str) -> list[str]:
        """The models that differ from this one in nothing but the seed."""
        return [other for other in self.models if self.differing(model, other) == ["seed"]]


def read_run(job: Job[Params]) -> Run:
    """The inputs, each taken for what its job's receipt says it is. SnowError names a receipt or a file that is missing or broken."""
    declared, receipts = job.params, load(job.inputs.get("receipts", ()))

    def given(name: str, stage: str, instance: str, output: str = "", file: str = "") -> Path:
        path = receipts.output(stage, instance, output or name) / file
        if path not in job.inputs.get(name, ()):
            raise SnowError(f"the report needs {path} among its --input {name}; build it with `snakemake all`")
        return path

    scored = {name: receipts.instances("score", f"{name}/") for name in declared.annotators}
    measured = [*declared.models, *declared.compare_with]
    judged = [f"{model}/{suite}" for model in measured for suite in receipts.instances("suite")]
    return Run(
        declared,
        receipts,
        logs={model: list(_records(given("logs", "pretrain", model, "model", "log.jsonl"), ("step",))) for model in declared.models},
        scores={name: read_scores(given("scores", "score", shard) for shard in shards) for name, shards in scored.items()},
        matches=read_matches(given("matches", "decontaminate", shard) for shard in receipts.instances("decontaminate")),
        bits={model: _bits(given("bits", "bits", model)) for model in measured},
        verdicts={of: [{key: row[key] for key in VERDICT} for row in _records(given("verdicts", "judge", of), VERDICT)] for of in judged},
    )


def _records(path: Path, keys: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The lines of a JSONL file, each with these keys at least."""
    try:
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                record = json.loads(line)
                _ = [record[key] for key in keys]
                yield record
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise SnowError(f"{path} is not whole ({error!r}); delete it and run again") from None


def _bits(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
        _ = values["heldout"]["total"]["bits_per_byte"], values["suites"]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise SnowError(f"{path} is not a bits-per-byte file ({error!r}); delete it and run again") from None
    return values


def listed(words: Sequence[str]) -> str:
    """One, one and another, one, another and a third."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def schedule_words(schedule: arms.Schedule) -> str:
    """A learning rate schedule as it is read aloud."""
    lower = "" if schedule.kind == "constant" else f" to {general(schedule.min_lr)}"
    kind = f"constant, in the last {percent(schedule.decay_share)} linear" if schedule.decay_share else schedule.kind
    return f"{schedule.warmup_steps:,} steps of warmup to {general(schedule.max_lr)}, then {kind}{lower}"
