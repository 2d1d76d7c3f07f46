"""Folders and environments as sources, and what happens to files that cannot become documents."""

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import yaml
from collecting import GPL_3, ROOT, collect, repository

from snow.corpus import collect as stage
from snow.corpus import languages
from snow.corpus.exclusions import Exclusions
from snow.corpus.folders import folder_units
from snow.corpus.units import READ_LIMIT, Repository
from snow.errors import SnowError
from snow.tables import document_id

PY = "import os\n\n\ndef home():\n    return os.environ['HOME']\n"
PERMISSIVE = stage.Rules(frozenset({"Python"}), frozenset({"mit"}), scripts=True)


def test_each_subfolder_is_a_repository_with_the_licence_of_its_license_file(tmp_path):
    repository(tmp_path / "in" / "one", {"src/a.py": PY, "b.js": "let x = 1;\n", "README.md": "# one\n"})
    repository(tmp_path / "in" / "two", {"a.go": "package main\n"})
    rows, facts = collect(tmp_path, {"kind": "folder", "paths": [str(tmp_path / "in")]})
    assert [(row["repo"], row["path"], row["language"], row["license"]) for row in rows] == [
        ("one", "b.js", "JavaScript", "MIT"),
        ("one", "src/a.py", "Python", "MIT"),
        ("two", "a.go", "Go", "MIT"),
    ]
    assert rows[1]["content"] == PY
    assert rows[1]["id"] == document_id(PY)
    assert facts["dropped"] == {"language": 3}  # two LICENSEs, a README
    assert facts["languages"]["Python"] == {"documents": 1, "bytes": len(PY)}
    assert facts["units"] == {"read": 2, "empty": 0, "excluded": 0}


def test_a_folder_that_holds_files_is_itself_the_repository(tmp_path):
    repository(tmp_path / "mine", {"a.py": PY, "inner/b.py": PY})
    (tmp_path / "mine" / ".git").mkdir()
    (tmp_path / "mine" / ".git" / "hook.py").write_text(PY)
    rows, _ = collect(tmp_path, {"kind": "folder", "paths": [str(tmp_path / "mine")]})
    assert [(row["repo"], row["path"]) for row in rows] == [("mine", "a.py"), ("mine", "inner/b.py")]


def test_every_unusable_file_is_counted_under_its_reason(tmp_path):
    root = repository(
        tmp_path / "repo",
        {
            "good.py": PY,
            "bom.py": b"\xef\xbb\xbf" + PY.encode(),
            "binary.py": b"x = 1\0\n",
            "latin.py": "name = 'Bj\xf6rn'\n".encode("latin-1"),
            "empty.py": b"",
            "blank.py": b" \n\t\n",
        },
    )
    with (root / "line.py").open("wb") as stream:
        stream.truncate(200 << 20)  # one line of 200 MB
    (root / "link.py").symlink_to("good.py")
    (root / "loop.py").symlink_to("loop.py")
    (root / "round").symlink_to(".")
    os.mkfifo(root / "pipe.py")  # opening it would wait for ever
    (root / os.fsdecode(b"caf\xe9.py")).write_text(PY)
    tracemalloc.start()
    rows, facts = collect(tmp_path, {"kind": "folder", "paths": [str(root)]})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(row["path"], row["content"]) for row in rows] == [("bom.py", PY), ("good.py", PY)]
    assert facts["dropped"] == {
        "binary": 1,
        "empty": 2,
        "invalid_path": 1,
        "invalid_utf8": 1,
        "language": 1,
        "not_a_file": 4,
        "too_large": 1,
    }
    assert peak < 4 * READ_LIMIT


