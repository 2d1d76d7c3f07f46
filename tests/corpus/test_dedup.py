"""Near and exact duplicates, over shards: what is the same goes once, what is not stays, and it can be repeated anywhere."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import datasketch
import numpy as np
import pytest
from corpus_stages import document, rows, run, standard_library, write

from snow.corpus import linking, minhash
from snow.corpus.letters import words
from snow.errors import SnowError
from tests.stage_runs import ROOT

SCHEME = minhash.scheme(0, 5, 256, False)


def shingles(text: str, ngram: int = 5) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[i : i + ngram]) for i in range(len(tokens) - ngram + 1)}


def jaccard(one: str, other: str) -> float:
    first, second = shingles(one), shingles(other)
    return len(first & second) / len(first | second)


def sign(texts: list[str], scheme: minhash.Scheme = SCHEME) -> tuple[np.ndarray, np.ndarray]:
    encoded = [text.encode() for text in texts]
    return minhash.signatures(np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)]), scheme)


def edited(text: str, share: float, seed: int) -> str:
    """`text` with that share of its lines, and at least one, replaced."""
    draw = random.Random(seed)
    lines = text.split("\n")
    for i in {draw.randrange(len(lines)), *(i for i in range(len(lines)) if draw.random() < share)}:
        lines[i] = f"value_{draw.random()} = call_{i}({draw.random()})"
    return "\n".join(lines)


def mixed(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD % 2**64
    return value ^ value >> 33


def reference(text: str, scheme: minhash.Scheme, lowercase: bool) -> list[int]:
    """The signature by its definition, in Python's integers."""
    hashes = []
    for token in words(text.lower() if lowercase else text):
        value = 0xCBF29CE484222325
        for character in token:
            value = (value ^ ord(character)) * 0x100000001B3 % 2**64
        hashes.append(mixed(value))
    found = []
    for start in range(len(hashes) - scheme.ngram + 1):
        value = 0
        for token in hashes[start : start + scheme.ngram]:
            value = (value * 0x9E3779B97F4A7C15 + token) % 2**64
        found.append(mixed(value) % 2**32)
    pairs = zip(scheme.multipliers.tolist(), scheme.addends.tolist(), strict=True)
    return [min(((a * value + b) % 2**32 for value in found), default=2**32 - 1) for a, b in pairs]


@pytest.mark.parametrize("lowercase", [False, True])
def test_signature_is_what_its_definition_says(lowercase: bool) -> None:
    texts = [text[:3000] for _, text in standard_library(6)] + ["", "ab", "a b c d", "a b c d e", "tail" * 9]
    texts += [
        "Ünïcode größer_Test x y z w",
        "числа Ёлка—да «нет» мы й K",
        "हिन्दी में पाँच शब्द हैं",
        "😀ab𝒳𝒴 𠀀𲎯 c 􏿿,d e f",
        "变量，名字。注释：五 个",
    ]
    scheme = minhash.scheme(7, 5, 32, lowercase)
    signatures, tokens = sign(texts, scheme)
    assert signatures.tolist() == [reference(text, scheme, lowercase) for text in texts]
    assert tokens.tolist() == [len(words(text)) for text in texts]
    assert words("das Maß — naïve, и\u0306 हिन्दी 名字，x_1") == ["das", "Maß", "naïve", "и\u0306", "हिन्दी", "名字", "x_1"]


