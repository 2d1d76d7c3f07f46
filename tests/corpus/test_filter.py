"""A document goes for the reason the receipt gives, at the threshold params.yaml states, and never for want of a measurement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_stages import document, rows, run, standard_library, write

from snow.corpus import filter as stage
from snow.errors import SnowError
from snow.schema import Filters, LanguageRule
from snow.tables import TableWriter

LINE = "value = compute(value, other)  # a line of fifty characters or so\n"


def judge(folder: Path, documents: list[dict[str, Any]], comments: bool = False, **filters: Any) -> tuple[list[list[str]], dict[str, Any]]:
    """The rules each document breaks and the receipt's facts, with `filters` changed key by key."""
    shard = write(folder / "raw.parquet", documents)
    run("measure", folder, "00000", {"documents": [shard]}, {"signals": folder / "signals.parquet"}, signals={"comments": comments})
    return decide(folder, **filters)


def decide(folder: Path, **filters: Any) -> tuple[list[list[str]], dict[str, Any]]:
    inputs: dict[str, Sequence[Path]] = {"documents": [folder / "raw.parquet"], "signals": [folder / "signals.parquet"]}
    outputs = {"documents": folder / "filtered.parquet", "decisions": folder / "decisions.parquet"}
    facts = run("filter", folder, "00000", inputs, outputs, filters=filters)
    return [row["rules"] for row in rows(folder / "decisions.parquet")], facts


def written(content: str, language: str = "C") -> dict[str, Any]:
    return document(content) | {"language": language}


PROSE = "a few words; " * 7  # 91 characters
ROW = "ab; de; " * 9 + "ab; de;\n"  # 80 characters
BASE64 = "Aa0+" * 16  # 64 characters
BASE64_LINES = (BASE64 + "\n") * 15  # 975, in which line ends count

# Each pair straddles the pocket run's threshold: the first passes, the second breaks this rule and no other.
STRADDLING = {
    "min_bytes": (PROSE + "\nword é.", PROSE + "\nword e."),  # 100 bytes in 99 characters, 99 bytes
    "max_bytes": (ROW * 37_499 + ROW.replace("de;\n", "dé;"), ROW * 37_499 + ROW.replace("e;\n", "éé")),
    "max_lines": ("ab;\n" * 100_000, "ab;\n" * 100_001),
    "max_line_length": (LINE * 30 + "ab; " * 250, LINE * 30 + "ab; " * 250 + "a"),
    "max_mean_line_length": (f"{PROSE}{PROSE}\n{PROSE[:18]}", f"{PROSE}{PROSE}\n{PROSE[:19]}"),
    "max_encoded_run": (f"{LINE * 30};{BASE64_LINES}{BASE64[:49]};", f"{LINE * 30};{BASE64_LINES}{BASE64[:50]};"),
    "max_encoded_fraction": ((f";{BASE64};\n" + ";" * 60 + "\n") * 9, (f";{BASE64};\n" + ";" * 59 + "\n") * 9),
    "drop_generated": (LINE * 5 + "// automatically generated\n", "// Automatically generated\n" + LINE * 5),
    "drop_xml": (LINE * 5 + "<?xml version='1.0'?>", "<?xml version='1.0'?>" + LINE * 5),
}


@pytest.mark.parametrize("rule", STRADDLING)
def test_a_rule_drops_exactly_what_lies_beyond_its_threshold(rule: str, tmp_path: Path) -> None:
    passing, failing = STRADDLING[rule]
    found, facts = judge(tmp_path, [written(passing), written(failing)])
    assert found == [[], [rule]]
    assert [row["reason"] for row in rows(tmp_path / "decisions.parquet")] == [None, rule]
    assert [row["content"] for row in rows(tmp_path / "filtered.parquet")] == [passing]
    assert facts["dropped"] == {rule: 1}


def test_alphabetic_and_alphanumeric_thresholds_are_separate(tmp_path: Path) -> None:
    digits = "1234567890 +\n" * 20
    symbols = "+-*/ ( ) { }\n" * 20
    found, _ = judge(tmp_path, [written(digits), written(symbols), written("abc_123 ++\n" * 20)])
    assert found == [["min_alphabetic"], ["min_alphabetic", "min_alphanumeric"], []]


def test_html_needs_visible_text_and_only_html_does(tmp_path: Path) -> None:
    markup = '<div class="row"></div>\n' * 40
    pages = [markup + "word " * 80, markup + "word " * 25, "<p>word</p> " * 9]
    found, _ = judge(tmp_path, [written(page, "HTML") for page in pages] + [written(markup, "PHP")])
    assert found == [[], ["min_html_fraction"], ["min_html_text"], []]


def test_python_must_parse_and_only_python_must(tmp_path: Path) -> None:
    broken = LINE * 3 + "print 'Python 2'\n"
    found, facts = judge(tmp_path, [written(broken, "Python"), written(broken, "Cython"), written(LINE * 3, "Python")])
    assert found == [["drop_unparsable_python"], [], []]
    assert facts["languages"]["Python"]["dropped"] == {"drop_unparsable_python": 1}
    assert decide(tmp_path, drop_unparsable_python=False)[0] == [[], [], []]


