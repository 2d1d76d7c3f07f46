"""The experiment as data: what params.yaml declares by name, each instance once however many arms use it.

A selection is by an annotator, a token set is the documents of one, a model trains on token sets and begins from a model. Names are
checked by `check`; `snow.jobs` makes of each declaration the jobs it needs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from snow import paper, prompts
from snow.reserved import CORPUS, HELDOUT, RANDOM, SCRATCH
from snow.section import Fraction, Name, Positive, Section


class Tokenizer(Section):
    pretrained: str | None  # a hub name, a folder, a GGUF file or package:...; None trains one
    revision: str | None  # of the hub name
    vocab_size: int = Field(ge=300, le=1_000_000)
    sample_bytes: Positive  # of the corpus, spread over the languages as they are
    special_tokens: tuple[str, ...] = Field(strict=False)


class Grouping(Section):
    group_by: Literal["language_repo", "repo"]
    repo_context: bool  # write repository and file names as special tokens
    fim_rate: Fraction
    fim_spm_rate: Fraction


class Positives(Section):
    """A set of high-quality code the annotator should recognise: JSONL(.gz) or JSON files, or a Hugging Face data set."""

    name: str
    kind: Literal["json", "huggingface"]
    path: str
    field: str  # which column or key holds the code
    drop_lines: str | None = None  # regular expression of lines that are the set's template, not its code
    revision: str | None = None
    split: str = "train"
    limit: Positive

    @field_validator("drop_lines")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"it is no regular expression ({error})") from None
        return value


class Finetune(Section):
    epochs: Positive
    batch_size: Positive
    learning_rate: float = Field(gt=0)


class Scoring(Section):
    sections: tuple[Literal["top", "middle", "bottom"], ...] = Field(strict=False, min_length=1)  # the score is their mean
    window_tokens: Positive
    precision: Literal["fp32", "bf16"]  # of the encoder


class Training(Section):
    """How an annotator is made; `scoring` beside it says how it reads the corpus."""

    encoder: str  # any Hugging Face name, folder or package:...
    revision: str | None
    positives: tuple[Positives, ...] = Field(strict=False, min_length=1)
    negatives: Positive
    validation_negatives: Positive
    window_tokens: Positive
    ridge: float = Field(gt=0)  # penalty of the head's squared weights on standardised embeddings, when the encoder is frozen
    finetune: Finetune | None  # None keeps the encoder frozen
    validation_fraction: float = Field(gt=0, lt=0.5)


class Annotator(Section):
    training: Training
    scoring: Scoring


class Selection(Section):
    by: Name  # an annotator, or `random`
    like: Name | None = None  # with `random`: the selection whose tokens of every language are drawn at random instead
    tokens: Positive | None = None  # unique tokens over all languages, split as in the corpus
    among: Name | None = None  # the token set of the whole corpus that documents are counted by
    exclude_languages: tuple[str, ...] = Field((), strict=False)
    seed: int | None = Field(None, ge=0, lt=2**31)  # of the draws; None is the recipe's

    @model_validator(mode="after")
    def _kind(self) -> Selection:
        if self.by == RANDOM and (self.like is None or self.tokens or self.among or self.exclude_languages):
            raise ValueError("a random selection has `like`, the selection it is drawn in place of, and takes tokens and languages from it")
        if self.by != RANDOM and (self.tokens is None or self.among is None):
            raise ValueError("a selection by an annotator needs `tokens`, its budget, and `among`, a token set with `documents: corpus`")
        return self


class Generator(Section):
    backend: Literal["llamacpp", "openai", "vllm"]
    model: str  # package:... or path of a GGUF for llamacpp, else the served model's name
    revision: str | None  # of a hub name, or what another's server has
    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    max_tokens: Positive
    context_tokens: Positive
    tensor_parallel: Positive = 1  # GPUs of a vLLM server that hold the weights together
    data_parallel: Positive = 1  # how often they do, each time for a share of the requests

    @property
    def gpus(self) -> int:
        """What a server of ours computes on; llama.cpp's is built without GPUs."""
        return self.tensor_parallel * self.data_parallel if self.backend == "vllm" else 0


