"""A document goes for the reason the receipt gives, at the threshold params.yaml states, and never for want of a measurement."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from corpus_stages import ROOT, document, rows, run, standard_library, write

from snow import params as settings
from snow.corpus import clean
from snow.errors import SnowError
from snow.params import Filters, LanguageRule
from snow.tables import TableWriter

FILTERS = settings.load(ROOT / "params.yaml").filters
LINE = "value = compute(value, other)  # a line of fifty characters or so\n"


def judge(folder: Path, documents: list[dict[str, Any]], comments: bool = False, **filters: Any) -> tuple[list[list[str]], dict[str, Any]]:
    """The rules each document breaks and the receipt's facts, with `filters` changed key by key."""
    shard = write(folder / "raw.parquet", documents)
    run("measure", folder, "00000", {"documents": [shard]}, {"signals": folder / "signals.parquet"}, signals={"comments": comments})
    return decide(folder, **filters)


def decide(folder: Path, **filters: Any) -> tuple[list[list[str]], dict[str, Any]]:
    inputs = {"documents": [folder / "raw.parquet"], "signals": [folder / "signals.parquet"]}
    outputs = {"documents": folder / "clean.parquet", "decisions": folder / "decisions.parquet"}
    facts = run("clean", folder, "00000", inputs, outputs, filters=filters)
    return [row["rules"] for row in rows(folder / "decisions.parquet")], facts


def written(content: str, language: str = "C") -> dict[str, Any]:
    return document(content) | {"language": language}


def encoded(characters: int) -> str:
    return "x = '" + "Aa0+" * (characters // 4) + "'\n"


# Each pair straddles the pocket run's threshold: the first passes the rule, the second breaks it and no other.
STRADDLING = {
    "min_bytes": ("x" * 49 + "\n" + "y" * 49 + "\n", "x" * 49 + "\n" + "y" * 48 + "\n"),
    "max_lines": ("ab\n" * 100_000, "ab\n" * 100_001),
    "max_line_length": (LINE * 30 + "-" * 500 + "a" * 500, LINE * 30 + "-" * 500 + "a" * 501),
    "max_mean_line_length": ("ab " * 33 + "a\n" + "ab " * 33 + "a", "ab " * 34 + "\n" + "ab " * 33 + "a"),
    "max_encoded_run": (LINE * 100 + "".join(encoded(900) for _ in range(1)), LINE * 100 + "/\n".join(["b" * 511] * 2) + "bbb"),
    "max_encoded_fraction": ((LINE + encoded(64)) * 9, (LINE[:40] + "\n" + encoded(64)) * 9),
    "drop_generated": (LINE * 5 + "// automatically generated\n", "// automatically generated\n" + LINE * 5),
    "drop_xml": (LINE * 5 + "<?xml version='1.0'?>", "<?xml version='1.0'?>" + LINE * 5),
}


@pytest.mark.parametrize("rule", STRADDLING)
def test_a_rule_drops_exactly_what_lies_beyond_its_threshold(rule: str, tmp_path: Path) -> None:
    passing, failing = STRADDLING[rule]
    found, facts = judge(tmp_path, [written(passing), written(failing)])
    assert found == [[], [rule]]
    assert [row["reason"] for row in rows(tmp_path / "decisions.parquet")] == [None, rule]
    assert [row["content"] for row in rows(tmp_path / "clean.parquet")] == [passing]
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
    exhausting = LINE * 3 + "x = " + "-" * 900 * 100 + "1\n"
    exhausting = exhausting.replace("-" * 900, "-" * 900 + "\\\n")  # short lines, so that nothing else drops it
    documents = [written(LINE * 30 + exhausting, "Python"), written(LINE * 3, "Python"), written(LINE * 3, "Jupyter Notebook"), written(LINE * 3, "Klingon")]
    found, facts = judge(tmp_path, documents, comments=True)
    assert [UNMEASURED_FIRST(names) for names in found] == [True, False, False, True]
    assert facts["dropped"]["unmeasured"] == 2
    assert facts["not_measured"] == []
    assert decide(tmp_path, drop_unparsable_python=False, min_comments=0.0, languages={"Klingon": {"min_comments": None, "max_comments": None}})[1]["dropped"].get("unmeasured") is None


def UNMEASURED_FIRST(names: list[str]) -> bool:
    return names[:1] == ["unmeasured"]
