"""Decontamination against the real suites: what is planted is found, ordinary code stays, and the matches say why."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from corpus_stages import document, rows, run, standard_library, write

from snow import params as settings
from snow import schema
from snow.corpus import benchmarks as suites
from snow.corpus import matching
from snow.errors import SnowError
from snow.suites.tasks import Task, read_suite
from tests.stage_runs import ROOT

RULES = settings.load(ROOT / "params.yaml").decontamination
TRIVIAL = {"HumanEval/23", "HumanEval/28", "HumanEval/41", "HumanEval/53"}  # solutions on the allow-list: return x + y and the like


@pytest.fixture(scope="module")
def suite_files(benchmarks: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """HumanEval+ and MBPP+ as the `suite` stage leaves them."""
    folder = tmp_path_factory.mktemp("suites")
    for name in ("HumanEvalPlus", "MbppPlus"):
        (folder / f"{name}.jsonl").write_bytes(gzip.decompress((benchmarks / f"{name}.jsonl.gz").read_bytes()))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def tasks(suite_files: list[Path]) -> list[Task]:
    return [task for path in suite_files for task in read_suite(path)]


@pytest.fixture(scope="module")
def index(suite_files: list[Path]) -> matching.Index:
    return suites.read(suite_files, RULES).index


def found(index: matching.Index, text: str) -> set[str]:
    return {match.task_id for match in matching.find(index, text)}


def plant(text: str, host: str, draw: random.Random) -> str:
    """`text` as somebody would paste it into a file: at another depth, in other whitespace and case, between other code."""
    text = text.replace("    ", draw.choice(["\t", "  ", "      "]))
    text = textwrap.indent(text, draw.choice(["", "    ", "\t\t"]))
    text = re.sub(r"(?<=[^\w\s]) (?=\w)", lambda _: draw.choice(["  ", " "]), text).replace("\n", draw.choice(["\n", "\r\n", "\n\n"]))
    text = draw.choice([str, str.upper, str.swapcase])(text)
    lines = host.split("\n")
    at = draw.randrange(len(lines))
    return "\n".join([*lines[:at], text, *lines[at:]])


@pytest.mark.parametrize("part", ["prompt", "solution"])
def test_every_planted_prompt_and_solution_is_found(tasks: list[Task], index: matching.Index, part: str) -> None:
    hosts = [text for _, text in standard_library(60)]
    draw = random.Random(0)
    missed = {task.task_id for task in tasks if task.task_id not in found(index, plant(getattr(task, part), draw.choice(hosts), draw))}
    assert missed == (TRIVIAL if part == "solution" else set())
    assert len(tasks) == 164 + 378


def test_statements_are_found_as_comments_and_reflowed(tasks: list[Task], index: matching.Index) -> None:
    missed = set()
    for task in tasks:
        prose = " ".join(task.texts[0].split())
        comment = "\n".join(f"# {line}" for line in textwrap.wrap(prose, 50))
        if len(re.findall(r"\w+", prose)) > 15 and task.task_id not in found(index, f"import os\n\n{comment}\ndef solve():\n    pass\n"):
            missed.add(task.task_id)
    assert not missed


def test_a_solution_that_is_commented_out_is_found(tasks: list[Task], index: matching.Index) -> None:
    missed = {task.task_id for task in tasks if task.task_id not in found(index, textwrap.indent(task.solution, "    # "))}
    assert missed == TRIVIAL


def test_unicode_punctuation_does_not_hide_a_statement(tasks: list[Task], index: matching.Index) -> None:
    task = next(task for task in tasks if task.task_id == "HumanEval/1")
    pasted = task.texts[0].replace(" ", "\u00a0").replace("(", "\u201c(").replace(",", "\u3000,\u2014 ")
    assert "HumanEval/1" in found(index, f'"""{pasted}"""\n')


@pytest.mark.parametrize("form", ["full_width", "soft_hyphens", "zero_width", "ligatures", "NFC", "NFD", "NFKC", "NFKD"])
def test_unicode_forms_do_not_hide_a_solution(tasks: list[Task], index: matching.Index, form: str) -> None:
    """Each of ten solutions, in a file of that form."""
    forms = {
        "full_width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
        "soft_hyphens": lambda text: text.replace("e", "e\u00ad"),
        "zero_width": lambda text: "\ufeff" + text.replace("t", "\u200bt\u200d"),
        "ligatures": lambda text: text.replace("fi", "\ufb01").replace("fl", "\ufb02").replace("st", "\ufb06"),
    }
    changed = forms.get(form, lambda text: unicodedata.normalize(form, text))
    for task in tasks[:10]:
        assert task.task_id in found(index, changed(f"# Gr\u00f6\u00dfe \u212b \u1e9b\u0323\n{task.solution}"))


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_all_forms_of_a_text_are_normalised_to_one(form: str) -> None:
    every = "".join(f"q{chr(code)}b\u0301 " for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    assert matching.normalise(unicodedata.normalize(form, every)) == matching.normalise(every)
    assert matching.normalise("ASCII stays: \tas_it Is\x0c") == "ascii stays: \tas_it is\x0c"


def test_the_standard_library_survives(index: matching.Index) -> None:
    """542 tasks against files that no benchmark was taken from: at most a few coincidences."""
    files = standard_library(200)
    hits = {name: found(index, text) for name, text in files}
    assert sum(bool(tasks) for tasks in hits.values()) <= 2, {name: tasks for name, tasks in hits.items() if tasks}


@pytest.mark.parametrize(
    "innocent",
    [
        "TABLE = [" + ", ".join(str(i % 7) for i in range(200)) + "]\n",
        "PRIMES = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13\nZERO = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]\n",
        "for i in range(n):\n    for j in range(n):\n        grid[i][j] = 0\n",
        "from typing import List, Dict, Tuple, Optional, Any, Union, Set, Callable\nimport math\n",
        "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate([]) == []\n    assert candidate([1, 2]) is True\n",
        "def joined(strings):\n    return ''.join(strings)\n",  # BigCode's list says ''.join without its quotes, so it drops this
        'def joined(strings):\n    return "".join(strings)\n',
        "def f(x, y):\n    return x + y\n",
        "def area(x):\n    return x, y\n\ndef square(n):\n    return n**2\n",
        "a b c d e f g h i j k l m n o p q r s t u v w x y z\n",
    ],
)
def test_what_proves_nothing_is_no_match(index: matching.Index, innocent: str) -> None:
    assert matching.find(index, innocent) == []


def by_definition(texts: list[matching.Text], rules: schema.Decontamination, document: str) -> dict[tuple[str, str, str], int]:
    """The three rules spelled out with Python's own strings: how many different needles of each task and method are there."""

    def squeeze(text: str) -> str:
        return "".join(text.split())

    def spaced(tokens: list[str]) -> str:
        return f" {' '.join(tokens)} "

    normal = matching.normalise(document)
    squeezed, words, tokens = squeeze(normal), spaced(re.findall(r"\w+", normal)), spaced(re.findall(r"\w+|[^\w\s]", normal))
    allowed = {squeeze(matching.normalise(text)) for text in rules.allow}
    needles = set()
    for text in texts:
        own = matching.normalise(text.text)
        own_words, whole = re.findall(r"\w+", own), squeeze(own)
        if whole in allowed:
            continue
        key = (text.suite, text.task_id)
        if len(whole) >= rules.substring_min_chars:
            needles |= {(*key, "substring", whole)} if whole in squeezed else set()
        elif len(own_words) >= rules.short_ngram and spaced(re.findall(r"\w+|[^\w\s]", own)) in tokens:
            needles.add((*key, "short", own))
        for start in range(len(own_words) - rules.ngram + 1):
            gram = own_words[start : start + rules.ngram]
            if len({word for word in gram if len(word) > 1 and not word.isdecimal()}) >= rules.distinct_words and spaced(gram) in words:
                needles.add((*key, "ngram", " ".join(gram)))
    counts: dict[tuple[str, str, str], int] = {}
    for *key, _ in needles:
        counts[tuple(key)] = counts.get(tuple(key), 0) + 1
    return counts


def test_find_is_the_definition(tasks: list[Task]) -> None:
    """The rolling hashes, bitmaps and kernels change nothing: same matches, same counts, at other settings too."""
    draw = random.Random(1)
    chosen = draw.sample(tasks, 40)
    texts = [matching.Text("suite", task.task_id, text) for task in chosen for text in (*task.texts, task.solution)]
    hosts = [text[:4000] for _, text in standard_library(40)]
    pasted = [plant(draw.choice([task.prompt, task.solution, task.test]), host, draw) for task, host in zip(chosen, hosts, strict=True)]
    loose = schema.Decontamination(ngram=4, distinct_words=2, short_ngram=2, substring_min_chars=15, allow=(), tokens=None)
    total = 0
    for rules in (RULES, loose):
        index = matching.build(texts, rules)
        for text in [*pasted, "", "x", "ß\u0130 \ufb01ne \u212a \uff46\uff4f\uff52 e\u0301\u00ad\u2026", hosts[0]]:
            matches = {(match.suite, match.task_id, match.method): match.matches for match in matching.find(index, text)}
            assert matches == by_definition(texts, rules, text)
            total += len(matches)
    assert total > 150


def test_documents_go_whole_and_the_matches_say_why(suite_files: list[Path], tasks: list[Task], tmp_path: Path) -> None:
    (name, host), (other, clean) = standard_library(2)
    task = next(task for task in tasks if task.task_id == "HumanEval/0")
    stolen = f"{host}\n{task.prompt}{task.solution}"
    documents = [document(clean, "attrs", other), document(stolen, "leak", name), document(host, "zope", name)]
    source, output, matches = write(tmp_path / "in.parquet", documents), tmp_path / "out.parquet", tmp_path / "matches.parquet"
    inputs: dict[str, Sequence[Path]] = {"documents": [source], "suites": suite_files}
    facts = run("decontaminate", tmp_path, "00000", inputs, {"documents": output, "matches": matches})
    assert rows(output) == [documents[0], documents[2]]
    entries = rows(matches)
    assert {(entry["repo"], entry["path"], entry["id"]) for entry in entries} == {("leak", name, documents[1]["id"])}
    own = [entry for entry in entries if entry["task_id"] == "HumanEval/0"]
    assert {entry["method"] for entry in own} == {"substring", "ngram"}
    squeezed = "".join(task.texts[0].casefold().split())
    assert hashlib.sha256(squeezed.encode()).hexdigest() in {entry["text_sha256"] for entry in own}
    whole = next(entry for entry in own if entry["method"] == "substring")
    lines = stolen.split("\n")[whole["line"] - 1 :]
    assert whole["document_lines"] == "\n".join(lines[: whole["document_lines"].count("\n") + 1])
    assert whole["task_lines"] == task.texts[0]
    assert [line.strip() for line in whole["document_lines"].split("\n")][1:-1] == whole["task_lines"].split("\n")[1:-1]
    assert (facts["documents_in"], facts["documents"], facts["dropped"]) == (3, 2, 1)
    assert facts["bytes"] == documents[0]["size"] + documents[2]["size"]
    assert facts["bytes_dropped"] == documents[1]["size"]
    human, mbpp = facts["suites"]["HumanEvalPlus"], facts["suites"]["MbppPlus"]
    assert (human["tasks"], human["findable_tasks"], mbpp["tasks"], mbpp["findable_tasks"]) == (164, 164, 378, 378)
    assert human["documents_by_method"] == {"substring": 1, "ngram": 1, "short": 0}
    again = tmp_path / "again.parquet"
    run("decontaminate", tmp_path, "00000", inputs, {"documents": again, "matches": tmp_path / "m.parquet"})
    assert again.read_bytes() == output.read_bytes()
    assert (tmp_path / "m.parquet").read_bytes() == matches.read_bytes()


def test_having_nothing_to_look_for_is_an_error(tmp_path: Path) -> None:
    """A decontamination that can find nothing must not pass for a clean corpus."""
    source = write(tmp_path / "in.parquet", [document("x = 1\n")])
    outputs = {"documents": tmp_path / "out.parquet", "matches": tmp_path / "matches.parquet"}
    with pytest.raises(SnowError, match="no benchmark suite to decontaminate against"):
        run("decontaminate", tmp_path, "00000", {"documents": [source]}, outputs)
    row = {
        "task_id": "T/0",
        "prompt": 'def f():\n    """Add."""\n',
        "entry_point": "f",
        "canonical_solution": "    return len(string)\n",
        "test": "",
    }
    silent = tmp_path / "silent.jsonl"
    silent.write_text(json.dumps(row) + "\n")
    with pytest.raises(SnowError, match="suite silent: none of its 1 tasks"):
        run("decontaminate", tmp_path, "00000", {"documents": [source], "suites": [silent]}, outputs)
