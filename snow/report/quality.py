"""The annotator and selection section: how well it tells good code from the corpus, what it said, what was selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snow.report.charts import Bar, bars, histogram
from snow.report.content import Column, Figure, Section, Table
from snow.report.format import cell, count, decimal
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
        f"{count(annotate['training']['positives'])} windows of high-quality code against {count(annotate['training']['negatives'])} of random "
        "corpus documents. As in the paper's Figure 2 it is validated on what it is for: do the benchmarks' reference solutions score above "
        "documents it has not seen? ROC-AUC is the share of such pairs it puts in the right order; 0.5 is chance. Solutions are short and all "
        "in one language, so the same number is given for merely preferring the shorter text, and against documents in that language alone."
    )
    selection = (
        f"Every document's score is the mean over its top, middle and bottom. Within each language the highest are selected until the language's "
        f"share of {count(select['budget_tokens'])} tokens is met, with the corpus' mix of languages: {count(select['selected']['documents'])} "
        f"documents, {count(select['selected']['tokens'])} tokens. The control is as many tokens of the same languages at random; "
        f"{count(select['in_both']['documents'])} documents are in both."
    )
    if select.get("budget_exceeds_corpus"):
        selection += " The budget exceeds the corpus, so selection took everything and the control cannot differ."
    blocks = [annotator, _validation_figure(annotate), _validation(annotate), _positives(annotate)]
    return Section("selection", "Annotator and selection", [*blocks, selection, *_histograms(select, scores), _selected(receipts), _extremes(scores)])


def _trials(annotate: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    validation = annotate["validation"]
    return [("held-out positives", validation["split"]), *((f"{suite} solutions", facts) for suite, facts in validation["suites"].items())]


def _validation_figure(annotate: Mapping[str, Any]) -> Figure:
    rows = []
    for name, facts in _trials(annotate):
        for key, label, colour in (
            ("auc", name, 1),
            ("auc_same_language", f"{name}, one language", 1),
            ("auc_of_shortness", "shorter is better, alone", 0),
            ("auc_of_shortness_same_language", "the same, one language", 0),
        ):
            if facts.get(key) is not None:
                rows.append(Bar(label, facts[key], decimal(facts[key]), colour))
    title = "ROC-AUC on validation texts"
    return Figure(title, (bars(rows, name=title, label_width=260, longest=1.0),), "Bars run from 0 to 1. Blue: the annotator. Grey: preferring short texts.")


def _validation(annotate: Mapping[str, Any]) -> Table:
    columns = (
        Column("trial", "positives", "text"),
        Column("positives", "positives"),
        Column("negatives", "corpus documents"),
        Column("auc", "ROC-AUC", "decimal"),
        Column("auc_of_shortness", "of shortness alone", "decimal"),
        Column("negatives_same_language", "documents in that language"),
        Column("auc_same_language", "ROC-AUC", "decimal"),
        Column("auc_of_shortness_same_language", "of shortness alone", "decimal"),
    )
    rows = tuple((name, *(pick(facts, column.key) for column in columns[1:])) for name, facts in _trials(annotate))
    above = pick(annotate, "validation", "unseen_above_half")
    notes = (f"Of the unseen corpus documents, {cell(above, 'fraction')} score above 0.5.", "The positives and the corpus are decontaminated against the suites.")
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
    caption = f"Documents by score. Blue: from the lowest selected score on. Held-out documents are scored as well, but never selected.{others}"
    return [Figure("Scores by language", charts, caption)]


def _score(value: float) -> str:
    return f"{value:.2f}"


def _selected(receipts: Receipts) -> Table:
    columns = (
        Column("language", "language", "text"),
        Column("documents", "documents"),
        Column("tokens", "tokens"),
        Column("mean_score", "mean score", "decimal"),
        Column("selected_documents", "selected"),
        Column("selected_tokens", "tokens"),
        Column("threshold", "from score", "decimal"),
        Column("selected_score", "mean score", "decimal"),
        Column("control_documents", "control"),
        Column("control_tokens", "tokens"),
        Column("control_score", "mean score", "decimal"),
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
    rows = tuple((name, *(pick(languages[name], *path) for path in paths)) for name in order)
    notes = ("A language whose share of the budget is less than half of its best document has none selected, and so no lowest selected score.",)
    return Table("selection", "Selected and control, by language", columns, rows, notes)


def _extremes(scores: Scores) -> Table:
    columns = (Column("score", "score", "decimal"), Column("language", "language", "text"), Column("repo", "repository", "text"), Column("path", "path", "text"))
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