def test_translations_are_no_copies_and_copies_of_one_are() -> None:
    keys = ["open", "close", "save_as", "print", "undo", "redo", "cut", "copy", "paste", "find", "replace", "help"]
    spoken = (
        "открыть закрыть сохранить печать отменить вернуть вырезать копировать вставить найти заменить помощь",
        "άνοιγμα κλείσιμο αποθήκευση εκτύπωση αναίρεση επανάληψη αποκοπή αντιγραφή επικόλληση εύρεση αντικατάσταση βοήθεια",
        "打开 关闭 另存为 打印 撤销 重做 剪切 复制 粘贴 查找 替换 帮助",
        "खोलें बंद सहेजें छापें पूर्ववत् दोहराएँ काटें प्रतिलिपि चिपकाएँ खोजें बदलें सहायता",
    )
    files = ["\n".join(f'"{key}": "{word}",' for key, word in zip(keys, line.split(), strict=True)) for line in spoken]
    made = sign([*files, files[0] + '\n"quit": "выход",'])[0]
    alike = (made[:, None] == made[None]).mean(axis=2)
    assert alike[:4, :4][~np.eye(4, dtype=bool)].max() < 0.1
    assert alike[0, 4] > 0.8


def test_signatures_estimate_jaccard_without_bias() -> None:
    pairs = [(text, edited(text, share, i)) for i, (_, text) in enumerate(standard_library(60)) for share in (0.02, 0.05, 0.1, 0.2, 0.4)]
    exact = np.array([jaccard(*pair) for pair in pairs])
    first, second = sign([one for one, _ in pairs])[0], sign([other for _, other in pairs])[0]
    errors = (first == second).mean(axis=1) - exact
    assert exact.min() < 0.3 < 0.7 < exact.max()
    assert np.count_nonzero(exact > 0.6) > 100
    assert np.sqrt((errors**2).mean()) < 0.03  # sqrt(J (1 - J) / 256) is at most 0.031; datasketch has 0.023 on such pairs
    assert abs(errors.mean()) < 0.005


def test_signatures_depend_on_the_seed_alone() -> None:
    texts = [text for _, text in standard_library(5)]
    again, other = sign(texts, minhash.scheme(0, 5, 256, False))[0], sign(texts, minhash.scheme(1, 5, 256, False))[0]
    assert (sign(texts)[0] == again).all()
    assert (again != other).mean() > 0.99
    # The values themselves, so that a corpus signed on another machine or with another numpy can be joined with this one.
    assert sign(["def f(x): return x + 1"])[0][0, :3].tolist() == reference("def f(x): return x + 1", SCHEME, False)[:3]


@pytest.mark.parametrize(("threshold", "permutations"), [(0.7, 256), (0.85, 256), (0.7, 250), (0.5, 128), (0.9, 64)])
def test_bands_are_datasketchs(threshold: float, permutations: int) -> None:
    index = datasketch.MinHashLSH(threshold=threshold, num_perm=permutations)
    assert minhash.bands(threshold, permutations) == (index.b, index.r)


def components_of(edges: list[tuple[int, int]], count: int) -> list[int]:
    roots = list(range(count))
    for _ in range(count):
        before = list(roots)
        for one, other in edges:
            roots[one] = roots[other] = min(roots[one], roots[other])
        if roots == before:
            return roots
    return roots


def test_clusters_are_datasketchs_up_to_the_estimates_noise() -> None:
    originals = [text for _, text in standard_library(80)]
    texts = originals + [edited(text, share, i) for i, text in enumerate(originals) for share in (0.005, 0.02, 0.05, 0.3)]
    signatures, _ = sign(texts)
    keys = minhash.band_keys(signatures, *minhash.bands(0.7, 256))
    every = np.arange(len(texts))
    ids = np.random.default_rng(0).integers(0, 2**32, (len(texts), 4), dtype=np.uint32)
    ours, _ = linking.components(ids, signatures, ([(keys[:, band].copy(), every)] for band in range(keys.shape[1])), 0.7)

    index, sketches = datasketch.MinHashLSH(threshold=0.7, num_perm=256), []
    for number, text in enumerate(texts):
        sketch = datasketch.MinHash(num_perm=256)
        sketch.update_batch([" ".join(shingle).encode() for shingle in shingles(text)])
        index.insert(number, sketch)
        sketches.append(sketch)
    edges = [(i, j) for i in range(len(texts)) for j in index.query(sketches[i]) if i != j and sketches[i].jaccard(sketches[j]) >= 0.7]
    theirs = components_of(edges, len(texts))

    families = [[original, *range(80 + 4 * original, 84 + 4 * original)] for original in range(80)]
    pairs = [pair for family in families for pair in itertools.combinations(family, 2)]
    exact = np.array([jaccard(texts[i], texts[j]) for i, j in pairs])
    here, there = (np.array([roots[i] == roots[j] for i, j in pairs]) for roots in (ours, theirs))
    sure = exact > 0.9  # 25 bands of 10 miss one pair in 20,000 there, one in 16 at 0.8
    assert here[sure].all()
    assert there[sure].all()
    assert np.count_nonzero(sure) > 80
    assert (here == there).mean() > 0.9
    strangers = [(i, j) for i, j in itertools.combinations(range(80), 2) if jaccard(texts[i], texts[j]) < 0.5]
    assert all(ours[i] != ours[j] for i, j in strangers)