class Refine(Section):
    python_share: Fraction  # of bytes, and of the requests that lead to them
    require_stop: bool  # drop answers that the token limit cut; else their last, unfinished line goes and the rest has to parse
    min_chars: Positive
    max_chars: Positive
    max_repeated_lines: Fraction  # share of lines that repeat an earlier one
    seed_similarity: Fraction  # share of a document's token shingles that are its seed's, from which on it is a copy
    duplicate_similarity: float = Field(gt=0, lt=1)  # Jaccard of token shingles, estimated as dedup does


class Synthetic(Section):
    seeds: Name  # the selection whose documents inspire
    generator: Name
    prompt: Name
    requests: Positive
    seed_lines: Positive  # at most this many consecutive lines of a selected document
    concurrency: Positive  # requests under way at a time
    shards: Positive
    refine: Refine


class TokenSet(Section):
    documents: Name  # `corpus`, a selection, or a synthetic set
    tokenizer: Name  # of `tokenizers`, or a model of others, whose own it is
    grouping: Name


class Schedule(Section):
    kind: Literal["cosine", "linear", "constant", "wsd"]  # what follows the warmup, MAX -> MIN; see `snow.pretrain.schedule`
    warmup_steps: int = Field(ge=0)
    max_lr: float = Field(gt=0)
    min_lr: float = Field(ge=0)
    decay_share: float | None = Field(None, gt=0, le=1)  # of all steps, with wsd: the last ones, in which the rate comes down

    @model_validator(mode="after")
    def _order(self) -> Schedule:
        if self.min_lr > self.max_lr:
            raise ValueError(f"min_lr {self.min_lr} is above max_lr {self.max_lr}")
        if (self.kind == "wsd") != (self.decay_share is not None):
            raise ValueError("decay_share: wsd has it, as in 0.1 for the last tenth of the steps, and no other kind")
        return self


class LossSpike(Section):
    factor: float = Field(gt=1)  # a loss above so many times the median
    steps: Positive  # of so many steps before it


class Engine(Section):
    """DeepSpeed: how the work is distributed, not what is computed, except the precision."""

    zero_stage: Literal[0, 1, 2, 3]
    precision: Literal["fp32", "bf16"]
    offload_optimizer: bool
    kernels: Literal["liger", "torch"]  # on a GPU; a CPU has torch's
    compile: bool  # each layer by torch.compile: slower to start, then faster
    activation_checkpointing: Literal["none", "selective", "full"]  # computed again on the way back, of every second layer or all

    @model_validator(mode="after")
    def _master_weights(self) -> Engine:
        if self.precision == "bf16" and self.zero_stage == 0:
            raise ValueError("precision bf16 needs zero_stage 1 or more: DeepSpeed's stage 0 also adds the gradients up in bf16")
        return self


class Model(Section):
    begin_from: Name  # `scratch`, a model or one of others: weights only, fresh optimizer and schedule
    train_on: Name | dict[Name, Fraction]  # a token set, or several with their shares of the tokens trained
    tokens: Positive  # token horizon; steps = tokens // (batch_size * sequence_length)
    repetitions: Positive  # passes over each token set at most; a longer horizon is cut to them
    sequence_length: Positive
    batch_size: Positive  # sequences per optimizer step, over all workers
    micro_batch_size: Positive | Literal["auto"]  # sequences at a time on one worker; auto: on a GPU the most that fit
    schedule: Schedule
    beta1: Fraction
    beta2: Fraction
    weight_decay: float = Field(ge=0)
    weight_decay_on: Literal["matrices", "layers", "all"]  # as is usual since GPT-3; no embeddings; norms and biases too
    z_loss: float = Field(ge=0)  # weight of the squared log of the softmax's normalizer; PaLM's is 1e-4
    document_masks: bool  # attention stays in a document, where else it goes through all that a sequence holds
    gradient_clip: float = Field(gt=0)
    engine: Engine
    checkpoint_steps: Positive
    validate_steps: Positive
    validate_tokens: Positive
    on_nonfinite: Literal["stop", "skip"]  # at a loss or gradient that is not finite, or a spike: end before it, or leave that batch out
    loss_spike: LossSpike | None  # None looks for none
    seed: int | None = Field(None, ge=0, lt=2**31)  # of weights and order of windows; None is the recipe's

    @field_validator("train_on")
    @classmethod
    def _whole(cls, value: str | dict[str, float]) -> str | dict[str, float]:
        if isinstance(value, dict) and (len(value) < 2 or min(value.values()) < 0.001 or abs(sum(value.values()) - 1) > 1e-6):
            raise ValueError("a mixture names two or more token sets with shares of a thousandth or more that add up to 1")
        return value

    @property
    def shares(self) -> Mapping[str, float]:
        """The token sets trained on, with their shares."""
        return self.train_on if isinstance(self.train_on, dict) else {self.train_on: 1.0}

    @model_validator(mode="after")
    def _batches(self) -> Model:
        if self.micro_batch_size == "auto":
            if self.engine.zero_stage == 3:
                raise ValueError("micro_batch_size: auto tries passes on one worker alone, which zero_stage 3 cannot; give a number")
        elif self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of micro_batch_size {self.micro_batch_size}")
        return self


