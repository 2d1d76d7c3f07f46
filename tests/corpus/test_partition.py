"""Repositories stay whole whatever data files their rows lie in, and shards come out even."""

from __future__ import annotations

import collections
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collecting import collect

from snow.corpus import balance, partition, units
from snow.job import Job
from snow.tables import DOCUMENTS, TableWriter, document_id

SHARDS = 8
# The Stack's columns and folders (bigcode/the-stack-dedup): a folder per language, in it files of equal names.
FIELDS = {
    "content": "content",
    "repo": "max_stars_repo_name",
    "path": "max_stars_repo_path",
    "language": "lang",
    "license": "max_stars_repo_licenses",
}
ENDINGS = {"Python": "py", "Java": "java", "C": "c"}


def run(folder: Path, parts: Sequence[Path], shards: int) -> dict[str, Any]:
    """`partition` over these parts into `folder`; the facts."""
    job = Job("all", SimpleNamespace(shards=shards), {"documents": tuple(parts)}, {"documents": folder}, 2, folder.parent / "work", "key")
    return partition.run(job)


def the_stack(root: Path, names: Sequence[str], files: int) -> list[str]:
    """Miniature data files in its layout; every repository has rows in all of them."""
    paths = []
    for language, ending in ENDINGS.items():
        for number in range(files):
            rows = [
                {
                    "content": f"# {name} {language} {number}\n" + f"value = {number}\n" * (1 + index % 7),
                    "max_stars_repo_name": name,
                    "max_stars_repo_path": f"src/file{number}.{ending}",
                    "lang": language,
                    "max_stars_repo_licenses": ["MIT"],
                }
                for index, name in enumerate(names)
            ]
            path = root / f"data/{language.lower()}/train-{number:05d}-of-{files:05d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(rows), path)
            paths.append(str(path))
    return paths


def partitioned(folder: Path, paths: Sequence[str]) -> tuple[list[list[dict[str, Any]]], dict[str, Any]]:
    """The documents of every shard, from collection to partition."""
    source = {"kind": "parquet", "paths": list(paths), "fields": FIELDS}
    for shard in range(SHARDS):
        collect(folder, source, shards=SHARDS, shard=shard)
    facts = run(folder / "partitioned", [folder / "out" / f"{shard:05d}.parquet" for shard in range(SHARDS)], SHARDS)
    return [pq.read_table(path).to_pylist() for path in sorted((folder / "partitioned").iterdir())], facts


def test_a_repository_whose_rows_lie_in_every_data_file_is_in_one_shard(tmp_path: Path) -> None:
    names = [f"owner{index % 40}/project{index}" for index in range(200)]
    shards, facts = partitioned(tmp_path, the_stack(tmp_path, names, files=3))
    where = collections.defaultdict(set)
    for number, documents in enumerate(shards):
        for document in documents:
            where[document["repo"], document["language"]].add(number)
    assert len(where) == len(names) * len(ENDINGS)
    assert all(len(found) == 1 for found in where.values()), "every group of a language and a repository"
    assert sum(map(len, shards)) == facts["documents"] == len(names) * len(ENDINGS) * 3
    assert facts["shard_documents"] == list(map(len, shards))
    assert facts["shard_bytes"] == [sum(document["size"] for document in documents) for documents in shards]
    assert max(facts["shard_bytes"]) <= 1.3 * facts["bytes"] / SHARDS
    assert pq.read_schema(tmp_path / "partitioned/00000.parquet") == DOCUMENTS


def test_one_more_data_file_changes_only_shards_that_get_rows_of_it(tmp_path: Path) -> None:
    paths = the_stack(tmp_path, [f"owner/project{index}" for index in range(200)], files=2)
    before, _ = partitioned(tmp_path / "before", paths)
    more = tmp_path / "more.parquet"
    row = {"content": "print('a new project')\n", "max_stars_repo_name": "new/one", "max_stars_repo_path": "a.py", "lang": "Python"}
    pq.write_table(pa.Table.from_pylist([row | {"max_stars_repo_licenses": ["MIT"]}]), more)
    after, _ = partitioned(tmp_path / "after", [*paths, str(more)])
    assert [number for number in range(SHARDS) if before[number] != after[number]] == [units.home("new/one", SHARDS)]
    same = [shard for shard in range(SHARDS) if before[shard] == after[shard]]
    for shard in same:
        name = f"partitioned/{shard:05d}.parquet"
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()


