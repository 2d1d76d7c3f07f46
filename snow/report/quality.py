"""The annotators and selections: how well each tells good code from the corpus, what it said, what was selected by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snow.report.charts import Bar, bars, histogram
from snow.report.content import Column, Figure, Section, Table, columns
from snow.report.format import INAPPLICABLE, cell, count, decimal
from snow.report.receipts import Facts, pick
from snow.report.run import Run, listed
from snow.report.scores import Scores

SHOWN = 9  # histograms; the other languages are in the table


def section(run: Run) -> list[Section]:
    """Receipts of annotate, score and select are required; a recipe without annotators has no such section."""
    selections = run.declared.selections
    ranked = {name: one.by for name, one in selections.items() if not one.like}
    blocks: list[str | Table | Figure] = [
        "As in the paper's Figure 2 an annotator is validated on what it is for: do the benchmarks' reference solutions score above "
        "documents it has not seen? ROC-AUC is the share of such pairs it puts in the right order; 0.5 is chance. Solutions are short "
        "and all in one language, so the same number is given for merely preferring the shorter text, and against documents in that "
        "language alone, and against pieces of those as long as the solutions."
    ]
    for name in run.declared.annotators:
        facts = run.receipts.one("annotate", name)
        by_it = [selection for selection, annotator in ranked.items() if annotator == name]
        blocks += [_made(run, name, facts), _validation_figure(name, facts), _validation(name, facts), _positives(name, facts)]
        blocks += [*_histograms(run, name, by_it[0] if by_it else None), _extremes(name, run.scores[name])]
    for name in ranked:
        drawn = [other for other, one in selections.items() if one.like == name]
        blocks += [_words(run, name, drawn), _selected(run, name, drawn)]
    return [Section("selection", "Annotators and selections", blocks)] if run.declared.annotators else []


def _made(run: Run, name: str, facts: Facts) -> str:
    annotator = run.declared.annotators[name]
    weights = "the encoder trained with it" if annotator.training.finetune else "the encoder left as it is"
    return (
        f"The annotator {name} is a linear head on the embeddings of {facts['encoder']}, {weights}, trained on "
        f"{count(facts['training']['positives'])} windows of high-quality code against {count(facts['training']['negatives'])} of random "
        f"corpus documents. A document's score is its mean over windows at the document's {listed(annotator.scoring.sections)}."
    )


def _words(run: Run, name: str, drawn: list[str]) -> str:
    facts = run.receipts.one("select", name)
    words = (
        f"The selection {name} takes within each language what {run.declared.selections[name].by} scores highest, until the language's "
        f"share of {count(facts['budget_tokens'])} tokens is met, with the corpus' mix of languages: {count(facts['chosen']['documents'])} "
        f"documents, {count(facts['chosen']['tokens'])} tokens."
    )
    for other in drawn:
        both = run.receipts.one("select", other)["in_both"]["documents"]
        words += f" {other} is about as many tokens of the same languages at random; documents in both: {count(both)}."
    if facts.get("budget_exceeds_corpus"):
        words += " The budget exceeds the corpus, so this is all of it, and what is drawn at random instead cannot differ."
    return words


def _trials(annotate: Facts) -> list[tuple[str, Facts]]:
    validation = annotate["validation"]
    return [("held-out positives", validation["split"]), *((f"{suite} solutions", facts) for suite, facts in validation["suites"].items())]


def _validation_figure(name: str, annotate: Facts) -> Figure:
    rows = []
    for trial, facts in _trials(annotate):
        for key, label, colour in (
            ("auc", trial, 1),
            ("auc_of_shortness", f"{trial}, by shortness", 0),
            ("auc_same_language", f"{trial}, same language", 1),
            ("auc_of_shortness_same_language", f"{trial}, same language, by shortness", 0),
            ("auc_same_length", f"{trial}, same language and length", 1),
        ):
            if facts.get(key) is not None:
                rows.append(Bar(label, facts[key], decimal(facts[key]), colour))
    title = f"ROC-AUC of {name} on validation texts"
    return Figure(
        title,
        (bars(rows, name=title, longest=1.0),),
        "Bars run from 0 to 1. Blue: the annotator. Grey: merely preferring the shorter text.",
    )


def _validation(name: str, annotate: Facts) -> Table:
    every, alike = "against all documents", "in the same language"
    numbers = [
        *columns("count", positives="texts"),
        *columns("count", every, negatives="documents"),
        *columns("decimal", every, auc="ROC-AUC", auc_of_shortness="of shortness"),
        *columns("count", alike, negatives_same_language="documents"),
        *columns("decimal", alike, auc_same_language="ROC-AUC", auc_of_shortness_same_language="of shortness"),
        *columns("decimal", "and as long", auc_same_length="ROC-AUC"),
    ]
    rows = [(trial, *(facts.get(column.key, INAPPLICABLE) for column in numbers)) for trial, facts in _trials(annotate)]
    above = pick(annotate, "validation", "unseen_above_half")
    notes = (
        f"Of the unseen corpus documents, {cell(above, 'fraction')} score above 0.5.",
        "The positives and the corpus are decontaminated against the suites.",
    )
    return Table(f"annotator:{name}", f"Validation of {name}", [*columns("text", trial="positives"), *numbers], rows, notes)


def _positives(name: str, annotate: Facts) -> Table:
    left_out = {"empty": "empty", "duplicate": "repeated", "contaminated": "with a benchmark's text"}
    numbers = columns("count", read="read", **left_out, chosen="used")
    rows = [(given, *(pick(counts, column.key) for column in numbers)) for given, counts in annotate["positives"].items()]
    return Table(f"positives:{name}", f"Where the positives of {name} come from", [*columns("text", set="set"), *numbers], rows)


def _histograms(run: Run, name: str, selection: str | None) -> list[Figure]:
    scores = run.scores[name]
    languages = run.receipts.one("select", selection)["languages"] if selection else {}
    if not scores.histograms:
        return []
    shown = scores.languages[:SHOWN]
    charts = tuple(
        histogram(
            [int(value) for value in scores.histograms[language]],
            0.0,
            1.0,
            name=f"{language}, {count(int(scores.histograms[language].sum()))} documents",
            mark=pick(languages, language, "chosen", "threshold"),
            text="{:.2f}".format,
        )
        for language in shown
    )
    rest = len(scores.languages) - len(shown)
    others = f" {rest} more languages are in the table." if rest else ""
    blue = f" Blue: from the lowest score of {selection} on. Held-out documents are scored, but never selected." if selection else ""
    return [Figure(f"Scores of {name} by language", charts, f"Documents by score.{blue}{others}")]


def _selected(run: Run, name: str, drawn: list[str]) -> Table:
    """A selection by language, beside those drawn at random in its place."""
    heads = [
        *columns("text", language="language"),
        *columns("count", "to select from", documents="documents", tokens="tokens"),
        *columns("decimal", "to select from", mean_score="mean score"),
        *columns("count", name, selected_documents="documents", selected_tokens="tokens"),
        *columns("decimal", name, threshold="lowest", selected_score="mean"),
    ]
    for other in drawn:
        heads += [
            Column(f"documents:{other}", "documents", group=other),
            Column(f"tokens:{other}", "tokens", group=other),
            Column(f"mean_score:{other}", "mean", "decimal", other),
            Column(f"in_both:{other}", "in both", group=other),
        ]
    languages, *others = (run.receipts.one("select", one)["languages"] for one in (name, *drawn))
    rows = []
    for language in sorted(languages, key=lambda language: (-languages[language]["available"]["tokens"], language)):
        row = [_fact(languages[language], "available", key) for key in ("documents", "tokens", "mean_score")]
        row += [_fact(languages[language], "chosen", key) for key in ("documents", "tokens", "threshold", "mean_score")]
        for other in others:
            row += [_fact(other.get(language, {}), "chosen", key) for key in ("documents", "tokens", "mean_score")]
            row.append(pick(other, language, "in_both", "documents"))
        rows.append((language, *row))
    notes = (
        "A language whose share of the budget is less than half of its best document has none selected, and so no lowest selected score.",
    )
    return Table(f"selection:{name}", f"The selection {name} by language", heads, rows, notes)


def _fact(language: Mapping[str, Any], part: str, key: str) -> Any:
    """A number of one part; scores of no documents do not exist."""
    return INAPPLICABLE if pick(language, part, "documents") == 0 and "documents" != key != "tokens" else pick(language, part, key)


def _extremes(name: str, scores: Scores) -> Table:
    heads = [*columns("decimal", score="score"), *columns("text", language="language", repo="repository"), *columns("code", path="path")]
    rows = [(one.score, one.language, one.repo, one.path) for one in (*scores.highest, *reversed(scores.lowest))]
    title = f"The {len(scores.highest)} highest and {len(scores.lowest)} lowest scores of {name}"
    return Table(f"extremes:{name}", title, heads, rows, folded=True)


def common(run: Run, models: tuple[str, str]) -> list[str]:
    """The two models' selections where each trains on one and one is drawn in place of the other or of the same; else none."""
    names = [run.declared.token_sets[used].documents for model in models for used in run.models[model].shares]
    known = [(name, run.declared.selections[name].like or name) for name in names if name in run.declared.selections]
    return names if len(names) == len(known) == 2 and known[0][1] == known[1][1] else []


def means(run: Run, models: tuple[str, str]) -> str:
    """How differently the annotator sees what two models train on, in brackets; nothing where it did not choose between the two."""
    names = common(run, models)
    if not names:
        return ""
    told = []
    for name in names:
        chosen = [facts["chosen"] for facts in run.receipts.one("select", name)["languages"].values()]
        scored = [(one["mean_score"], one["tokens"]) for one in chosen if one["mean_score"] is not None]
        total = sum(tokens for _, tokens in scored)
        told.append(cell(sum(score * tokens for score, tokens in scored) / total if total else None, "decimal"))
    return f" (mean score {' against '.join(told)}, weighted by tokens)"
