"""`snow judge SUITE SAMPLES`: anybody's samples judged on any suite, outside the recipe.

A table on standard output, and beside the samples `*_verdicts.jsonl` and `*_eval_results.json` (see `snow.evaluate.results`). A
killed run goes on where it was.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from snow import digest, params
from snow.console.columns import aligned
from snow.errors import SnowError
from snow.evaluate import results
from snow.evaluate.journal import Journal
from snow.evaluate.judge import Sample, check_complete, check_harness, open_judge, read_samples, summary
from snow.schema import Category, Judging
from snow.suites import checkers, fetch
from snow.suites.checkers import checker_of
from snow.suites.tasks import read_suite

# Where there are no params: as params.yaml of the project has it.
USUAL = Judging(timeout_seconds=3.0, memory_mb=4096, processes=16, file_mb=8, allow_unsandboxed=False)


def environment(suite: str, params_file: Path) -> str | None:
    """The environment that judging on `suite` needs, None where it is the judge's own or what is named is no suite."""
    given = params.load(params_file) if params_file.exists() else None
    if Path(suite).is_file():
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            file.write(_content(suite, given))
            file.flush()
            tasks = read_suite(Path(file.name))
        return checkers.CHECKERS[checker_of(tasks[0].kind, suite)].env
    named = given.evaluation.suites.get(suite) if given else None
    return checkers.CHECKERS[named.checker].env if named else None


def run(suite: str, samples: Path, params_file: Path, partial: bool, threads: int) -> int:
    """Judge a samples file on `suite`, a data file or a name under evaluation.suites; the exit status.

    0 when every task of the suite was judged, 1 when some have no sample, which is an error unless `partial`.
    """
    if not samples.is_file():
        raise SnowError(f"there is no samples file {samples}; give a JSON-lines file with task_id and solution or completion")
    given = params.load(params_file) if params_file.exists() else None
    with tempfile.TemporaryDirectory(prefix="snow-judge-") as folder:
        path = Path(folder, "suite.jsonl")
        path.write_bytes(_content(suite, given))
        tasks = read_suite(path)
        named = given.evaluation.suites.get(suite) if given else None
        checker = named.checker if named else checker_of(tasks[0].kind, suite)
        rows = read_samples(samples, tasks)
        missing = {task.task_id for task in tasks} - {task_id for task_id, _ in rows}
        if not partial:
            check_complete(samples, rows, tasks, "or give --partial to judge the others alone")
        judge = open_judge(checker, path, tasks, given.evaluation.judging if given else USUAL, Path(folder))
        check_harness(judge, tasks, threads)
        with _journal(samples, digest.file_md5(path) + checker) as journal:
            verdicts = judge.verdicts(rows, threads, f"judging {samples.name}", journal)
            _write(samples, rows, verdicts, checkers.beside(judge.checker))
    facts = summary(verdicts, judge)
    print(table(suite, facts, len(tasks), len(missing)))
    return 1 if missing else 0


def table(suite: str, facts: dict[str, Any], tasks: int, missing: int) -> str:
    """What was judged, in columns of plain text."""
    rows = [["tests", "pass@", "value", "95% interval", "passed", "samples", "tasks"]]
    for key, rates in facts.items():
        for part, rate in rates.items() if key.startswith("pass@") else ():
            counts = [str(rate[name]) for name in ("passed", "samples", "tasks")]
            rows.append([part, key[5:], f"{rate['value']:.3f}", f"{rate['low']:.3f} to {rate['high']:.3f}", *counts])
    statuses = ", ".join(f"{count} {status}" for status, count in facts["statuses"].items())
    told = f"{suite}: {statuses}; {facts['judged_again']['samples']} timed out and were judged once more, alone"
    partial = [f"PARTIAL: {missing} of {tasks} tasks have no sample; these are not rates of the whole suite"] if missing else []
    return "\n".join([*aligned(rows), told, *partial])


def _content(suite: str, given: params.Params | None) -> bytes:
    """The suite's unzipped data."""
    path = Path(suite)
    if path.is_file():
        return _with_category(fetch.unzipped(path.read_bytes(), suite), path.name)
    if given is None:
        raise SnowError(f"there is no file {suite}, and no params.yaml here that could name a suite; give the suite's data file")
    if suite not in given.evaluation.suites:
        raise SnowError(f"{suite} is no file and no suite of evaluation.suites, which has {', '.join(given.evaluation.suites)}")
    return fetch.content(given.evaluation.suites[suite], f"evaluation.suites.{suite}")


def _with_category(data: bytes, name: str) -> bytes:
    """The rows of one of EvoEval's own files with their category, which only the file's name says; another suite's as they are."""
    rows = [json.loads(line) for line in data.splitlines() if line.strip()] if b'"inputs"' in data.partition(b"\n")[0] else []
    if not rows or any("category" in row for row in rows):
        return data
    found = [category for category in get_args(Category) if category in name]
    if len(found) != 1:
        raise SnowError(f"{name} holds tasks of EvoEval, but its name does not say of which category; call it EvoEval_CATEGORY.jsonl")
    return "".join(json.dumps(row | {"category": found[0]}) + "\n" for row in rows).encode()


@contextmanager
def _journal(samples: Path, suite: str) -> Iterator[Journal]:
    """What a killed run of the same samples on the same suite had judged; gone when this run ends well."""
    path = samples.with_name(f".{samples.name}.{digest.sha256(digest.file_md5(samples) + suite)[:16]}.judging")
    with Journal(path) as journal:
        yield journal
    path.unlink()


def _write(samples: Path, rows: Sequence[Sample], verdicts: Sequence[dict[str, Any]], beside: bool) -> None:
    stem = samples.name.removesuffix(".jsonl")
    verdict_file, result_file = samples.with_name(f"{stem}_verdicts.jsonl"), samples.with_name(f"{stem}_eval_results.json")
    digest.replace(verdict_file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in verdicts))
    results.write(result_file, verdicts, rows, beside)
    print(f"snow judge: wrote {verdict_file} and {result_file}", file=sys.stderr)
