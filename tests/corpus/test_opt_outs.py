"""Repositories and documents on the lists of params.opt_out are left out and counted; a list is known by what it means."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from corpus_stages import document, rows, run, write

from snow import params as settings
from snow.corpus import opt_outs
from snow.errors import SnowError
from snow.tables import document_id
from tests import stage_runs

TEXT = "value = compute(value, other)  # a line of fifty characters or so\n" * 4


def decide(folder: Path, documents: list[dict[str, Any]], **lists: str) -> dict[str, Any]:
    """The facts of `filter` over these documents, with the lists written to files."""
    given = {name: str(folder / f"{name}.txt") for name in lists}
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text)
    shard = write(folder / "raw.parquet", documents)
    run("measure", folder, "00000", {"documents": [shard]}, {"signals": folder / "signals.parquet"})
    inputs: dict[str, Sequence[Path]] = {"documents": [shard], "signals": [folder / "signals.parquet"]}
    outputs = {"documents": folder / "filtered.parquet", "decisions": folder / "decisions.parquet"}
    return run("filter", folder, "00000", inputs, outputs, opt_out=given)


def test_repositories_are_left_out_whatever_their_case(tmp_path: Path) -> None:
    of = ("Owner/Name", "owner/name2", "OTHER/thing", "lodash")
    listed = "# who asked\n\nowner/name  # by mail\nother/THING\nnobody/here\n"
    facts = decide(tmp_path, [document(TEXT + repo, repo) for repo in of], repositories=listed)
    assert [row["repo"] for row in rows(tmp_path / "filtered.parquet")] == ["owner/name2", "lodash"]
    assert [row["reason"] for row in rows(tmp_path / "decisions.parquet")] == ["opted_out", None, "opted_out", None]
    assert facts["dropped"] == {"opted_out": 2}
    assert facts["opt_out"] == {"repositories": {"entries": 3, "matched": {"other/thing": 1, "owner/name": 1}}}


def test_documents_are_left_out_by_the_hash_of_their_file(tmp_path: Path) -> None:
    texts = [TEXT + str(number) for number in range(4)]
    hashes = [
        hashlib.sha256(texts[0].encode()).hexdigest(),
        hashlib.sha256(codecs.BOM_UTF8 + texts[1].encode()).hexdigest().upper(),
        document_id(texts[2]),
        "0" * 64,
    ]
    facts = decide(tmp_path, [document(text) for text in texts], hashes="\n".join(hashes))
    assert [row["content"] for row in rows(tmp_path / "filtered.parquet")] == texts[3:]
    assert facts["opt_out"]["hashes"]["entries"] == 4
    assert facts["opt_out"]["hashes"]["matched"] == {entry.lower(): 1 for entry in hashes[:3]}


def test_who_opted_out_is_said_before_what_else_is_wrong(tmp_path: Path) -> None:
    facts = decide(tmp_path, [document("x", "a/b"), document("x")], repositories="a/b")
    assert [row["rules"] for row in rows(tmp_path / "decisions.parquet")] == [["opted_out", "min_bytes"], ["min_bytes"]]
    assert facts["dropped"] == {"min_bytes": 1, "opted_out": 1}


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"repositories": "a/b\nhttps://github.com/c/d\n"}, r"repositories\.txt, line 2: 'https://github.com/c/d' is not a repository"),
        ({"repositories": "a b"}, r"line 1: 'a b' is not a repository"),
        ({"hashes": "# x\n12ab"}, r"hashes\.txt, line 2: '12ab' is not a SHA-256"),
    ],
)
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, lists: dict[str, str], said: str) -> None:
    with pytest.raises(SnowError, match=said):
        decide(tmp_path, [document(TEXT)], **lists)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnowError, match=r"opt_out\.hashes: .*nowhere\.txt cannot be read"):
        opt_outs.OptOuts(stage_runs.params({"opt_out.hashes": str(tmp_path / "nowhere.txt")}).opt_out)


def fingerprint(**lists: Path) -> dict[str, Any]:
    """What the key of a shard knows of the lists."""
    params = stage_runs.params({f"opt_out.{name}": str(file) for name, file in lists.items()})
    view = settings.view(params, {"filters": "filters", "opt_out": "opt_out"})
    (of, *more) = opt_outs.fingerprint({"00000": view, "00001": view}, "base").values()
    assert more == [of]
    return of


def test_a_list_is_known_by_its_entries(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("a/b\nc/d\n")
    other.write_text("# sorted otherwise\nC/D # again\na/b\nA/B\n")
    assert fingerprint() == {}
    assert fingerprint(repositories=one) == fingerprint(repositories=other)
    other.write_text("a/b\n")
    assert fingerprint(repositories=one) != fingerprint(repositories=other)
    assert fingerprint(repositories=tmp_path / "nowhere.txt") == {"repositories": None}, "not known here"