class Compared(Section):
    """Another's model, measured beside those of the experiment, which may begin from it."""

    pretrained: str  # a hub name, a folder or package:...
    revision: str | None = None  # of the hub name


class Table(Section):
    """Arms set side by side, each beside a row of a table of the paper where it has one."""

    title: str
    arms: dict[Name, str | None] = Field(min_length=1)  # model -> the row of that table, None for an arm of our own
    paper: str | None = None  # a key of `snow.paper.TABLES`


class Report(Section):
    title: str
    path: tuple[Name, ...] = Field(strict=False, min_length=1)  # the models that lead to the one that is published, in order
    compare: tuple[Annotated[tuple[Name, Name], Field(strict=False)], ...] = Field(
        (), strict=False
    )  # pairs: what the first has over the second
    experiments: dict[Name, Table] = Field(default_factory=dict)


def check(params: Any) -> None:
    """ValueError naming the first declaration of `params` (a `snow.schema.Params`) that uses what is not declared, or does not fit it."""
    _require("selections", params.selections, "by", params.annotators, lambda one: one.by, RANDOM)
    _require("selections", params.selections, "like", params.selections, lambda one: one.like)
    _require("selections", params.selections, "among", params.token_sets, lambda one: one.among)
    _require("synthetic", params.synthetic, "seeds", params.selections, lambda one: one.seeds)
    _require("synthetic", params.synthetic, "generator", params.generators, lambda one: one.generator)
    _require("synthetic", params.synthetic, "prompt", params.prompts, lambda one: one.prompt)
    _require("token_sets", params.token_sets, "documents", {**params.selections, **params.synthetic}, lambda one: one.documents, CORPUS)
    others = params.evaluation.compare_with
    _require("token_sets", params.token_sets, "tokenizer", {**params.tokenizers, **others}, lambda one: one.tokenizer)
    _require("token_sets", params.token_sets, "grouping", params.groupings, lambda one: one.grouping)
    for name, model in params.models.items():
        if model.begin_from not in {SCRATCH, *params.models, *others}:
            told = _unknown(f"models.{name}.begin_from", model.begin_from, [*params.models, *others])
            raise ValueError(f"{told}, or write a model of others with a slash, as in openai-community/gpt2 or ./gpt2")
    _reserved(params)
    for name, one in params.selections.items():
        if one.like is not None and params.selections[one.like].by == RANDOM:
            raise ValueError(f"selections.{name}.like: {one.like} is a random selection itself; name the one by an annotator")
        if one.among is not None and params.token_sets[one.among].documents != CORPUS:
            raise ValueError(f"selections.{name}.among: {one.among} is not the whole corpus; name a token set with `documents: corpus`")
    for name, one in params.synthetic.items():
        _prompt(params, name, one)
    for name, model in params.models.items():
        for used in model.shares:
            if used not in params.token_sets:
                raise ValueError(_unknown(f"models.{name}.train_on", used, params.token_sets))
        _chain(params, name)
    named = {*params.report.path, *(name for pair in params.report.compare for name in pair)}
    named |= {name for table in params.report.experiments.values() for name in table.arms}
    for name in sorted(named - set(params.models)):
        raise ValueError(_unknown("report", name, params.models))
    for before, after in itertools.pairwise(params.report.path):
        if params.models[after].begin_from != before:
            raise ValueError(f"report.path: {after} does not begin from {before}; list the models in the order they are trained")
    for table in params.report.experiments.values():
        for row in filter(None, table.arms.values()):
            paper.row(table.paper, row)


