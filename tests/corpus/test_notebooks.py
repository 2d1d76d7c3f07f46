"""Notebooks as what they hold: rendered by their cells, found by the benchmarks, counted when they are none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import nbformat
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collecting import collect, repository
from nbformat import v2, v3, v4

from snow import params as settings
from snow.corpus import benchmarks as suites
from snow.corpus import matching, notebooks
from snow.suites.tasks import read_suite
from tests.stage_runs import ROOT

CODE = "%matplotlib inline\nimport numpy as np\n\nfor i in range(3):\n    print(np.ones(i))"
TEXT = "# Ones\n\nAs many as *asked for*:\r\n![plot](attachment:plot.png)"
COMMENT = "# # Ones\n#\n# As many as *asked for*:\n# ![plot](attachment:plot.png)"
SCRIPT = f"{COMMENT}\n\n{CODE}\n\n# \\newpage\n"


def notebook(**metadata: Any) -> dict[str, Any]:
    output = v4.new_output("stream", text="[1.]\n" * 100)
    cells = [
        v4.new_markdown_cell(TEXT, attachments={"plot.png": {"image/png": "iVBORw0KGgo" * 100}}),
        v4.new_code_cell(f"\n{CODE}\n", outputs=[output], execution_count=3),
        v4.new_code_cell(""),
        v4.new_raw_cell("\\newpage"),
        v4.new_markdown_cell(" \n"),
    ]
    return v4.new_notebook(cells=cells, metadata=metadata)


def test_a_notebook_is_read_as_its_cells_in_both_forms_of_their_source() -> None:
    made = notebook()
    assert notebooks.script(json.dumps(made)) == SCRIPT
    assert notebooks.script(nbformat.writes(made)) == SCRIPT  # the source as a list of lines
    assert isinstance(json.loads(nbformat.writes(made))["cells"][0]["source"], list)
    assert notebooks.script(json.dumps(v4.new_notebook())) == ""


@pytest.mark.parametrize("old", [v2, v3])
def test_older_formats_are_read(old: Any) -> None:
    cells = [old.new_text_cell("markdown", source=TEXT), old.new_code_cell(input=CODE, outputs=[old.new_output("stream", "1")])]
    cells += [old.new_heading_cell("Done", level=2)] if old is v3 else []
    made = old.new_notebook(worksheets=[old.new_worksheet(cells=cells[:1]), old.new_worksheet(cells=cells[1:])])
    expected = f"{COMMENT}\n\n{CODE}\n" + ("\n# # Done\n" if old is v3 else "")
    assert notebooks.script(json.dumps(made)) == notebooks.script(old.writes_json(made)) == expected


@pytest.mark.parametrize(
    ("metadata", "mark"),
    [
        ({"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}, "#"),
        ({"language_info": {"name": "scala"}}, "//"),
        ({"kernelspec": {"name": "xcpp17", "language": "C++17", "display_name": "C++17"}}, "//"),
        ({"kernelspec": {"name": "ihaskell", "display_name": "Haskell"}, "language_info": {"name": "haskell"}}, "--"),
        ({"kernelspec": "broken", "language_info": None}, "#"),
    ],
)
def test_text_is_a_comment_of_the_kernels_language(metadata: dict[str, Any], mark: str) -> None:
    script = notebooks.script(json.dumps({**notebook(), "metadata": metadata}))
    assert script is not None
    assert script.splitlines()[:3] == [f"{mark} # Ones", mark, f"{mark} As many as *asked for*:"]


BROKEN = [
    "",
    "{",
    "[]",
    "null",
    "{}",
    "[" * 100_000,
    '{"a":' * 100_000,
    '{"cells": {}}',
    '{"cells": ["x"]}',
    '{"cells": [{"cell_type": "code", "source": 3}]}',
    '{"cells": [{"cell_type": "code", "source": ["x", 3]}]}',
    '{"worksheets": {"cells": []}}',
    '{"worksheets": [3]}',
    '{"worksheets": [{}]}',
    '<<<<<<< HEAD\n{"cells": []}\n',
    "# already a script\nprint(1)\n",
    '{"nbformat": ' + "9" * 5000 + ', "cells": []}',
]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_notebook_is_said(text: str) -> None:
    assert notebooks.script(text) is None


def test_files_and_rows_are_collected_as_scripts_and_each_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = nbformat.writes(notebook())
    licensed = notebook()
    licensed["cells"].insert(0, v4.new_markdown_cell("Copyright 2026 A. Person. Licensed under the GNU General Public License, version 2."))
    files = {
        "a.ipynb": whole,
        "bom.ipynb": b"\xef\xbb\xbf" + whole.encode(),
        "broken.ipynb": whole[:100],
        "empty.ipynb": nbformat.writes(v4.new_notebook(cells=[v4.new_code_cell(" ")])),
        "nul.ipynb": json.dumps(v4.new_notebook(cells=[v4.new_code_cell("x = '\0'")])),
        "surrogate.ipynb": json.dumps(v4.new_notebook(cells=[v4.new_code_cell("x = '\ud83d'")])),
        "gpl.ipynb": nbformat.writes(licensed),
        "a.py": "x = 1\n",
    }
    folder = repository(tmp_path / "source" / "repo", files)
    expected = {"broken_notebook": 1, "empty": 1, "binary": 1, "invalid_utf8": 1, "license": 1}
    documents, facts = collect(tmp_path, {"kind": "folder", "paths": [str(folder)]})
    found = [(row["path"], row["language"], row["content"]) for row in documents if row["path"].endswith(".ipynb")]
    assert found == [("a.ipynb", "Jupyter Notebook", SCRIPT), ("bom.ipynb", "Jupyter Notebook", SCRIPT)]
    assert {reason: facts["dropped"].get(reason) for reason in expected} == expected

    rows = [
        {"content": text, "path": name, "license": "MIT"} for name, text in files.items() if isinstance(text, str) and "gpl" not in name
    ]
    pq.write_table(pa.Table.from_pylist([row for row in rows if "surrogate" not in row["path"]]), tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = {"content": "content", "path": "path", "license": "license"}
    for kind in ("parquet", "jsonl"):
        documents, facts = collect(tmp_path, {"kind": kind, "paths": [str(tmp_path / f"rows.{kind}")], "fields": fields})
        assert [row["content"] for row in documents] == [SCRIPT, "x = 1\n"]
        assert facts["dropped"] == {"broken_notebook": 1, "empty": 1, "binary": 1} | ({"invalid_utf8": 1} if kind == "jsonl" else {})
    _, facts = collect(tmp_path, {"kind": "jsonl", "paths": [str(tmp_path / "rows.jsonl")], "fields": fields}, languages=["Python"])
    assert facts["dropped"] == {"language": 5}

    capsys.readouterr()
    scripts = {**fields, "language": "=Jupyter Notebook"}
    (tmp_path / "scripts.jsonl").write_text(json.dumps({"content": SCRIPT, "path": "a.py", "license": "MIT"}))
    collect(tmp_path, {"kind": "jsonl", "paths": [str(tmp_path / "scripts.jsonl")], "fields": scripts})
    assert "because of `broken_notebook`; set `notebooks: json` where notebooks are scripts already" in capsys.readouterr().err
    documents, _ = collect(tmp_path, {"kind": "jsonl", "paths": [str(tmp_path / "scripts.jsonl")], "fields": scripts}, notebooks="json")
    assert [row["content"] for row in documents] == [SCRIPT]


def test_notebooks_stay_files_where_params_say_so(tmp_path: Path) -> None:
    whole = nbformat.writes(notebook())
    folder = repository(tmp_path / "source" / "repo", {"a.ipynb": whole, "broken.ipynb": "{"})
    documents, _ = collect(tmp_path, {"kind": "folder", "paths": [str(folder)]}, notebooks="json")
    assert [row["content"] for row in documents] == [whole, "{"]


@pytest.mark.parametrize("name", ["HumanEvalPlus", "MbppPlus"])
def test_a_solution_in_a_notebook_is_found_as_in_a_file(benchmarks: Path, tmp_path: Path, name: str) -> None:
    """In a code cell as well as in a block of a Markdown cell."""
    suite = tmp_path / f"{name}.jsonl"
    suite.write_bytes(gzip.decompress((benchmarks / f"{name}.jsonl.gz").read_bytes()))
    tasks = read_suite(suite)
    index = suites.read([suite], settings.load(ROOT / "params.yaml").decontamination).index

    def found(text: str) -> set[str]:
        return {match.task_id for match in matching.find(index, text)}

    for task in tasks:
        for code in (task.prompt + task.solution, task.solution):
            for cell in (v4.new_code_cell(code), v4.new_markdown_cell(f"Solved:\n```python\n{code}\n```")):
                script = notebooks.script(nbformat.writes(v4.new_notebook(cells=[v4.new_markdown_cell("# Task"), cell])))
                assert script is not None
                assert (task.task_id in found(script)) == (task.task_id in found(code))
