"""What the packed tokens promise: every document of its set once, in the paper's order, decodable, measured in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from snow.corpus.heldout import read_heldout
from snow.errors import SnowError
from snow.quality.negatives import candidates
from snow.reserved import HELDOUT
from snow.tables import TableWriter, document_id
from snow.tokens import vocabulary
from snow.tokens.stream import Stream, open_stream
from snow.tokens.tokenizer import sample
from tests.stage_runs import run
from tests.tokens.token_jobs import document, write_documents, write_heldout

Rows = list[dict[str, Any]]


def pack(
    folder: Path,
    documents: Rows,
    tokenizer: Path,
    instance: str,
    heldout: Sequence[str] = ("email",),
    selection: Path | None = None,
    **grouping: Any,
) -> tuple[dict[str, Any], Rows, Stream]:
    """(facts, index rows, stream) of one shard; a set of held-out documents has those repositories alone, another all but them."""
    folder = folder / instance
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {"documents": write_documents(folder / "d.parquet", documents), "tokenizer": tokenizer}
    inputs["only" if instance.startswith(HELDOUT) else "left_out"] = write_heldout(folder / "heldout.json", heldout)
    if selection:
        inputs["selection"] = selection
    outputs = {"tokens": folder / "0.bin", "index": folder / "0.index.parquet"}
    facts = run("pack", instance, folder, inputs, outputs, {"groupings.language_repo": grouping})
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("0.")) == ["0.bin", "0.index.parquet"]
    return facts, pq.read_table(outputs["index"]).to_pylist(), open_stream([outputs["tokens"]], [outputs["index"]])


def texts(index: Rows, stream: Stream, tokenizer: Path) -> dict[str, str]:
    """What each document's tokens say, special tokens included, by id."""
    loaded = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    return {row["id"]: loaded.decode(stream.read(row["offset"], row["tokens"]).tolist(), skip_special_tokens=False) for row in index}


def test_every_document_is_there_once_with_its_context(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    facts, index, stream = pack(tmp_path, documents, tokenizer, "corpus/00000")
    said = texts(index, stream, tokenizer)
    expected = {row["id"]: row for row in documents if row["repo"] != "email"}
    assert said == {
        name: f"<repo_name>{row['repo']}<file_sep>{row['path']}\n{row['content']}<|endoftext|>" for name, row in expected.items()
    }
    assert [row["offset"] + row["tokens"] for row in index] == [*(row["offset"] for row in index[1:]), len(stream)]
    assert {row["id"]: row["bytes"] for row in index} == {name: row["size"] for name, row in expected.items()}
    assert facts["tokens"] == len(stream)
    assert facts["dropped"] == {"held out": len(documents) - len(expected)}


def test_files_lie_by_language_then_repository_in_random_order(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    _, index, _ = pack(tmp_path, documents, tokenizer, "corpus/00000")
    groups = [key for key, _ in groupby(index, key=lambda row: (row["language"], row["repo"]))]
    assert len(groups) == len(set(groups)), "a repository's files of one language are not in one place"
    assert [language for language, _ in groupby(groups, key=lambda group: group[0])] == ["C", "Python"]
    names = [row["path"] for row in index if row["repo"] == "asyncio"]
    assert names != sorted(names)


def test_grouping_by_repository_alone_mixes_languages(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    _, index, _ = pack(tmp_path, documents, tokenizer, "corpus/00000", group_by="repo")
    repositories = [repo for repo, _ in groupby(index, key=lambda row: row["repo"])]
    assert len(repositories) == len(set(repositories))
    assert {row["language"] for row in index if row["repo"] == "logging"} == {"C", "Python"}


def test_order_does_not_depend_on_storage(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    _, _, stream = pack(tmp_path / "a", documents, tokenizer, "corpus/00000", fim_rate=0.5)
    _, _, other = pack(tmp_path / "b", documents[::-1], tokenizer, "corpus/00000", fim_rate=0.5)
    assert stream.read(0, len(stream)).tolist() == other.read(0, len(other)).tolist()


def test_the_held_out_set_is_the_complement(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    _, held, stream = pack(tmp_path, documents, tokenizer, "heldout-bpe/00000", fim_rate=1.0)
    _, index, _ = pack(tmp_path, documents, tokenizer, "corpus/00000")
    assert {row["repo"] for row in held} == {"email"}
    assert len(held) + len(index) == len(documents)
    assert not any("<fim_" in said for said in texts(held, stream, tokenizer).values()), "held-out text is measured as it was written"


def test_no_set_or_classifier_sees_what_one_repository_holds_out(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    """Folders and files alike; the selection names every document."""
    rows = [document("python", f"{row['repo']}/{row['path']}", row["language"], row["content"]) for row in documents]
    rows += [document("python", f"{number}.sh", "Shell", f"echo {number} {'x' * 90}\n") for number in range(30)]
    shards = [write_documents(tmp_path / f"{number}.parquet", rows[number::2]) for number in range(2)]
    written = tmp_path / "heldout.json"
    run("holdout", "all", tmp_path, {"documents": shards}, {"heldout": written})
    heldout = read_heldout(written)
    held = {row["id"] for row in rows if heldout.holds(row["repo"], row["path"])}
    assert heldout.repositories == frozenset()
    assert heldout.folders
    assert heldout.files

    selection = tmp_path / "selected.parquet"
    with TableWriter(selection, pa.schema([("id", pa.string()), ("shard", pa.int64())])) as table:
        table.write_all([{"id": row["id"], "shard": place % 2} for place, row in enumerate(rows)])
    packed: dict[str, set[str]] = {}
    for name in ("corpus", "best", "heldout-bpe"):
        for number, shard in enumerate(shards):
            inputs = {"documents": shard, "tokenizer": tokenizer, "only" if name == "heldout-bpe" else "left_out": written}
            inputs |= {"selection": selection} if name == "best" else {}
            outputs = {"tokens": tmp_path / name / f"{number}.bin", "index": tmp_path / name / f"{number}.index.parquet"}
            run("pack", f"{name}/{number:05}", tmp_path, inputs, outputs)
            packed.setdefault(name, set()).update(pq.read_table(outputs["index"], columns=["id"])["id"].to_pylist())
    everything = {row["id"] for row in rows}
    assert packed == {"corpus": everything - held, "best": everything - held, "heldout-bpe": held}

    named = ((row["id"], row["repo"], row["path"], row["content"]) for row in rows)
    assert {document_id(text) for text in sample(named, heldout, 1.0, seed=0)} == everything - held
    assert {each.id for each in candidates(shards, heldout)} == everything - held


def test_selected_set_holds_the_selection_of_its_shard(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    wanted = [row["id"] for row in documents if row["repo"] == "json"][:2]
    path = tmp_path / "selected.parquet"
    with TableWriter(path, pa.schema([("id", pa.string()), ("shard", pa.int64())])) as table:
        table.write_all([{"id": wanted[0], "shard": 3}, {"id": wanted[1], "shard": 0}])
    facts, index, _ = pack(tmp_path, documents, tokenizer, "best/00003", selection=path)
    assert [row["id"] for row in index] == [wanted[0]]
    assert sum(facts["dropped"].values()) == len(documents) - 1


def test_infilling_loses_nothing(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    _, index, stream = pack(tmp_path, documents, tokenizer, "corpus/00000", fim_rate=0.7, repo_context=False)
    contents = {row["id"]: row["content"] for row in documents}
    forms = {"plain": 0, "prefix first": 0, "suffix first": 0}
    for name, said in texts(index, stream, tokenizer).items():
        body = said.removesuffix("<|endoftext|>")
        if body.startswith("<fim_prefix><fim_suffix>"):
            suffix, rest = body.removeprefix("<fim_prefix><fim_suffix>").split("<fim_middle>")
            assert rest + suffix == contents[name]
            forms["suffix first"] += 1
        elif body.startswith("<fim_prefix>"):
            prefix, rest = body.removeprefix("<fim_prefix>").split("<fim_suffix>")
            suffix, middle = rest.split("<fim_middle>")
            assert prefix + middle + suffix == contents[name]
            forms["prefix first"] += 1
        else:
            assert body == contents[name]
            forms["plain"] += 1
    assert min(forms.values()) > len(index) * 0.15, forms


def test_special_tokens_written_in_source_code_are_text(tmp_path: Path, tokenizer: Path) -> None:
    code = document("handlers", "eos.py", "Python", 'END = "<|endoftext|>"\nFILE = "<file_sep>"\n')
    _, index, stream = pack(tmp_path, [code], tokenizer, "corpus/00000", repo_context=False)
    ids = stream.read(0, len(stream)).tolist()
    end = vocabulary.token_id(vocabulary.load(tokenizer), "<|endoftext|>")
    assert ids.count(end) == 1
    assert ids[-1] == end
    assert texts(index, stream, tokenizer)[code["id"]] == code["content"] + "<|endoftext|>"


def test_shard_without_documents_is_an_empty_valid_stream(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    facts, index, stream = pack(tmp_path, [], tokenizer, "synthetic/00000")
    assert (facts["documents"], index, len(stream)) == (0, [], 0)
    _, _, full = pack(tmp_path / "full", documents[:3], tokenizer, "corpus/00000", heldout=())
    folders = [tmp_path / "synthetic" / "00000", tmp_path / "full" / "corpus" / "00000", tmp_path / "synthetic" / "00000"]
    joined = open_stream([folder / "0.bin" for folder in folders], [folder / "0.index.parquet" for folder in folders])
    assert joined.read(0, len(full)).tolist() == full.read(0, len(full)).tolist()
    assert joined.read(len(full) - 2, 4).tolist() == [*full.read(len(full) - 2, 2), *full.read(0, 2)]


def test_truncated_token_file_is_named(tmp_path: Path, documents: Rows, tokenizer: Path) -> None:
    pack(tmp_path, documents[:3], tokenizer, "corpus/00000", heldout=())
    folder = tmp_path / "corpus" / "00000"
    (folder / "0.bin").write_bytes((folder / "0.bin").read_bytes()[:-2])
    with pytest.raises(SnowError, match=r"0\.bin has \d+ bytes, but .* says \d+ tokens of uint16"):
        open_stream([folder / "0.bin"], [folder / "0.index.parquet"])
