"""What counts as a positive: the code of every kind of set, without templates, repeats and benchmark texts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from snow import arms
from snow import params as settings
from snow.corpus import benchmarks, matching
from snow.errors import SnowError
from snow.quality import positives
from tests.quality.quality_jobs import humaneval, solutions
from tests.stage_runs import ROOT


def source(path: str | Path, **other: Any) -> arms.Positives:
    return arms.Positives(**{"name": "set", "kind": "json", "path": str(path), "field": "code", "limit": 10, **other})


def rows_of(texts: list[str]) -> list[dict[str, str]]:
    return [{"code": text} for text in texts]


def test_files_are_told_by_content_not_by_name(tmp_path: Path) -> None:
    texts = ["a = 1\n", "b = 2\n", "ü = 3\n"]
    lines = "\n".join(json.dumps(row) for row in rows_of(texts)) + "\n\n"
    array = "\n " + json.dumps(rows_of(texts), indent=2)
    for name, content in {"lines.json": lines.encode(), "array.jsonl": array.encode()}.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"zipped-{name}").write_bytes(gzip.compress(content))
        assert list(positives.read(source(tmp_path / name), True)) == texts
        assert list(positives.read(source(tmp_path / f"zipped-{name}"), True)) == texts


def test_the_packaged_set_is_read_without_its_template() -> None:
    pocket = settings.load(ROOT / "params.yaml").annotators["hqins"].training.positives[0]
    texts = list(positives.read(pocket, True))
    assert len(texts) == 2750
    assert not any("# main function" in text or "# import necessary packages" in text for text in texts)
    assert all("def main_solution" in text for text in texts)


def test_instruction_data_counts_by_its_code(tmp_path: Path) -> None:
    answer = "Use a loop:\n\n```python\nfor i in range(3):\n    print(i)\n```\n\nand then\n```\nprint(4)\n```\nDone."
    (tmp_path / "a.jsonl").write_text(json.dumps({"code": answer}))
    assert list(positives.read(source(tmp_path / "a.jsonl"), True)) == ["for i in range(3):\n    print(i)\n\nprint(4)\n"]


def test_a_notebook_counts_by_its_cells_unless_the_corpus_has_them_as_files(tmp_path: Path) -> None:
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": ["import os\n", "os.getcwd()"], "outputs": ["big"]}], "nbformat": 4})
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"code": text}) for text in (notebook, '{"plain": "json"}', "{ x = 1 }")))
    assert list(positives.read(source(tmp_path / "a.jsonl"), True)) == ["import os\nos.getcwd()\n", '{"plain": "json"}', "{ x = 1 }"]
    assert next(positives.read(source(tmp_path / "a.jsonl"), False)) == notebook


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"text": "x"}\n', "row 1 .* has no text under 'code' .it has text.*`field`"),
        (b'{"code": "x"}\n{"code": null}\n', "row 2 "),
        (b'["x"]', "row 1 .*no object"),
        (b'{"code": "x"}\n{"cod', "not readable JSON"),
        (b"\x1f\x8bbroken", "not readable JSON"),
        (b"\xff\xfe\x00", "not readable JSON"),
    ],
)
def test_a_broken_set_is_named_with_the_row(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "set.jsonl").write_bytes(content)
    with pytest.raises(SnowError, match=expected):
        list(positives.read(source(tmp_path / "set.jsonl"), True))


def test_a_hub_set_is_streamed(tmp_path: Path) -> None:
    """`datasets` opens a local folder through the same call as a set on the hub."""
    texts = solutions()[:20]
    (tmp_path / "train.jsonl").write_text("\n".join(json.dumps(row) for row in rows_of(texts)))
    assert list(positives.read(source(tmp_path, kind="huggingface"), True)) == texts
    with pytest.raises(SnowError, match="cannot be read"):
        list(positives.read(source(tmp_path, kind="huggingface", split="absent"), True))
    with pytest.raises(SnowError, match=r"row 1 .*it has code"):
        list(positives.read(source(tmp_path, kind="huggingface", field="solution"), True))


def test_an_unreachable_hub_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(SnowError, match="yuxiang630/hqcode cannot be read"):
        list(positives.read(source("yuxiang630/hqcode", kind="huggingface"), True))


def test_the_draw_follows_content_not_order() -> None:
    texts = solutions()
    chosen, counts = positives.choose([*texts, *texts[:7], " \n"], 50, 0, lambda text: False)
    again, _ = positives.choose(reversed(texts), 50, 0, lambda text: False)
    assert list(chosen.items()) == list(again.items())
    assert counts == {"read": 208, "empty": 1, "duplicate": 7, "contaminated": 0, "chosen": 50}
    more, _ = positives.choose(texts, 60, 0, lambda text: False)
    assert list(more)[:50] == list(chosen)
    other, _ = positives.choose(texts, 50, 1, lambda text: False)
    assert set(other) != set(chosen)


def test_a_benchmark_solution_is_no_positive(tmp_path: Path) -> None:
    (tmp_path / "humaneval.jsonl").write_bytes(humaneval())
    rules = settings.load(ROOT / "params.yaml").decontamination
    index = benchmarks.read([tmp_path / "humaneval.jsonl"], rules).index
    task = json.loads(humaneval().splitlines()[0])
    leaked = "import math\n\n" + task["prompt"] + task["canonical_solution"]
    texts = [leaked, "def double(x):\n    return 2 * x\n"]
    chosen, counts = positives.choose(texts, 10, 0, lambda text: bool(matching.find(index, text)))
    assert (counts["contaminated"], counts["chosen"]) == (1, 1)
    assert leaked not in chosen.values()
