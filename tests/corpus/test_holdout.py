"""What the choice of held-out text promises: the largest units that fit, near the wanted share, the same on every machine."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snow.corpus import holdout
from snow.corpus.heldout import Heldout, read_heldout, write_heldout
from snow.errors import SnowError
from snow.tables import DOCUMENTS, TableWriter, document_id
from tests.stage_runs import run

KB, MB = 1_000, 1_000_000
Rows = list[dict[str, Any]]


def files(repo: str, language: str, count: int, size: int, folders: int = 1) -> Rows:
    """`count` documents of a repository in folders of one language each, their sizes around `size`, in all `count * size`."""
    return [
        {"repo": repo, "path": f"pkg/{language}{place % folders}/{place}", "language": language, "size": size + (count - 1 - 2 * place)}
        for place in range(count)
    ]


def choose(rows: Rows, fraction: float = 0.05, max_bytes: int = 400 * KB, seed: int = 0) -> tuple[Heldout, dict[str, Any]]:
    """The choice among documents, its bounds and its facts checked against the documents themselves."""

    def read(columns: list[str]) -> Iterator[tuple[Any, ...]]:
        return (tuple(row[column] for column in columns) for row in rows)

    heldout, facts = holdout.choose(read, fraction, max_bytes, seed)
    total, held = _sizes(rows), _sizes(row for row in rows if heldout.holds(row["repo"], row["path"]))
    for language, told in facts["bytes"].items():
        assert told["total"] == total[language]
        assert told["heldout"] == held[language] == sum(told[kind] for kind in holdout.KINDS)
        limit = holdout.OVERSHOOT * min(fraction * total[language], max_bytes)
        assert held[language] <= max(limit, min(total[language] / 2, holdout.SMALL_BYTES)), language
        assert ("nothing" in told) == (not held[language])
    return heldout, facts


def _sizes(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    sizes: dict[str, int] = defaultdict(int)
    for row in rows:
        sizes[row["language"]] += row["size"]
    return sizes


def corpus(count: int = 60) -> Rows:
    """A giant like a standard library, one language that a single repository dominates, and `count` ordinary repositories."""
    rows = [row for number in range(count) for row in files(f"project{number}", "Python", 4, 5 * KB + 250 * number)]
    rows += [row for number in range(0, count, 5) for row in files(f"project{number}", "C", 1, 3 * KB + 100 * number)]
    rows += files("python", "Python", 1000, 10 * KB, folders=40)
    return rows + files("torch", "Python", 500, 10 * KB, folders=40) + files("torch", "C++", 500, 10 * KB, folders=40)


def test_whole_repositories_where_they_fit_and_folders_of_a_giant_for_its_own_language() -> None:
    heldout, facts = choose(corpus())
    assert not {"python", "torch"} & heldout.repositories
    python, c, cpp = (facts["bytes"][language] for language in ("Python", "C", "C++"))
    assert 400 * KB <= python["repositories"] <= 600 * KB
    assert python["files"] == 0
    assert c["repositories"] == c["heldout"]
    assert cpp["folders"] == cpp["heldout"] >= cpp["target"]
    assert heldout.folders.keys() == {"torch"}
    assert not heldout.files


def test_choice_depends_on_the_seed_and_not_on_the_order_of_documents() -> None:
    rows = corpus() + files("flat", "Shell", 30, KB)
    chosen, facts = choose(rows)
    assert chosen.folders
    assert facts["bytes"]["Shell"]["heldout"]
    for order in range(3):
        assert choose(random.Random(order).sample(rows, len(rows))) == (chosen, facts)
    assert choose(rows, seed=1)[0] != chosen


def test_choice_is_the_same_where_repositories_are_looked_at_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lots = random.Random(0)
    many = [row for number in range(2000) for row in files(f"r{number}", lots.choice(("Python", "C", "Go")), lots.randrange(1, 5), 3 * KB)]
    many += files("r7", "Rare", 4, 9 * KB) + files("r9", "Rare", 30, 3 * KB)
    for rows in (many, corpus(), corpus(9)):
        for max_bytes in (400 * KB, 30 * KB):
            whole = choose(rows, max_bytes=max_bytes)
            monkeypatch.setattr(holdout, "AT_ONCE", 1)
            for margin in (4, 1.001):
                monkeypatch.setattr(holdout, "MARGIN", margin)
                assert choose(rows, max_bytes=max_bytes) == whole
            monkeypatch.undo()


def test_one_repository_gives_folders() -> None:
    heldout, facts = choose(files("only", "Python", 400, 5 * KB, folders=40))
    assert heldout.repositories == frozenset()
    assert facts["bytes"]["Python"]["heldout"] == facts["bytes"]["Python"]["folders"] >= 100 * KB - 400


def test_a_repository_without_folders_gives_files() -> None:
    rows = [row | {"path": row["path"].rpartition("/")[2]} for row in files("only", "Python", 400, 5 * KB)]
    heldout, facts = choose(rows)
    assert facts["bytes"]["Python"]["heldout"] == facts["bytes"]["Python"]["files"] >= 100 * KB - 400
    assert set(heldout.files) == {"only"}


def test_three_large_repositories_give_folders_of_several() -> None:
    heldout, facts = choose([row for name in "abc" for row in files(name, "Python", 400, 10 * KB, folders=100)])
    assert facts["bytes"]["Python"]["folders"] >= 400 * KB - 400
    assert len(heldout.folders) > 1


def test_no_repository_gives_most_of_its_language() -> None:
    """Nine repositories, of which the one with the least Python has 63% of the C++, and five languages that each lie in one other."""
    rows = [row for number in range(8) for row in files(f"python{number}", "Python", 40, 20 * KB, folders=8)]
    rows += files("native", "Python", 4, 20 * KB, folders=2) + files("native", "C++", 63, 10 * KB, folders=9)
    rows += files("python0", "C++", 37, 10 * KB, folders=9)
    others = ("C", "Go", "Rust", "Java", "Shell")
    for number, language in enumerate(others):
        rows += files(f"python{number}", language, 30, 8 * KB, folders=6)
    _, facts = choose(rows)
    for language in ("Python", "C++", *others):
        told = facts["bytes"][language]
        assert told["target"] / holdout.OVERSHOOT <= told["heldout"] <= told["target"] * holdout.OVERSHOOT, language


def test_outermost_folder_that_fits_is_taken_with_all_below_it() -> None:
    rows = [row | {"path": f"small/deep/{row['path']}"} for row in files("only", "Python", 10, 4 * KB, folders=5)]
    rows += [row | {"path": f"large{row['path']}"} for row in files("only", "Python", 40, 40 * KB)]
    heldout, _ = choose(rows, fraction=0.03)
    assert heldout.folders == {"only": {"small"}}
    assert heldout.holds("only", "small/a.py")
    assert not heldout.holds("only", "smaller/a.py")
    assert not heldout.holds("other", "small/a.py")


def test_a_language_of_one_file_has_nothing_held_out_and_says_why() -> None:
    _, facts = choose([*files("a", "Python", 100, KB), *files("a", "Shell", 1, KB)])
    assert facts["bytes"]["Shell"]["nothing"] == {"files": 1, "smallest": KB, "allowed": 500}


def test_rows_that_share_a_name_are_held_out_together() -> None:
    """Tables may give one path to several documents, in several languages."""
    rows = [{"repo": "a", "path": str(place), "language": "Python", "size": KB} for place in range(100)]
    choose([*rows, *rows, *({**row, "language": "C", "size": 3 * KB} for row in rows)])


def test_of_few_files_the_smallest_is_held_out_where_it_is_no_more_than_half() -> None:
    """Of a language whose every file is larger than its bound; a large one stays whole."""
    few = [{"repo": "a", "path": f"pkg/{size}.sql", "language": "SQL", "size": size} for size in (3000, 2000, 4000)]
    large = [{"repo": "a", "path": f"pkg/{size}.c", "language": "C", "size": size} for size in (MB, MB + 1)]
    heldout, facts = choose([*files("b", "Python", 100, KB), *few, *large])
    assert heldout.files["a"] == {"pkg/2000.sql"}
    assert facts["bytes"]["C"]["nothing"] == {"files": 2, "smallest": MB, "allowed": 150_000}


@pytest.mark.parametrize(
    ("rows", "advice"),
    [
        ([], "files: 0,.*add sources to params.yaml"),
        (files("only", "Python", 1, KB), "files: 1,.*add sources to params.yaml: held-out text takes whole files"),
        (
            files("only", "Python", 8, 400 * KB),
            r"add sources .*or set heldout.fraction to 0.084 or more and heldout.max_bytes to 266",
        ),
    ],
)
def test_corpus_of_which_nothing_can_be_held_out_is_refused_with_a_way_out(rows: Rows, advice: str) -> None:
    with pytest.raises(SnowError, match=f"too small to hold anything out.*{advice}"):
        choose(rows, max_bytes=100 * KB)


def test_the_way_out_leads_out() -> None:
    _, facts = choose(files("only", "Python", 8, 400 * KB), fraction=0.084, max_bytes=270 * KB)
    assert facts["heldout_files"] == 1


def test_job_does_not_depend_on_shards_and_names_what_it_needs_alone(tmp_path: Path) -> None:
    """Whole repositories alone are a list of names, as long as that is enough; the shards are a matter of storage."""
    rows = [document(row, number) for number, row in enumerate(corpus(20))]
    one, many = held_out(tmp_path / "one", [rows]), held_out(tmp_path / "many", [rows[::-1][place::3] for place in range(3)])
    assert one == many
    assert one[0].keys() == {"repositories", "folders", "files"}
    enough = [row for row in rows if row["repo"].startswith("project") and row["language"] == "Python"]
    assert held_out(tmp_path / "enough", [enough])[0].keys() == {"repositories"}


def document(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row as a document that is as large as it says only in its `size`."""
    content = f"{number}\n"
    return {**row, "id": document_id(content), "license": "MIT", "content": content}


def held_out(folder: Path, shards: list[Rows]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the job writes and its facts."""
    paths = []
    for number, rows in enumerate(shards):
        paths.append(folder / f"{number:05}.parquet")
        with TableWriter(paths[-1], DOCUMENTS) as table:
            table.write_all(rows)
    facts = run("holdout", "all", folder, {"documents": paths}, {"heldout": folder / "heldout.json"})
    return json.loads((folder / "heldout.json").read_text()), facts


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "heldout.json"
    names = Heldout(frozenset({"a"}), {"b": frozenset({"src/x", "lib"})}, {"c": frozenset({"naïve.py"})})
    write_heldout(path, names)
    assert read_heldout(path) == names
    path.write_text('{"folders": ["a"]}')
    with pytest.raises(SnowError, match=r"heldout\.json does not say what is held out.*run `snow holdout` again"):
        read_heldout(path)
