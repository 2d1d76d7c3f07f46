"""The rules of `filters`: what each compares, and which of them are in force for a language. No tables, so that the schema can use it.

A rule is named after the key of params.filters that holds its threshold, so a reason in the decisions is what to edit.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snow.schema import Filters

UNMEASURED = "unmeasured"


def _is_said(signal: str | bool, drop: bool) -> bool:
    """Of signals that say why (`node_modules`), "" for those to which it does not apply."""
    return drop and bool(signal)


@dataclass(frozen=True)
class Rule:
    """Drops a document when `fires(signal, threshold)`; the threshold is `filters.<name>`."""

    name: str
    signal: str
    fires: Callable[[Any, Any], bool]
    language: str | None = None  # the only one it is for
    asked: str | None = None  # the key of params.signals that has the signal measured; None for what always is
    most: float | None = None  # the largest value of the signal, where it has one

    def idle(self, limit: Any) -> bool:
        """Whether no document can ever break this threshold."""
        if self.fires is operator.lt:
            return limit <= 0
        return self.fires is operator.gt and self.most is not None and limit >= self.most


def _shares(fires: Callable[[Any, Any], bool], asked: str | None, **signals: str) -> tuple[Rule, ...]:
    return tuple(Rule(name, signal, fires, None, asked, 1) for name, signal in signals.items())


RULES = (  # a document's reason is the first of these that fires; sizes before contents, cheap explanations before involved ones
    Rule("min_bytes", "bytes", operator.lt),
    Rule("max_bytes", "bytes", operator.gt),
    Rule("min_characters", "characters", operator.lt),
    Rule("max_characters", "characters", operator.gt),
    Rule("min_lines", "lines", operator.lt),
    Rule("max_lines", "lines", operator.gt),
    Rule("drop_vendored", "vendored", _is_said),
    Rule("drop_minified", "minified", _is_said),
    Rule("max_line_length", "max_line_length", operator.gt),
    Rule("min_mean_line_length", "mean_line_length", operator.lt),
    Rule("max_mean_line_length", "mean_line_length", operator.gt),
    *_shares(operator.lt, None, min_alphabetic="alphabetic", min_alphanumeric="alphanumeric", min_visible_alphabetic="visible_alphabetic"),
    *_shares(operator.gt, None, max_digits="digits", max_whitespace="whitespace", max_replacement="replacement"),
    Rule("max_encoded_run", "encoded_run", operator.gt),
    *_shares(operator.gt, None, max_encoded_fraction="encoded_fraction"),
    Rule("drop_generated", "generated", _is_said),
    Rule("drop_generation_words", "generation_words", _is_said),
    Rule("drop_xml", "xml", _is_said),
    Rule("min_html_text", "html_text", operator.lt, "HTML"),
    Rule("min_html_fraction", "html_fraction", operator.lt, "HTML", None, 1),
    *_shares(operator.le, "comments", min_comments="comments"),  # bigcode-dataset keeps what lies strictly between the two
    *_shares(operator.ge, "comments", max_comments="comments"),
    Rule("min_words", "words", operator.lt, None, "words"),
    Rule("min_mean_word_length", "mean_word_length", operator.lt, None, "words"),
    Rule("max_mean_word_length", "mean_word_length", operator.gt, None, "words"),
    *_shares(operator.lt, "words", min_unique_words="unique_words"),
    *_shares(operator.gt, "words", max_duplicate_lines="duplicate_lines"),
    *_shares(operator.gt, "words", **{f"max_top_{n}grams": f"top_{n}grams" for n in (2, 3, 4)}),
    *_shares(operator.gt, "words", **{f"max_duplicate_{n}grams": f"duplicate_{n}grams" for n in range(5, 11)}),
    *_shares(operator.gt, "words", max_long_string_lines="long_string_lines", max_strings="strings", max_long_words="long_words"),
    *_shares(operator.gt, "words", max_hex_words="hex_words", max_todo_lines="todo_lines", max_assert_lines="assert_lines"),
    Rule("drop_unparsable_python", "parses", lambda parses, drop: drop and not parses, "Python"),
)
Limits = tuple[tuple[Rule, Any], ...]


def limits(filters: Filters, language: str) -> Limits:
    """The rules in force for a language with their thresholds: general ones, replaced or switched off by `filters.languages`."""
    override = filters.languages.get(language)
    given = override.model_fields_set if override else frozenset()
    in_force = []
    for rule in RULES:
        limit = getattr(override if rule.name in given else filters, rule.name)
        if limit is not None and limit is not False and rule.language in (None, language):
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