def _unknown(key: str, name: str, known: Iterable[str]) -> str:
    return f"{key}: there is no {name!r} among {', '.join(known) or 'nothing'}; declare it or correct the name"


def _require(section: str, entries: Mapping[str, Any], key: str, known: Mapping[str, Any], get: Any, standing: str | None = None) -> None:
    for name, entry in entries.items():
        used = get(entry)
        if used is not None and used != standing and used not in known:
            raise ValueError(_unknown(f"{section}.{name}.{key}", used, known))


def _reserved(params: Any) -> None:
    """Names that mean something else where they are used."""
    for section, word in (("annotators", RANDOM), ("annotators", "selections"), ("models", SCRATCH)):
        if word in getattr(params, section):
            raise ValueError(f"{section}.{word}: this name has a meaning of its own here; take another")
    for name in params.evaluation.compare_with:
        for section in ("models", "tokenizers"):
            if name == SCRATCH or name in getattr(params, section):
                raise ValueError(f"evaluation.compare_with.{name}: this name is taken under {section}; take another")
    both = sorted(({CORPUS} | set(params.selections)) & set(params.synthetic) | {CORPUS} & set(params.selections))
    if both:
        raise ValueError(f"{both[0]} names two kinds of documents (corpus, selections, synthetic); rename one")
    held = [name for name in params.token_sets if name == HELDOUT or name.startswith(f"{HELDOUT}-")]
    if held:
        raise ValueError(f"token_sets.{held[0]}: the held-out documents are packed for every tokenizer under such names; take another")


def _prompt(params: Any, name: str, one: Synthetic) -> None:
    generator, text = params.generators[one.generator], params.prompts[one.prompt]
    for placeholder in prompts.PLACEHOLDERS:
        if f"{{{placeholder}}}" not in text:
            raise ValueError(f"prompts.{one.prompt} has no {{{placeholder}}}; write it where the {placeholder} belongs")
    room = prompts.seed_bytes(text, generator.context_tokens, generator.max_tokens)
    if room < prompts.MIN_SEED_BYTES:
        raise ValueError(
            f"synthetic.{name}: generators.{one.generator}.context_tokens {generator.context_tokens} leaves {room} bytes for the seed "
            f"beside max_tokens and prompts.{one.prompt}; {prompts.MIN_SEED_BYTES} are the least"
        )


def _chain(params: Any, name: str) -> None:
    """A model's tokenizer is one, that of the models it goes back to, which end in random weights or in a model of others."""
    model, seen = params.models[name], [name]
    sets = list(model.shares)
    while model.begin_from in params.models:
        if model.begin_from in seen:
            raise ValueError(f"models.{name}.begin_from: {' from '.join([*seen, model.begin_from])} goes round in a circle")
        seen.append(model.begin_from)
        model = params.models[model.begin_from]
        sets += [used for used in model.shares if used in params.token_sets]
    root, length = model.begin_from, params.models[name].sequence_length
    if root == SCRATCH and length > params.architecture.max_position_embeddings:
        raise ValueError(
            f"models.{name}.sequence_length {length} exceeds architecture.max_position_embeddings "
            f"{params.architecture.max_position_embeddings}"
        )
    for used in sets:
        tokenizer = params.token_sets[used].tokenizer
        if root != SCRATCH and tokenizer != root:
            raise ValueError(
                f"token_sets.{used}.tokenizer: models.{name} trains on it and goes back to {root}, which reads tokens of its own, not of "
                f"{tokenizer}; set it to {root}"
            )
    tokenizers = {params.token_sets[used].tokenizer for used in sets}
    if len(tokenizers) > 1:
        raise ValueError(f"models.{name}: it and what it begins from and trains on use the tokenizers {', '.join(sorted(tokenizers))}; one")