def test_texts_too_short_for_a_shingle_are_only_compared_exactly(tmp_path: Path) -> None:
    short = [document(f"VALUE_{i} = {i}\n", path=f"{i}.py") for i in range(50)]
    kept, facts = deduplicate(tmp_path, [[*short, document("VALUE_7 = 7\n", repo="other", path="copy.py"), document("", path="e.py")]])
    assert {name for name in kept if name[0] == "repo"} | {("other", "copy.py")} >= {("repo", f"{i}.py") for i in range(50) if i != 7}
    assert facts["dropped"] == {"exact": 1, "near": 0}


def deduplicate(folder: Path, shards: list[list[dict]], **dedup: object) -> tuple[set[tuple[str, str]], dict]:
    """(repo, path) of what survives, and the facts of duplicates; through the three stages, accounts checked."""
    names = [f"{shard:05d}" for shard in range(len(shards))]
    signatures = [folder / "signatures" / f"{name}.parquet" for name in names]
    for name, documents, output in zip(names, shards, signatures, strict=True):
        source = write(folder / "filtered" / f"{name}.parquet", documents)
        run("minhash", folder, name, {"documents": [source]}, {"signatures": output}, dedup=dedup)
    table = folder / "duplicates"
    facts = run("duplicates", folder, "all", {"signatures": signatures}, {"duplicates": table}, dedup=dedup)
    kept, dropped = set(), {"exact": 0, "near": 0}
    for name, documents in zip(names, shards, strict=True):
        source, output = folder / "filtered" / f"{name}.parquet", folder / "unique" / f"{name}.parquet"
        own = run("unique", folder, name, {"documents": [source], "duplicates": [table / f"{name}.parquet"]}, {"documents": output})
        left = rows(output)
        assert own["documents_in"] == len(documents) == len(left) + sum(own["dropped"].values())
        assert own["bytes"] == sum(row["size"] for row in left)
        assert left == [row for row in documents if row in left]  # whole rows, in order
        dropped = {method: dropped[method] + own["dropped"][method] for method in dropped}
        kept |= {(row["repo"], row["path"]) for row in left}
    assert facts["dropped"] == dropped
    assert facts["kept"] == len(kept)
    return kept, facts


def corpus() -> list[dict]:
    """An original package, a project that vendors it, a fork that edits every file a little, and two unrelated packages."""
    files = standard_library(30)
    return [
        *(document(text, "urllib3", f"src/{name}") for name, text in files[:10]),
        *(document(text, "installer", f"src/installer/_vendor/urllib3/{name}") for name, text in files[:10]),
        *(document(edited(text, 0.01, i), "urllib3-next", f"src/{name}") for i, (name, text) in enumerate(files[:10])),
        *(document(text, "attrs", name) for name, text in files[10:20]),
        *(document(text, "zope", name) for name, text in files[20:30]),
    ]


