"""The annotator and selection section: how well it tells good code from the corpus, what it said, what was selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snow.report.charts import Bar, bars, histogram
from snow.report.content import Column, Figure, Section, Table
from snow.report.format import INAPPLICABLE, cell, count, decimal
from snow.report.receipts import Receipts, pick
from snow.report.scores import Scores

SHOWN = 9  # histograms; the other languages are in the table


def section(receipts: Receipts, scores: Scores) -> Section:
    """Receipts of annotate, score and select are required."""
    annotate, select = receipts.one("annotate"), receipts.one("select")
    params = receipts.params()
    weights = "the encoder trained with it" if (params.get("annotator") or {}).get("finetune") else "the encoder left as it is"
    annotator = (
        f"The annotator is a linear head on the embeddings of {annotate['encoder']}, {weights}, trained on "
        f"{count(annotate['training']['positives'])} windows of high-quality code against {count(annotate['training']['negatives'])} of "
        "random corpus documents. As in the paper's Figure 2 it is validated on what it is for: do the benchmarks' reference solutions "
        "score above documents it has not seen? ROC-AUC is the share of such pairs it puts in the right order; 0.5 is chance. "
        "Solutions are short and all in one language, so the same number is given for merely preferring the shorter text, and against "
        "documents in that language alone, and against pieces of those as long as the solutions."
    )
    selection = (
        f"{_scored(params)} Within each language the highest are selected until the "
        f"language's share of {count(select['budget_tokens'])} tokens is met, with the corpus' mix of languages: "
        f"{count(select['selected']['documents'])} documents, {count(select['selected']['tokens'])} tokens. The control is about as many "
        f"tokens of the same languages at random; documents in both: {count(select['in_both']['documents'])}."
    )
    if select.get("budget_exceeds_corpus"):
        selection += " The budget exceeds the corpus, so selection took everything and the control cannot differ."
    blocks = [annotator, _validation_figure(annotate), _validation(annotate), _positives(annotate)]
    return Section(
        "selection", "Annotator and selection", [*blocks, selection, *_histograms(select, scores), _selected(receipts), _extremes(scores)]
    )


def _scored(params: Mapping[str, Any]) -> str:
    *first, last = params["scoring"]["sections"]
    named = f"{', '.join(first)} and {last}" if first else last
    return f"A document's score is the annotator's, averaged over windows at its {named}."


def _trials(annotate: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    validation = annotate["validation"]
    return [("held-out positives", validation["split"]), *((f"{suite} solutions", facts) for suite, facts in validation["suites"].items())]


def _validation_figure(annotate: Mapping[str, Any]) -> Figure:
    rows = []
    for name, facts in _trials(annotate):
        for key, label, colour in (
            ("auc", name, 1),
            ("auc_of_shortness", f"{name}, by shortness", 0),
            ("auc_same_language", f"{name}, same language", 1),
            ("auc_of_shortness_same_language", f"{name}, same language, by shortness", 0),
            ("auc_same_length", f"{name}, same language and length", 1),
        ):
            if facts.get(key) is not None:
                rows.append(Bar(label, facts[key], decimal(facts[key]), colour))
    title = "ROC-AUC on validation texts"
    return Figure(
        title,
        (bars(rows, name=title, longest=1.0),),
        "Bars run from 0 to 1. Blue: the annotator. Grey: merely preferring the shorter text.",
    )


def _validation(annotate: Mapping[str, Any]) -> Table:
    every, alike = "against all documents", "in the same language"
    columns = (
        Column("trial", "positives", "text"),
        Column("positives", "texts"),
        Column("negatives", "documents", group=every),
        Column("auc", "ROC-AUC", "decimal", every),
        Column("auc_of_shortness", "of shortness", "decimal", every),
        Column("negatives_same_language", "documents", group=alike),
        Column("auc_same_language", "ROC-AUC", "decimal", alike),
        Column("auc_of_shortness_same_language", "of shortness", "decimal", alike),
        Column("auc_same_length", "ROC-AUC", "decimal", "and as long"),
    )
    rows = tuple((name, *(facts.get(column.key, INAPPLICABLE) for column in columns[1:])) for name, facts in _trials(annotate))
    above = pick(annotate, "validation", "unseen_above_half")
    notes = (
        f"Of the unseen corpus documents, {cell(above, 'fraction')} score above 0.5.",
        "The positives and the corpus are decontaminated against the suites.",
    )
    return Table("annotator", "Validation of the annotator", columns, rows, notes)


def _positives(annotate: Mapping[str, Any]) -> Table:
    columns = (
        Column("set", "set", "text"),
        Column("read", "read"),
        Column("empty", "empty"),
        Column("duplicate", "repeated"),
        Column("contaminated", "with a benchmark's text"),
        Column("chosen", "used"),
    )
    rows = tuple((name, *(pick(counts, column.key) for column in columns[1:])) for name, counts in annotate["positives"].items())
    return Table("positives", "Where the positives come from", columns, rows)


def _histograms(select: Mapping[str, Any], scores: Scores) -> list[Figure]:
    if not scores.histograms:
        return []
    shown = scores.languages[:SHOWN]
    charts = tuple(
        histogram(
            [int(value) for value in scores.histograms[language]],
            0.0,
            1.0,
            name=f"{language}, {count(int(scores.histograms[language].sum()))} documents",
            mark=pick(select, "languages", language, "selected", "threshold"),
            text=_score,
        )
        for language in shown
    )
    rest = len(scores.languages) - len(shown)
    others = f" {rest} more languages are in the table." if rest else ""
    caption = (
        f"Documents by score. Blue: from the lowest selected score on. Held-out documents are scored as well, but never selected.{others}"
    )
    return [Figure("Scores by language", charts, caption)]


def _score(value: float) -> str:
    return f"{value:.2f}"


def _selected(receipts: Receipts) -> Table:
    columns = (
        Column("language", "language", "text"),
        Column("documents", "documents", group="to select from"),
        Column("tokens", "tokens", group="to select from"),
        Column("mean_score", "mean score", "decimal", "to select from"),
        Column("selected_documents", "documents", group="selected"),
        Column("selected_tokens", "tokens", group="selected"),
        Column("threshold", "lowest", "decimal", "selected"),
        Column("selected_score", "mean", "decimal", "selected"),
        Column("control_documents", "documents", group="control"),
        Column("control_tokens", "tokens", group="control"),
        Column("control_score", "mean", "decimal", "control"),
        Column("in_both", "in both"),
    )
    languages = receipts.one("select")["languages"]
    paths = (
        *(("available", key) for key in ("documents", "tokens", "mean_score")),
        *(("selected", key) for key in ("documents", "tokens", "threshold", "mean_score")),
        *(("control", key) for key in ("documents", "tokens", "mean_score")),
        ("in_both", "documents"),
    )
    order = sorted(languages, key=lambda name: (-languages[name]["available"]["tokens"], name))
    rows = tuple((name, *(_fact(languages[name], *path) for path in paths)) for name in order)
    notes = (
        "A language whose share of the budget is less than half of its best document has none selected, and so no lowest selected score.",
    )
    return Table("selection", "Selected and control, by language", columns, rows, notes)


def _fact(language: Mapping[str, Any], part: str, key: str) -> Any:
    """A number of one part; scores of no documents do not exist."""
    return INAPPLICABLE if pick(language, part, "documents") == 0 and "documents" != key != "tokens" else pick(language, part, key)


def _extremes(scores: Scores) -> Table:
    columns = (
        Column("score", "score", "decimal"),
        Column("language", "language", "text"),
        Column("repo", "repository", "text"),
        Column("path", "path", "code"),
    )
    rows = tuple((one.score, one.language, one.repo, one.path) for one in (*scores.highest, *reversed(scores.lowest)))
    return Table("extremes", f"The {len(scores.highest)} highest and {len(scores.lowest)} lowest scores", columns, rows, folded=True)


def worth(receipts: Receipts) -> str:
    """How differently the annotator sees the two sets phase 2 and its control train on, in a sentence."""
    languages = receipts.one("select")["languages"].values()

    def mean(part: str) -> float | None:
        pairs = [(facts[part]["mean_score"], facts[part]["tokens"]) for facts in languages if facts[part]["mean_score"] is not None]
        total = sum(tokens for _, tokens in pairs)
        return sum(score * tokens for score, tokens in pairs) / total if total else None

    return f"mean score {cell(mean('selected'), 'decimal')} against {cell(mean('control'), 'decimal')}, weighted by tokens"
