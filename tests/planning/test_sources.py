"""How much sources are expected to hold, against what collection finds in them."""

from __future__ import annotations

import gzip
import json
import math
import sysconfig
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snow import overlay
from snow import params as settings
from snow.planning import sources
from snow.planning.sources import Extent

from ..conftest import ROOT

LIBRARY = Path(sysconfig.get_path("stdlib"))
FILES = sorted((LIBRARY / "json").rglob("*.py")) + sorted((LIBRARY / "email").rglob("*.py"))
TEXTS = [path.read_text() for path in FILES]
SIZE = sum(len(text.encode()) for text in TEXTS)


def extent(**source: Any) -> Extent:
    """What is expected of one source in place of those of params.yaml."""
    given = {"name": "code", "license": "PSF-2.0", "license_precedence": "override", **source}
    params = settings.check(overlay.merged(settings.read(ROOT / "params.yaml"), {"sources": [given]}), "test")
    return sources.extent(params.sources[0], params, 5000)


def test_a_folders_files_of_known_languages_are_counted() -> None:
    found = extent(kind="folder", paths=[str(LIBRARY / "json"), str(LIBRARY / "email")])
    assert found.documents == pytest.approx(len(FILES), rel=0.1)
    assert found.bytes == pytest.approx(SIZE, rel=0.1), "of so few all are read"


def test_at_most_limit_files_of_a_language_and_repository_count() -> None:
    found = extent(kind="folder", paths=[str(LIBRARY / "json"), str(LIBRARY / "email")], limit_files=2)
    assert found.documents == 4


def test_a_repository_under_a_licence_that_is_not_allowed_counts_for_nothing() -> None:
    environment = str(ROOT / ".envs" / "base")
    everything = extent(kind="environment", paths=[environment])
    allowed = extent(kind="environment", paths=[environment], license_precedence="closest")
    assert allowed.documents < everything.documents


def test_parquet_says_its_rows_and_bytes_itself(tmp_path: Path) -> None:
    pq.write_table(pa.table({"content": TEXTS, "repo": ["a"] * len(TEXTS)}), tmp_path / "a.parquet")
    found = extent(kind="parquet", paths=[str(tmp_path / "*.parquet")], fields={"content": "content", "repo": "repo"})
    assert found.documents == len(TEXTS)
    assert found.bytes == pytest.approx(SIZE, rel=0.1)


@pytest.mark.parametrize("packed", [False, True])
def test_json_is_as_long_as_its_files(tmp_path: Path, packed: bool) -> None:
    rows = "".join(json.dumps({"content": text}) + "\n" for text in TEXTS).encode()
    path = tmp_path / ("a.jsonl.gz" if packed else "a.jsonl")
    path.write_bytes(gzip.compress(rows) if packed else rows)
    assert extent(kind="jsonl", paths=[str(path)], fields={"content": "content"}).bytes == pytest.approx(SIZE, rel=0.3)


def test_what_is_elsewhere_has_the_size_that_is_declared_and_else_none() -> None:
    hub = {"kind": "huggingface", "paths": ["bigcode/the-stack"], "fields": {"content": "content"}}
    assert extent(**hub, size_gb=1.5) == Extent(300_000, 1.5e9)
    assert math.isnan(extent(**hub).bytes)
    assert extent(kind="folder", paths=["no/such/folder"], size_gb=2).bytes == 2e9