def split(documents: list[dict], shards: int) -> list[list[dict]]:
    repositories = sorted({row["repo"] for row in documents})
    return [[row for row in documents if repositories.index(row["repo"]) % shards == shard] for shard in range(shards)]


def test_one_copy_survives_and_repositories_stay_whole(tmp_path: Path) -> None:
    documents = corpus()
    kept, facts = deduplicate(tmp_path / "two", split(documents, 2))
    names = {repo: {path for owner, path in kept if owner == repo} for repo in {row["repo"] for row in documents}}
    assert not names["installer"], "the vendored copies lie deeper than the originals"
    assert {len(names["urllib3"]), len(names["urllib3-next"])} == {0, 10}, "one of two forks survives, as a whole"
    assert len(names["attrs"]) == len(names["zope"]) == 10
    assert facts["clusters"] == 10
    assert facts["largest_cluster"] == 3
    assert facts["dropped"]["exact"] + facts["dropped"]["near"] == 20
    for shards in (1, 3):
        assert deduplicate(tmp_path / str(shards), split(documents, shards))[0] == kept, "who survives does not depend on the shard count"


def test_every_cluster_has_one_survivor_and_says_why_the_others_go(tmp_path: Path) -> None:
    documents = corpus()
    deduplicate(tmp_path, split(documents, 2))
    shards = split(documents, 2)
    table = [row for shard in range(2) for row in rows(tmp_path / "duplicates" / f"{shard:05d}.parquet")]
    assert table == sorted(table, key=lambda row: (row["shard"], row["row"]))
    by_cluster = {name: [row for row in table if row["cluster"] == name] for name in {row["cluster"] for row in table}}
    for name, members in by_cluster.items():
        assert [row["id"] for row in members if row["survivor"]] == [name]
        assert len(members) == 3
        for row in members:
            assert shards[row["shard"]][row["row"]]["id"] == row["id"]
            assert row["method"] in ((None,) if row["survivor"] else ("exact", "near"))
        assert sorted(row["method"] for row in members if row["method"]) == ["exact", "near"]


