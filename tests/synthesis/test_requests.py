"""The requests are made once, in tables of their own, which stay what they are when more are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from synthesis_inputs import corpus, job

from snow import stages
from snow.caching import spec
from snow.errors import SnowError
from snow.synthesis import asking, generate, requests
from tests.stage_runs import params

OPENAI = {"generators.smollm2.backend": "openai", "generators.smollm2.model": "Org/Model", "generators.smollm2.revision": "r1"}
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Runs the stage into a folder of this name, in which all it does is kept."""
    documents, selection = corpus(tmp_path)

    def call(name: str, **changes: Any) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        inputs, place = {"documents": documents, "selection": selection}, tmp_path / name / "requests"
        requests.run(job("requests", "inspired", OPENAI | changes, inputs, {"requests": place}))
        return place

    return call


def rows(folder: Path) -> list[list[dict[str, Any]]]:
    """The rows of each table."""
    return [pq.read_table(path).to_pylist() for path in sorted(folder.iterdir())]


def test_shards_are_neighbours_of_one_numbering(make: Make) -> None:
    (whole,) = rows(make("one", **{"synthetic.inspired.requests": 10}))
    thirds = rows(make("three", **{"synthetic.inspired.requests": 10, "synthetic.inspired.shards": 3}))
    assert [row["request"] for row in whole] == list(range(10))
    assert [len(part) for part in thirds] == [3, 3, 4]
    assert [row for part in thirds for row in part] == whole
    few = rows(make("few", **{"synthetic.inspired.requests": 2, "synthetic.inspired.shards": 3}))
    assert [[row["request"] for row in part] for part in few] == [[], [0], [1]]


def test_twice_as_many_in_twice_the_tables_leave_the_first_as_they_were(make: Make) -> None:
    before = make("before", **{"synthetic.inspired.requests": 8, "synthetic.inspired.shards": 2})
    after = make("after", **{"synthetic.inspired.requests": 16, "synthetic.inspired.shards": 4})
    for shard in ("00000", "00001"):
        assert (after / f"{shard}.parquet").read_bytes() == (before / f"{shard}.parquet").read_bytes()


def test_an_interrupted_run_reads_no_shard_of_the_corpus_twice(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(make("whole"))
    contents, read = requests._contents, []

    def interrupted(path: Path, wanted: set[str]) -> Any:
        if read:
            raise KeyboardInterrupt
        read.append(path)
        return contents(path, wanted)

    monkeypatch.setattr(requests, "_contents", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make("cut")
    monkeypatch.setattr(requests, "_contents", lambda path, wanted: (read.append(path), contents(path, wanted))[1])
    assert rows(make("cut")) == whole
    assert len(read) == len(set(read)) == 2


def test_a_job_of_generate_depends_on_its_table_and_its_generator_alone() -> None:
    def decided(stage: str, instance: str, **changes: Any) -> Any:
        given, row = params(OPENAI | changes), stages.stage(stage)
        asked = row.job(given, instance)
        return asked.inputs, spec.of(row, asked, given, spec.sources(row, given, [asked]))

    before = decided("generate", "inspired/00000")
    harmless = {"requests": 80, "shards": 4, "seed_lines": 3, "concurrency": 64, "refine.min_chars": 1, "refine.python_share": 0.1}
    for key, value in harmless.items():
        assert decided("generate", "inspired/00000", **{f"synthetic.inspired.{key}": value}) == before, key
    for key in ("tensor_parallel", "data_parallel"):
        assert decided("generate", "inspired/00000", **{f"generators.smollm2.{key}": 2}) == before, key
        assert decided("requests", "inspired", **{f"generators.smollm2.{key}": 2}) == decided("requests", "inspired"), key
    assert decided("generate", "inspired/00000", **{"generators.smollm2.temperature": 0.1}) != before
    assert decided("requests", "inspired", **{"synthetic.inspired.requests": 80}) != decided("requests", "inspired")
    assert decided("requests", "inspired", **{"synthetic.inspired.refine.min_chars": 1}) == decided("requests", "inspired")


def test_requests_to_another_generator_are_not_asked_of_this_one(make: Make) -> None:
    place = make("made", **{"synthetic.inspired.requests": 2}) / "00000.parquet"
    other = params(OPENAI | {"generators.smollm2.temperature": 0.1}).generators["smollm2"]
    with pytest.raises(SnowError, match=r"has requests to another generator than Org/Model as params\.yaml has it"):
        generate.read(place, asking.identify(other)[0], other)