def test_what_could_not_be_measured_is_dropped_and_counted(tmp_path: Path) -> None:
    exhausting = LINE * 3 + "x = " + ("-" * 90 + "\\\n") * 1000 + "1\n"  # more unary minuses than the parser can nest
    documents = [written(LINE * 1500 + exhausting, "Python"), written(LINE * 3, "Python"), written(LINE * 3, "Klingon")]
    documents.append(written(LINE * 3, "Jupyter Notebook"))
    found, facts = judge(tmp_path, documents, comments=True)
    assert found == [["unmeasured"], [], ["unmeasured"], []]
    assert facts["dropped"] == {"unmeasured": 2}
    assert facts["not_measured"] == []
    without = {name: {"min_comments": None, "max_comments": None} for name in ("Klingon", "Jupyter Notebook")}
    assert decide(tmp_path, drop_unparsable_python=False, languages=without)[0] == [[], [], [], []]


def test_comment_rules_hold_only_where_comments_were_measured(tmp_path: Path) -> None:
    bare, normal, all_comment = "x = compute(x)\n" * 20, LINE * 3, "# words and words\n" * 20
    documents = [written(text, "Python") for text in (bare, normal, all_comment)]
    found, facts = judge(tmp_path, documents, comments=True)
    assert found == [["min_comments"], [], ["max_comments"]]
    found, facts = judge(tmp_path, documents)
    assert found == [[], [], []]
    assert facts["not_measured"] == ["comments"]


def test_a_language_replaces_or_lifts_thresholds(tmp_path: Path) -> None:
    long_line = LINE * 30 + "a few words; " * 80
    data = "a few words;\n" * 600
    documents = [written(long_line, name) for name in ("C", "HTML", "SQL")] + [written(data, name) for name in ("C", "JSON")]
    found, _ = judge(tmp_path, documents)
    assert found == [["max_line_length"], [], [], [], ["max_lines"]]  # StarCoder2's exceptions, and its limit for data files
    assert decide(tmp_path, languages={"C": {"max_line_length": None}, "HTML": {"max_line_length": 1020}})[0] == [
        [],
        ["max_line_length"],
        ["max_line_length"],
        [],
        [],
    ]


def test_every_threshold_of_params_has_its_rule() -> None:
    names = [rule.name for rule in stage.RULES]
    assert sorted(names) == sorted(set(Filters.model_fields) - {"languages"})
    assert set(LanguageRule.model_fields) <= set(names)


def test_a_threshold_change_decides_again_from_the_same_signals(tmp_path: Path) -> None:
    documents = [document(text, path=name) for name, text in standard_library(40)]
    _, before = judge(tmp_path, documents)
    measured = (tmp_path / "signals.parquet").read_bytes()
    _, after = decide(tmp_path, max_lines=300)
    long = sum(len(row["content"].splitlines()) > 300 for row in documents)
    assert 0 < long < 40
    assert after["fired"]["max_lines"] == long
    assert before["dropped"].get("max_lines") is None
    assert (tmp_path / "signals.parquet").read_bytes() == measured


def test_the_receipt_accounts_for_every_document_and_byte(tmp_path: Path) -> None:
    documents = [document(text, path=name) for name, text in standard_library(30)]
    documents += [written("x", "C"), written("<?xml version='1.0'?>" + " " * 2000, "HTML"), written("print 1\n" * 20, "Python")]
    found, facts = judge(tmp_path, documents)
    kept, decisions = rows(tmp_path / "filtered.parquet"), rows(tmp_path / "decisions.parquet")
    assert [row["id"] for row in decisions] == [row["id"] for row in documents]
    assert kept == [row for row, decision in zip(documents, decisions, strict=True) if decision["kept"]]
    assert facts["documents_in"] == len(documents) == facts["documents"] + sum(facts["dropped"].values())
    assert facts["documents"] == len(kept) >= 28
    assert facts["bytes_in"] == sum(row["size"] for row in documents)
    assert facts["bytes"] == sum(row["size"] for row in kept)
    assert facts["dropped"] == Counter(row["reason"] for row in decisions if not row["kept"])
    assert facts["fired"] == Counter(rule for rules in found for rule in rules)
    assert found[-2] == ["min_alphabetic", "min_alphanumeric", "drop_xml", "min_html_text", "min_html_fraction"]
    for name in ("documents_in", "documents", "bytes_in", "bytes"):
        assert facts[name] == sum(language[name] for language in facts["languages"].values())
    again = decide(tmp_path)[1]
    assert again == facts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: [found[1], found[0], found[2]], "row 1 of documents is .* but signals has those of"),
        (lambda found: found[:2], "row 3 of documents is .* but signals has none"),
        (lambda found: [*found, found[0]], "signals has more than the 3 rows of documents"),
    ],
)
def test_signals_of_other_documents_are_refused(change: Any, message: str, tmp_path: Path) -> None:
    judge(tmp_path, [written(LINE * count) for count in (3, 4, 5)])
    with TableWriter(tmp_path / "other.parquet", measured_signals(tmp_path).schema) as writer:
        writer.write_all(change(rows(tmp_path / "signals.parquet")))
    (tmp_path / "other.parquet").replace(tmp_path / "signals.parquet")
    with pytest.raises(SnowError, match=message):
        decide(tmp_path)


def measured_signals(folder: Path) -> pa.Table:
    return pq.read_table(folder / "signals.parquet")


def test_a_signals_table_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    judge(tmp_path, [written(LINE * 3)])
    pq.write_table(measured_signals(tmp_path).drop_columns(["xml"]), tmp_path / "signals.parquet")
    with pytest.raises(SnowError, match=r"signals.parquet has no column xml, which filters.drop_xml needs"):
        decide(tmp_path)
