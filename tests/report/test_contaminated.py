"""What the report shows of the documents that decontamination dropped."""

from __future__ import annotations

from pathlib import Path

import recorded
from reading import build, read_page, tables


def test_dropped_documents_are_shown_beside_the_tasks(tmp_path: Path) -> None:
    """Some of all matches, as text; with the lines' numbers, and the tasks of which nothing can be found by name."""
    report = build(tmp_path, recorded.write(tmp_path))
    found = tables(report)["contaminated"]
    assert len(found) == 20
    assert found[0] == {
        "document": "lib/<b>.py",
        "suite": "humaneval",
        "task": "HumanEval/0",
        "method": "ngram",
        "lines": " 99  if a < 0:\n100      <script>x</script>",
        "task_lines": "if b & 1:\n    pass\0",
    }
    page = read_page(report)
    assert page.tables["contaminated"][1][4].split() == ["99", "if", "a", "<", "0:", "100", "<script>x</script>"]
    assert page.tables["contaminated"][1][5].split() == ["if", "b", "&", "1:", "pass�"]
    assert "20 of 30 matches, at most 20 of each benchmark" in page.text
    assert "No text of these tasks of humaneval can be found: HumanEval/53." in page.text
