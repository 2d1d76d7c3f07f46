"""Data sets of the hub as sources: the real clients against a hub on loopback, and an interrupted job that does not fetch again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from collecting import collect

from tests import hub_server
from tests.hub_server import Hub

NAME, COMMIT = "team/stack", "c" * 40
FIELDS = {"content": "content", "repo": "repo", "path": "path", "language": "lang", "license": "licenses", "stars": "stars"}
PARTS = tuple(f"data/{language}/train-{part:05d}-of-00002.parquet" for language in ("go", "python") for part in range(2))
SCRIPT = """
import json, sys
from pathlib import Path
from collecting import collect
from snow import pinned
from snow.errors import SnowError

pinned.begin()
try:
    documents, facts = collect(Path(sys.argv[1]), json.loads(sys.argv[2]))
    print(json.dumps([[row["repo"], row["path"], row["language"], row["license"], row["stars"]] for row in documents]))
except SnowError as error:
    print(json.dumps(str(error)))
"""
Begin = Callable[..., "subprocess.Popen[str]"]
Collected = Callable[..., Any]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A data set of two languages in two files each, one row in each file, laid out as The Stack is; and a file of another kind."""
    for part in PARTS:
        language = part.split("/")[1]
        path = tmp_path / "files" / part
        path.parent.mkdir(parents=True, exist_ok=True)
        row = {"content": f"x = '{part}'\n", "repo": f"o/{language}", "path": f"{path.stem}.x", "lang": language}
        row |= {"licenses": ["MIT"], "stars": 7.0}
        pq.write_table(pa.Table.from_pylist([row]), path)
    (tmp_path / "files/README.md").write_text("---\nlicense: other\n---\n# A data set\n")
    with hub_server.serving(NAME, "dataset") as server:
        server.commits, server.branches = {COMMIT: tmp_path / "files"}, {"main": COMMIT}
        yield server


@pytest.fixture
def begin(hub: Hub, tmp_path: Path) -> Begin:
    """A collection of the data set in a process of its own, as a job is one."""

    def call(environment: dict[str, str] | None = None, **keys: Any) -> subprocess.Popen[str]:
        source = {"kind": "huggingface", "paths": [NAME], "fields": FIELDS} | keys
        ours = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        root = Path(__file__).parents[2]
        paths = {"PYTHONPATH": os.pathsep.join([str(root), str(root / "tests/corpus")])}
        words = [sys.executable, "-c", SCRIPT, str(tmp_path), json.dumps(source)]
        return subprocess.Popen(words, env=os.environ | ours | paths | (environment or {}), stdout=subprocess.PIPE, text=True)

    return call


@pytest.fixture
def collected(begin: Begin) -> Collected:
    """The documents, or the sentence that says why there are none."""

    def call(environment: dict[str, str] | None = None, **keys: Any) -> Any:
        output, _ = begin(environment, **keys).communicate(timeout=120)
        return json.loads(output.splitlines()[-1])

    return call


def fetched(hub: Hub) -> list[str]:
    """The data files that were sent, in order; each is also asked about with HEAD."""
    asked = zip(hub.methods, hub.asked, strict=True)
    return [path.partition(f"{COMMIT}/")[2] for method, path in asked if method == "GET" and path.endswith(".parquet")]


def test_a_part_of_a_data_set_is_read_and_no_other_is_fetched(hub: Hub, collected: Collected) -> None:
    rows = [["o/python", f"train-{part:05d}-of-00002.x", "Python", "MIT", 7] for part in range(2)]
    assert collected(data_dir="data/python") == rows
    assert sorted(fetched(hub)) == sorted(PARTS[2:])
    assert collected(data_files=["data/*/train-00001-*"]) == [["o/go", rows[1][1], "Go", "MIT", 7], rows[1]]
    assert "cannot be loaded" in (said := collected(data_dir="data/perl"))
    assert "(split train, data_dir data/perl)" in said


def test_a_killed_job_does_not_fetch_again_what_it_has(hub: Hub, begin: Begin, collected: Collected, tmp_path: Path) -> None:
    hub.holds = PARTS[2]
    job = begin()
    assert hub.held.wait(120)
    job.kill()
    job.communicate()
    before = fetched(hub)
    assert before == list(PARTS[:3])
    hub.holds = None
    hub.asked.clear(), hub.methods.clear()
    assert [row[0] for row in collected()] == ["o/go"] * 2 + ["o/python"] * 2
    assert fetched(hub) == list(PARTS[2:])
    assert not list((tmp_path / "home").rglob("*.parquet")), "the hub's cache of the user is not filled"