def test_rows_without_a_repository_in_data_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        path = tmp_path / folder / "train.parquet"
        path.parent.mkdir()
        pq.write_table(pa.Table.from_pylist([{"content": f"print('{folder}')\n", "path": "a.py"}]), path)
    source = {"kind": "parquet", "paths": [str(tmp_path / "*/train.parquet")], "fields": {"content": "content", "path": "path"}}
    documents, _ = collect(tmp_path, source | {"license": "MIT"})
    assert {document["repo"] for document in documents} == {"one/train.parquet:1", "two/train.parquet:1"}


def write_part(path: Path, sizes: Mapping[str, int]) -> Path:
    """A part with one document of so many bytes for each repository."""
    with TableWriter(path, DOCUMENTS) as writer:
        for repo, size in sizes.items():
            content = "x" * size
            writer.write(
                {
                    "id": document_id(content + repo),
                    "repo": repo,
                    "path": "a.py",
                    "language": "Python",
                    "license": "MIT",
                    "content": content,
                    "size": size,
                }
            )
    return path


@pytest.mark.parametrize("seed", range(20))
def test_a_few_repositories_of_very_different_size_make_even_shards(seed: int) -> None:
    """23 in 8 shards, none as large as a shard: hashing alone gave up to 75 times."""
    draw = random.Random(seed)
    sizes = {f"repo{number}{seed}": int(1000 * draw.lognormvariate(0, 0.8)) for number in range(23)}
    limit = sum(sizes.values()) // SHARDS
    sizes = {repo: min(size, limit) for repo, size in sizes.items()}
    places, loads = balance.moved(lambda: [sizes], SHARDS)
    assert max(loads) <= 1.3 * sum(sizes.values()) / SHARDS
    again = [0] * SHARDS
    for repo, size in sizes.items():
        again[places.get(repo, units.home(repo, SHARDS))] += size
    assert again == loads


def test_many_repositories_stay_at_home_and_one_more_moves_few() -> None:
    draw = random.Random(1)
    sizes = {f"owner/repo{number}": int(1000 * draw.lognormvariate(0, 1.5)) for number in range(20_000)}
    places, loads = balance.moved(lambda: [sizes], 64)
    assert max(loads) <= 1.3 * sum(sizes.values()) / 64
    assert len(places) < 0.05 * len(sizes)
    sizes["one/more"] = 3000
    after, _ = balance.moved(lambda: [sizes], 64)
    assert len(places.items() ^ after.items()) <= 2 * 5


def test_sizes_count_over_the_parts_a_repository_is_spread_over() -> None:
    """Eight parts hold an eighth of a large repository each."""
    parts = [{"large": 1000, f"small{part}": 10} for part in range(8)]
    places, loads = balance.moved(lambda: parts, 2)
    assert sum(loads) == 8 * 1010
    assert max(loads) - min(loads) >= 8000 - 80, "it is whole"
    assert not places or set(places) <= {"large"} | {f"small{part}" for part in range(8)}


def test_a_repository_larger_than_a_shard_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = write_part(tmp_path / "part.parquet", {"large": 9000, "a": 300, "b": 300, "c": 400})
    facts = run(tmp_path / "out", [part], 4)
    assert max(facts["shard_bytes"]) == 9000
    assert "the largest shard has 3.6 times the mean" in capsys.readouterr().err


def test_memory_does_not_follow_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the buffer, the documents are the same and in the same order."""
    part = write_part(tmp_path / "part.parquet", {f"r{number}": 200 + number for number in range(300)})
    run(tmp_path / "whole", [part], 3)
    monkeypatch.setattr(partition, "BUFFERED", 3000)
    monkeypatch.setattr(partition, "READ_ROWS", 16)
    run(tmp_path / "pieces", [part], 3)
    for shard in range(3):
        pieces, whole = tmp_path / f"pieces/{shard:05d}.parquet", tmp_path / f"whole/{shard:05d}.parquet"
        assert pq.read_metadata(pieces).num_row_groups > pq.read_metadata(whole).num_row_groups == 1
        assert pq.read_table(pieces).equals(pq.read_table(whole))


def test_no_documents_are_empty_shards(tmp_path: Path) -> None:
    facts = run(tmp_path / "out", [write_part(tmp_path / "part.parquet", {})], 2)
    assert facts["shard_documents"] == [0, 0]
    assert pq.read_table(tmp_path / "out/00001.parquet").num_rows == 0