def test_links_around_a_folder_of_repositories_neither_loop_nor_vanish(tmp_path):
    root = tmp_path / "in"
    repository(root / "real", {"a.py": PY})
    elsewhere = repository(tmp_path / "elsewhere", {"b.py": PY})
    (root / "linked").symlink_to(elsewhere)
    (root / "self").symlink_to(root)
    (root / "again").symlink_to(root / "real")
    (root / "broken").symlink_to("nowhere")
    rows, facts = collect(tmp_path, {"kind": "folder", "paths": [str(root)]})
    assert [(row["repo"], row["path"]) for row in rows] == [("linked", "b.py"), ("real", "a.py")]
    assert facts["dropped"]["not_a_file"] == 3


def test_a_file_that_vanishes_after_listing_is_counted(tmp_path):
    root = repository(tmp_path / "repo", {"a.py": PY, "b.py": PY})
    (unit,) = folder_units("source", (str(root),))
    listed = unit.open()
    assert isinstance(listed, Repository)
    (root / "a.py").unlink()
    tally = stage.Tally()
    documents = list(stage.repository_documents(unit.name, listed, PERMISSIVE, None, Exclusions(), stage.Stated(), tally))
    assert [document["path"] for document in documents] == ["b.py"]
    assert tally.dropped["unreadable"] == 1


def test_owners_are_kept_and_equal_names_told_apart(tmp_path):
    for place in ("in/ada/parser", "in/ada/lexer", "in/bob/parser", "in/zlib/zlib-1.3", "more/ada/parser", "more/plain"):
        repository(tmp_path / place, {"a.py": PY})
    repository(tmp_path / "in/ada/drafts", {"a.py": PY}, None)  # one without a licence beside two that have one
    repository(tmp_path / "in/mono/core", {"a.py": PY})
    for name in ("web", "docs"):
        repository(tmp_path / "in/mono" / name, {"a.py": PY}, None)
    repository(tmp_path / "in/cloned/only", {"a.py": PY}, None)
    (tmp_path / "in/cloned/only/.git").mkdir()
    source = {"name": "s", "kind": "folder", "paths": [str(tmp_path / "in"), str(tmp_path / "more")], "license": "MIT"}
    rows, _ = collect(tmp_path, source)
    assert {row["repo"] for row in rows} == {
        "in/ada/parser",
        "ada/lexer",
        "ada/drafts",
        "bob/parser",
        "zlib",
        "more/ada/parser",
        "plain",
        "mono",
        "cloned/only",
    }
    assert [row["path"] for row in rows if row["repo"] == "zlib"] == ["zlib-1.3/a.py"]


def test_an_empty_repository_is_counted(tmp_path):
    repository(tmp_path / "in" / "full", {"a.py": PY})
    (tmp_path / "in" / "void").mkdir()
    _, facts = collect(tmp_path, {"kind": "folder", "paths": [str(tmp_path / "in")]})
    assert facts["units"] == {"read": 2, "empty": 1, "excluded": 0}


def test_licences_decide_and_are_counted(tmp_path):
    repository(tmp_path / "in" / "free", {"a.py": PY, "stated.py": f"# SPDX-License-Identifier: GPL-3.0-or-later\n{PY}"})
    repository(
        tmp_path / "in" / "bound", {"a.py": PY, "b.py": PY, "notes.txt": "x"}, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n"
    )
    repository(tmp_path / "in" / "silent", {"a.py": PY}, None)
    rows, facts = collect(tmp_path, {"kind": "folder", "paths": [str(tmp_path / "in")]})
    assert [(row["repo"], row["path"]) for row in rows] == [("free", "a.py")]
    assert facts["dropped"]["license"] == 4
    assert facts["licenses_dropped"] == {"not_allowed": {"GPL-3.0": 2, "GPL-3.0-or-later": 1}, "unknown": {"nothing stated": 1}}
    source = {"kind": "folder", "paths": [str(tmp_path / "in")], "license": "mit OR gpl-2.0-only"}
    rows, _ = collect(tmp_path, source)  # a stated licence is of what says none
    assert [(row["repo"], row["license"]) for row in rows] == [("free", "MIT"), ("silent", "MIT OR GPL-2.0-only")]
    rows, _ = collect(tmp_path, source | {"license_precedence": "override"})
    assert [(row["repo"], row["license"]) for row in rows] == [
        (repo, "MIT OR GPL-2.0-only") for repo in ("bound", "bound", "free", "free", "silent")
    ]
    with pytest.raises(SnowError, match="'free for all' is no SPDX expression"):
        collect(tmp_path, {"kind": "folder", "paths": [str(tmp_path / "in")], "license": "free for all"})


def test_shards_partition_the_repositories_and_repeat_to_the_byte(tmp_path):
    for index in range(12):
        repository(tmp_path / "in" / f"repo{index}", {"a.py": PY + f"# {index}\n", "b.py": PY + f"# b{index}\n"})
    source = {"kind": "folder", "paths": [str(tmp_path / "in")]}
    whole, _ = collect(tmp_path / "whole", source)
    parts = [collect(tmp_path / "parts", source, shards=3, shard=shard)[0] for shard in range(3)]
    assert sorted(row["id"] for part in parts for row in part) == sorted(row["id"] for row in whole)
    owners = [{row["repo"] for row in part} for part in parts]
    assert sum(map(len, owners)) == 12
    assert all(owners)
    collect(tmp_path / "again", source, shards=3, shard=1)
    assert (tmp_path / "again/out/00001.parquet").read_bytes() == (tmp_path / "parts/out/00001.parquet").read_bytes()


def test_limit_files_counts_per_language_and_ignores_contents_and_neighbours(tmp_path):
    root = repository(
        tmp_path / "repo", {f"m{index}.py": PY + f"# {index}\n" for index in range(20)} | {f"{index}.js": "f();\n" for index in range(2)}
    )
    source = {"kind": "folder", "paths": [str(root)], "limit_files": 5}
    rows, facts = collect(tmp_path, source)
    chosen = {row["path"] for row in rows}
    assert facts["languages"]["Python"]["documents"] == 5
    assert facts["languages"]["JavaScript"]["documents"] == 2
    assert facts["dropped"]["limit_files"] == 15
    (root / next(iter(chosen))).write_text("changed = True\n")
    (root / next(f"m{index}.py" for index in range(20) if f"m{index}.py" not in chosen)).unlink()
    assert {row["path"] for row in collect(tmp_path, source)[0]} == chosen


def test_include_and_exclude_name_repositories(tmp_path):
    for name in ("One_Thing", "two", "three"):
        repository(tmp_path / "in" / name, {"a.py": PY})
    source = {"kind": "folder", "paths": [str(tmp_path / "in")]}
    rows, facts = collect(tmp_path, source | {"exclude": ["one-thing", "not there"]})
    assert [row["repo"] for row in rows] == ["three", "two"]
    assert facts["units"]["excluded"] == 1
    assert [row["repo"] for row in collect(tmp_path, source | {"include": ["two"]})[0]] == ["two"]
    with pytest.raises(SnowError, match="include names four"):
        collect(tmp_path, source | {"include": ["two", "four"]})


def test_paths_are_excluded_as_a_gitignore_does(tmp_path, capsys):
    files = (
        "src/a.py",
        "dist/b.js",
        "lib/dist/c.py",
        "d.min.js",
        "lib/e.min.js",
        "own.min.js",
        "vendor/f.py",
        "src/vendor/g.py",
        "Dist/h.py",
    )
    root = repository(tmp_path / "in" / "one", dict.fromkeys(files, PY) | {"vendor/i.py": PY, "dist/LICENSE": GPL_3, "docs/j.md": "j"})
    root_only = {"kind": "folder", "paths": [str(root)]}
    patterns = ["dist/", "*.min.js", "!own.min.js", "/vendor/", "docs/", "gone/", "*.pb.py"]
    rows, facts = collect(tmp_path, {**root_only, "exclude_paths": patterns})
    assert [row["path"] for row in rows] == ["Dist/h.py", "own.min.js", "src/a.py", "src/vendor/g.py"]
    assert facts["dropped"] == {"exclude_paths": 8, "language": 1}
    assert facts["sources"]["source0"]["exclude_paths"] == dict(zip(patterns, (3, 3, 1, 2, 1, 0, 0), strict=True))
    sentence = "source source0: no path in this shard matches 'gone/', '*.pb.py' of exclude_paths; correct or remove what matches nowhere"
    assert f"collect 00000: {sentence}\n" in capsys.readouterr().err
    rows, _ = collect(tmp_path, {**root_only, "exclude_paths": ["LICENSE", "*.js"]})  # what is left out still says its licence
    assert {row["license"] for row in rows} == {"MIT"}
    collect(tmp_path, {**root_only, "exclude_paths": ["*"]})
    assert "exclude_paths leaves out all of its 13 files and rows in this shard; correct it" in capsys.readouterr().err
    for pattern in ("!", "# all", "", " "):
        with pytest.raises(
            SnowError, match=f"source source0: exclude_paths: '{pattern}' matches nothing in a .gitignore; correct or remove"
        ):
            collect(tmp_path, {**root_only, "exclude_paths": [pattern]})


def test_paths_of_rows_are_excluded_too(tmp_path):
    lines = [{"text": PY, "path": path} for path in ("a.py", "./dist/b.py", "/dist/c.py", "src/d.py")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = {"kind": "jsonl", "paths": [str(tmp_path / "rows.jsonl")], "license": "MIT", "fields": {"content": "text", "path": "path"}}
    rows, facts = collect(tmp_path, {**source, "exclude_paths": ["/dist/"]})
    assert [row["path"] for row in rows] == ["a.py", "src/d.py"]
    assert facts["dropped"] == {"exclude_paths": 2}


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"kind": "folder", "paths": ["gone"]}, "cannot read the folder gone: No such file"),
        ({"kind": "folder", "paths": []}, "paths is empty"),
        ({"kind": "environment", "paths": ["gone/env"]}, "the environment gone/env does not exist; run `make envs`"),
        ({"kind": "environment", "paths": ["."]}, "holds no Python environment"),
        ({"kind": "archive", "paths": ["gone.zip"]}, "the archive gone.zip does not exist"),
        ({"kind": "jsonl", "paths": ["gone.jsonl"], "fields": {"content": "text", "path": "path"}}, "the file gone.jsonl does not exist"),
    ],
)
def test_a_source_that_is_not_there_is_named(tmp_path, monkeypatch, source, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SnowError, match=f"source0.*{sentence}"):
        collect(tmp_path, source)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_named(tmp_path):
    (tmp_path / "shut").mkdir(mode=0)
    with pytest.raises(SnowError, match=r"cannot read the folder .*shut: Permission denied"):
        collect(tmp_path, {"kind": "folder", "paths": [str(tmp_path / "shut")]})


def test_the_shard_and_the_languages_are_checked(tmp_path):
    source = {"kind": "folder", "paths": [str(repository(tmp_path / "repo", {"a.py": PY}))]}
    with pytest.raises(SnowError, match=r"collect has no instance '00002' with these params; it has 00000, 00001$"):
        collect(tmp_path, source, shards=2, shard=2)
    with pytest.raises(SnowError, match="languages: Pyhton is not known"):
        collect(tmp_path, source, languages=["Pyhton"])


def test_the_environment_it_runs_in(tmp_path):
    rows, facts = collect(
        tmp_path, {"kind": "environment", "paths": [sys.prefix], "license": "PSF-2.0", "limit_files": 4, "exclude": ["snow"]}
    )
    repos = {row["repo"]: row["license"] for row in rows}
    assert repos["python"] in ("0BSD AND Python-2.0.1", "PSF-2.0")  # as its LICENSE.txt says, where it has one
    assert repos["numpy"].startswith("BSD-3-Clause")
    assert {"numpy", "python", "pydantic", "scipy"} <= repos.keys()
    assert not {"snow", "certifi", "hypothesis"} & repos.keys()  # ourselves, and MPL-2.0
    assert facts["licenses_dropped"]["not_allowed"]["MPL-2.0"] > 0
    assert {"Python", "C", "C++", "Cython"} <= facts["languages"].keys()
    paths = [row["path"] for row in rows]
    assert all(path.startswith(("Lib/", "Include/")) for path, row in zip(paths, rows, strict=True) if row["repo"] == "python")
    assert not [path for path in paths if "site-packages" in path or ".dist-info" in path or path.startswith((".", "/"))]
    assert not [row["path"] for row in rows if sys.prefix in row["content"]]  # nothing an installer wrote


def _distribution(prefix: Path, name: str, files: dict[str, str], metadata: str) -> None:
    site = prefix / "lib" / "python3.11" / "site-packages"
    info = f"{name}-1.0.dist-info"
    repository(
        site,
        {
            **files,
            f"{info}/METADATA": metadata,
            f"{info}/RECORD": "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD", "../../../bin/tool"]),
        },
        None,
    )


def test_a_distribution_of_two_prefixes_is_taken_once_from_the_first(tmp_path):
    _distribution(tmp_path / "one", "Some_Tool", {"tool.py": "first = 1\n"}, "Name: Some.Tool\nLicense-Expression: MIT\n")
    _distribution(tmp_path / "two", "some_tool", {"tool.py": "second = 2\n"}, "Name: some-tool\nLicense-Expression: MIT\n")
    _distribution(tmp_path / "two", "other", {"other.py": "third = 3\n", "lost.py": "x\n"}, "Name: other\nLicense: Apache 2.0\n\nText\n")
    (tmp_path / "two/lib/python3.11/site-packages/lost.py").unlink()
    rows, facts = collect(tmp_path, {"kind": "environment", "paths": [str(tmp_path / "one"), str(tmp_path / "two")]})
    assert [(row["repo"], row["content"], row["license"]) for row in rows] == [
        ("other", "third = 3\n", "Apache-2.0"),
        ("some-tool", "first = 1\n", "MIT"),
    ]
    assert facts["dropped"] == {"unreadable": 1}


def test_the_command_says_in_one_sentence_what_is_wrong(tmp_path):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["sources"] = [{"name": "mine", "kind": "folder", "paths": ["nowhere"]}]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    outputs = ["--output", "documents", "d.parquet", "--output", "repositories", "r.parquet"]
    command = [sys.executable, "-m", "snow", "collect", "00000", "--params", "params.yaml", *outputs]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert (
        done.stderr
        == "snow collect: source mine: cannot read the folder nowhere: No such file or directory; correct its path in params.yaml\n"
    )
    assert not (tmp_path / "d.parquet").exists()


@pytest.mark.parametrize(
    ("path", "content", "language"),
    [
        ("a/b.py", "", "Python"),
        ("x.PYI", "", "Python"),
        ("Rakefile", "", "Ruby"),
        ("kernel.cu", "", "CUDA"),
        ("app.tsx", "", "TypeScript"),
        ("Makefile", "", None),
        (".py", "", None),
    ],
)
def test_languages_by_name(path, content, language):
    assert languages.language_of(path, content) == language


def test_the_papers_languages_are_known():
    paper = ["Python", "Java", "C++", "C", "JavaScript", "PHP", "C#", "Go", "TypeScript", "SQL", "Ruby", "Rust", "Jupyter Notebook"]
    assert languages.known([*paper, "Scala", "Kotlin", "Shell", "Dart", "Swift"])
    assert languages.canonical("c-sharp") == "C#"
    assert languages.canonical("Objective-C++") == "Objective-C"