def test_what_the_hubs_cache_has_is_read_there_also_offline(hub: Hub, collected: Collected, tmp_path: Path) -> None:
    script = f"from huggingface_hub import snapshot_download as get; get({NAME!r}, repo_type='dataset', allow_patterns='data/go/*')"
    ours = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    subprocess.run([sys.executable, "-c", script], env=os.environ | ours, check=True, capture_output=True)
    hub.asked.clear(), hub.methods.clear()
    rows = collected(data_dir="data/go")
    assert len(rows) == 2
    assert fetched(hub) == []
    hub.asked.clear(), hub.methods.clear()
    assert collected({"HF_HUB_OFFLINE": "1"}, data_dir="data/go") == rows
    assert hub.asked == []


def test_terms_that_nobody_accepted_are_named(hub: Hub, collected: Collected) -> None:
    hub.gated = True
    terms = f"it is gated; accept its terms on {hub.url}/datasets/{NAME} with an account, and set HF_TOKEN to its token"
    assert f"cannot be loaded: {terms}" in collected(data_dir="data/go")
    hub.gated = (PARTS[0],)
    assert f"{PARTS[0]} cannot be fetched: {terms}" in collected(data_dir="data/go")


def test_ids_without_content_are_told_as_such(hub: Hub, collected: Collected, tmp_path: Path) -> None:
    for part in PARTS:
        pq.write_table(pa.table({"blob_id": ["a" * 40], "path": ["/a.py"], "language": ["Python"]}), tmp_path / "files" / part)
    assert "has no column content; its columns are blob_id, path, language; blob_id names files that Software Heritage has" in collected(
        fields={"content": "content", "path": "path", "language": "language"}
    )


STACK = {"max_stars_repo_path": "src/a.py", "max_stars_repo_name": "o/r", "max_stars_count": 7.0, "content": "x = 1\n"}
LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "the-stack": ("data/python/train-00000-of-00001.parquet", STACK | {"lang": "Python", "max_stars_repo_licenses": ["MIT"], "size": 6}),
    "the-stack-smol": (
        "data/python/data.json",
        {"content": "x = 1\n", "lang": "Python", "licenses": ["MIT"], "repository_name": "o/r", "path": "src/a.py", "size": 6},
    ),
    "starcoderdata": ("python/train-00000-of-00001.parquet", STACK | {"id": "1"}),
    "the-stack-v2": (
        "stack-v2/train-00000-of-00001.parquet",
        {
            "blob_id": "a" * 40,
            "path": "/src/a.py",
            "repo_name": "o/r",
            "detected_licenses": ["MIT"],
            "language": "Python",
            "content": "x = 1\n",
        }
        | {"content": "x = 1\n", "star_events_count": 7, "committer_date": datetime(2023, 5, 6, 7, 8, 9), "src_encoding": "UTF-8"},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_data_sets_are_read_as_the_documentation_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs/sources.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    (source,) = (one for one in yaml.safe_load(text)["sources"] if one["name"] == name)
    path, row = LAYOUTS[name]
    file = tmp_path / "set" / path
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(row)) if path.endswith("json") else pq.write_table(pa.Table.from_pylist([row]), file)
    monkeypatch.chdir(tmp_path / "set")
    if source["kind"] == "huggingface":
        source["paths"] = [str(tmp_path / "set")]
    license = source.get("license", "MIT")
    (document,), _ = collect(tmp_path, source, licenses={"allow": [license]})
    assert (document["repo"], document["language"], document["license"]) == ("o/r", "Python", license)
    assert document["path"].lstrip("/") == "src/a.py"
    assert document["stars"] == (7 if "stars" in source["fields"] else None)
    date = datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert document["last_commit"] == (date if "last_commit" in source["fields"] else None)


@pytest.mark.parametrize(
    ("stars", "date", "found"),
    [
        ("12", "2020-01-02T03:04:05Z", (12, datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC))),
        (3.0, "2020-01-02T05:04:05+02:00", (3, datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC))),
        (1e300, 1577934245, (1 << 31, datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC))),
        (float("nan"), "yesterday", (None, None)),
        (-1, 1e300, (None, None)),
        ([5], {"year": 2020}, (None, None)),
        (None, None, (None, None)),
    ],
)
def test_stars_and_dates_are_read_as_tables_have_them_or_not_known(stars: Any, date: Any, found: object, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"content": "x = 1\n", "path": "a.py", "stars": stars, "date": date}))
    fields = {"content": "content", "path": "path", "stars": "stars", "last_commit": "date"}
    source = {"kind": "jsonl", "paths": [str(tmp_path / "rows.jsonl")], "license": "MIT", "fields": fields}
    (document,), _ = collect(tmp_path, source)
    assert (document["stars"], document["last_commit"]) == found