def test_who_survives_is_what_keep_says(tmp_path: Path) -> None:
    (_, text), (_, other), *_ = standard_library(2)
    old, new = datetime(2015, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    longer = text + "\n# the end\n"
    documents = [
        document(text, "starred", "src/deep/a.py", 900, old),
        document(text, "fresh", "src/a.py", 20, new),
        document(text, "starred-later", "src/deep/a.py", 900, new),
        document(text, "top", "a.py"),
        document(longer, "long", "src/lib/a.py", 0),
        document(other, "alone", "b.py"),
    ]
    survivors = {
        ("depth",): "top",
        ("stars", "depth"): ("starred", "starred-later"),
        ("stars", "last_commit"): "starred-later",
        ("last_commit", "depth"): "fresh",
        ("last_commit", "stars"): "starred-later",
        ("size",): "long",
    }
    for number, (keep, wanted) in enumerate(survivors.items()):
        kept, _ = deduplicate(tmp_path / str(number), split(documents, 2), keep=list(keep))
        ((survivor, _),) = (one for one in kept if one[0] != "alone")
        assert survivor in ((wanted,) if isinstance(wanted, str) else wanted)


def test_outputs_are_the_same_bytes_again(tmp_path: Path) -> None:
    for attempt in ("first", "second"):
        deduplicate(tmp_path / attempt, split(corpus(), 2))
    for name in ("signatures/00000.parquet", "signatures/00001.parquet", "duplicates/00001.parquet", "unique/00000.parquet"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_threshold_is_what_decides(tmp_path: Path) -> None:
    (_, text), *_ = standard_library(1)
    near = edited(text, 0.15, 3)
    assert 0.5 < jaccard(text, near) < 0.65
    documents = [[document(text, path="a.py"), document(near, path="b.py")]]
    assert len(deduplicate(tmp_path / "strict", documents)[0]) == 2
    assert len(deduplicate(tmp_path / "loose", documents, threshold=0.3)[0]) == 1


def test_what_is_sorted_in_parts_on_disk_gives_the_same_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = split(corpus(), 3)
    whole, facts = deduplicate(tmp_path / "whole", shards)
    monkeypatch.setattr(linking, "PART", 7)
    monkeypatch.setattr(linking, "CHUNK", 5)
    parts, told = deduplicate(tmp_path / "parts", shards)
    assert facts["dropped"]["near"] >= 10
    assert parts == whole
    tables = [sorted((tmp_path / name / "duplicates").glob("*.parquet")) for name in ("whole", "parts")]
    assert [file.read_bytes() for file in tables[0]] == [file.read_bytes() for file in tables[1]]
    assert {key: told[key] for key in told if key != "pairs_compared"} == {key: facts[key] for key in facts if key != "pairs_compared"}
    assert {file.stat().st_size for file in (tmp_path / "parts").rglob("part-*")} == {0}, "what was sorted stays on disk"


def test_a_bucket_of_boilerplate_ends_and_is_reported() -> None:
    """The known hang: one band shared by very many files that are otherwise different."""
    count = 20_000
    signatures = np.random.default_rng(0).integers(0, 2**32, (count, 256), dtype=np.uint32)
    ids = np.random.default_rng(1).integers(0, 2**32, (count, 4), dtype=np.uint32)
    roots, work = linking.components(ids, signatures, [[(np.zeros(count, np.uint64), np.arange(count))]], 0.7)
    assert (roots == np.arange(count)).all()
    assert work["pairs_compared"] < count * linking.BUCKET
    assert work["not_compared_with_all"] == count - linking.BUCKET - 1


def test_mismatched_inputs_are_refused(tmp_path: Path) -> None:
    documents = corpus()
    deduplicate(tmp_path, split(documents, 2))
    table, output = tmp_path / "duplicates" / "00001.parquet", tmp_path / "again.parquet"
    shuffled = write(tmp_path / "shuffled.parquet", reversed(split(documents, 2)[1]))
    with pytest.raises(SnowError, match="run minhash and duplicates again"):
        run("unique", tmp_path, "00001", {"documents": [shuffled], "duplicates": [table]}, {"documents": output})
    with pytest.raises(SnowError, match=r"unique has no instance 'all' with these params; it has 00000, 00001, 00002, 00003$"):
        run("unique", tmp_path, "all", {"documents": [shuffled], "duplicates": [table]}, {"documents": output})
    empty, nothing = write(tmp_path / "empty.parquet", []), tmp_path / "nothing.parquet"
    run("minhash", tmp_path, "00000", {"documents": [empty]}, {"signatures": nothing})
    with pytest.raises(SnowError, match="no documents to deduplicate"):
        run("duplicates", tmp_path, "all", {"signatures": [nothing]}, {"duplicates": output})
    signed = tmp_path / "signatures" / "00000.parquet"
    with pytest.raises(SnowError, match=r"signed with dedup\.permutations 200"):
        run("duplicates", tmp_path, "all", {"signatures": [signed]}, {"duplicates": output}, dedup={"permutations": 200})


def test_machine_code_is_kept_where_the_run_is_and_nowhere_else(tmp_path: Path) -> None:
    """Every shard's job would otherwise compile again; a folder that is no run's stays clean."""
    script = (
        "import numpy as np; from snow.corpus import minhash as m; "
        "m.signatures(np.zeros(9, np.uint8), np.array([0, 9]), m.scheme(0, 5, 8, False)); "
        "s = m._signatures.stats; print(sum(s.cache_hits.values()), sum(s.cache_misses.values()))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"} | {"PYTHONPATH": str(ROOT)}
    (tmp_path / "run" / ".snow").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()

    def start(folder: str) -> str:
        command = [sys.executable, "-c", script]
        return subprocess.run(command, cwd=tmp_path / folder, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert [start("run"), start("run")] == ["0 1", "1 0"]
    start("elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []
