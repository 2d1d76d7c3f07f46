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

from snow.corpus.rules import RULES
from snow.errors import SnowError
from snow.schema import Thresholds
from snow.tables import TableWriter

LINE = "value = compute(value, other)  # a line of fifty characters or so\n"


COMMENTS = {"min_comments": 0.01, "max_comments": 0.8}  # bigcode-v1's


def judge(folder: Path, documents: list[dict[str, Any]], **filters: Any) -> tuple[list[list[str]], dict[str, Any]]:
    """The rules each document breaks and the receipt's facts, with `filters` changed key by key."""
    shard = write(folder / "raw.parquet", documents)
    asked = {"comments": True, "words": True}
    run("measure", folder, "00000", {"documents": [shard]}, {"signals": folder / "signals.parquet"}, signals=asked)
    return decide(folder, **filters)


def decide(folder: Path, **filters: Any) -> tuple[list[list[str]], dict[str, Any]]:
    inputs: dict[str, Sequence[Path]] = {"documents": [folder / "raw.parquet"], "signals": [folder / "signals.parquet"]}
    outputs = {"documents": folder / "filtered.parquet", "decisions": folder / "decisions.parquet"}
    facts = run("filter", folder, "00000", inputs, outputs, filters=filters, signals={"comments": True, "words": True})
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
    documents = [written(LINE * 1500 + exhausting, "Python"), written(LINE * 3, "Python"), written(LINE * 3, "Zig")]
    documents.append(written(LINE * 3, "Jupyter Notebook"))
    without = {name: {"min_comments": None, "max_comments": None} for name in ("Zig", "Jupyter Notebook")}
    found, facts = judge(tmp_path, documents, **COMMENTS, languages={"Jupyter Notebook": without["Jupyter Notebook"]})
    assert found == [["unmeasured"], [], ["unmeasured"], []]
    assert facts["dropped"] == {"unmeasured": 2}
    assert decide(tmp_path, **COMMENTS, drop_unparsable_python=False, languages=without)[0] == [[], [], [], []]


def test_documents_need_comments_and_not_too_many_where_a_rule_set_says_so(tmp_path: Path) -> None:
    bare, normal, all_comment = "x = compute(x)\n" * 20, LINE * 3, "# words and words\n" * 20
    documents = [written(text, "Python") for text in (bare, normal, all_comment)]
    assert judge(tmp_path, documents)[0] == [[], [], []]
    assert decide(tmp_path, like="bigcode-v1")[0] == [["min_comments"], [], ["max_comments"]]


def test_one_table_of_signals_serves_every_rule_set(tmp_path: Path) -> None:
    certificate = f"{LINE * 30};{BASE64_LINES}{BASE64};"
    todo = "".join(f"value{number} = compute{number}(other)  # TODO: name it\n" for number in range(20))
    listing = "".join(f"int field{number};\n" for number in range(60))
    page = "<p>A few words.</p>\n" * 9
    documents = [written(certificate), written(todo, "Python"), written(listing), written(page, "HTML"), written(";" * 99)]
    judge(tmp_path, documents)
    measured = (tmp_path / "signals.parquet").read_bytes()
    assert decide(tmp_path, like="none")[0] == [[], [], [], [], []]
    assert decide(tmp_path, like="starcoder2")[0] == [["max_encoded_run"], [], [], [], ["min_alphabetic"]]
    assert decide(tmp_path, like="bigcode-v1")[0] == [
        ["min_comments"],
        [],
        ["min_comments"],
        ["min_comments"],
        ["min_alphanumeric", "min_comments"],
    ]
    found = decide(tmp_path, like="opencoder")[0]
    assert {"min_lines", "max_duplicate_5grams", "max_duplicate_lines"} < set(found[3])
    fewer = decide(tmp_path, like="opencoder", max_todo_lines=None)[0]
    assert fewer[1] == [rule for rule in found[1] if rule != "max_todo_lines"] != found[1]
    assert (tmp_path / "signals.parquet").read_bytes() == measured


def test_the_receipt_says_where_files_are_from_that_are_not_their_repositorys_own(tmp_path: Path) -> None:
    banner = "// Generated by the gRPC C++ plugin.\n"
    paths = ("src/node_modules/a/b.js", "third_party/x/y.c", "rpc/x.grpc.pb.cc", "src/x.c", "web/app.min.js")
    documents = [document((banner if "grpc" in path else "") + LINE * 5, path=path) | {"language": "C"} for path in paths]
    found, facts = judge(tmp_path, documents)
    assert found == [["drop_generated"], [], ["drop_generated"], [], ["drop_minified"]]
    assert facts["because"] == {"drop_generated": {"dependencies": 1, "grpc": 1}, "drop_minified": {"name": 1}}
    found, facts = decide(tmp_path, drop_vendored=True)
    assert [rules[:1] for rules in found] == [["drop_vendored"], ["drop_vendored"], ["drop_generated"], [], ["drop_minified"]]
    assert facts["because"]["drop_vendored"] == {"node_modules": 1, "third_party": 1}


def test_a_language_replaces_or_lifts_thresholds(tmp_path: Path) -> None:
    long_line = LINE * 30 + "a few words; " * 80
    data = "a few words;\n" * 600
    documents = [written(long_line, name) for name in ("C", "HTML", "SQL")] + [written(data, name) for name in ("C", "JSON")]
    found, _ = judge(tmp_path, documents)
    assert found == [["max_line_length"], [], [], [], ["max_lines"]]  # StarCoder2's exceptions, and its limit for data files
    assert decide(tmp_path, languages={"C": {"max_line_length": None}, "HTML": {"max_line_length": 1020}})[0] == [
        [],
        ["max_line_length"],
        [],
        [],
        ["max_lines"],
    ]


def test_every_threshold_of_params_has_its_rule() -> None:
    assert sorted(rule.name for rule in RULES) == sorted(Thresholds.model_fields)


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
