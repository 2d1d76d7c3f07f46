"""Stage `mutate`: for each task of a suite its canonical solution and subtly broken ones, each with one token exchanged.

What is measured with them (`snow.evaluate.preference`) must come to 50% for a model that knows nothing, and such a model has a taste
all the same: `==` is more frequent than `!=`, a short name than a long one. So mutants come in couples: one has `a` in place of
`b`, the other, at another place of the same solution, `b` in place of `a`. By how much a model likes `a` better than `b` wherever it
stands speaks for the one as much as against the other, and each task by itself comes to 50%.
"""

from __future__ import annotations

import ast
import io
import itertools
import json
import random
import sys
import token
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from snow.evaluate.judge import Judge, check_harness
from snow.evaluate.sandbox import Limits, open_sandbox
from snow.suites.checkers import module_of
from snow.suites.tasks import Task, read_suite

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Judging

ROUNDS = 4  # times that tasks which have too few mutants are given other ones to be judged
NUMBERS, VARIABLES = "numbers", "variables"  # whole numbers that differ by one; what a program binds, where it is read
FAMILIES = {  # the other tokens that are exchanged for each other
    "comparisons": ("==", "!=", "<", "<=", ">", ">="),
    "arithmetic": ("+", "-", "*", "/", "//", "%"),
    "assignments": ("+=", "-=", "*=", "/=", "//="),
    "connectives": ("and", "or"),
    "truth values": ("True", "False"),
}
FAMILY_OF = {text: family for family, texts in FAMILIES.items() for text in texts}


class Site(NamedTuple):
    """A token of a program that may be exchanged: its family, its text, and where it begins, in characters."""

    family: str
    text: str
    begin: int


class Mutant(NamedTuple):
    """A canonical solution with `new` in place of the token `old` at `begin`, in characters of the program, prompt included."""

    family: str
    old: str
    new: str
    begin: int
    solution: str


Couple = tuple[Mutant, Mutant]  # a for b, and b for a


class Params(Protocol):
    seed: int
    exchanges: int  # evaluation.preference.exchanges: couples per task at most
    limit: int | None  # evaluation.preference.limit: the suite's first tasks alone
    judging: Judging
    checker: str


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `mutants`: for every task that has some a row with `task_id` and `broken`, its mutants, couple behind couple.

    The suite's judge passes the canonical solutions of these tasks and says `fail` of each mutant. The receipt names the tasks that
    have none, by the reason.
    """
    settings, tasks = job.params.judging, read_suite(job.input("suite"))[: job.params.limit]
    checker = module_of(job.params.checker, tasks[0].kind, str(job.input("suite")))
    limits = Limits(seconds=None, memory=settings.memory_mb << 20, processes=settings.processes, file=settings.file_mb << 20)
    sandbox, by_id = open_sandbox(settings.allow_unsandboxed), {task.task_id: task for task in tasks}
    judge = Judge(job.params.checker, checker, sandbox, job.input("suite"), by_id, settings.timeout_seconds, limits, job.work)
    harness = check_harness(judge, tasks, job.threads)
    drawn = {task.task_id: couples(task, job.params.seed) for task in tasks}
    found, facts = broken(judge, drawn, job.params.exchanges, job.threads)
    with job.output("mutants").open("w", encoding="utf-8") as file:
        for task_id, chosen in found.items():
            row = {"task_id": task_id, "broken": [mutant._asdict() for couple in chosen for mutant in couple]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return facts | {"checker": job.params.checker, "canonical": harness, "sandboxed": sandbox.bwrap is not None}


def broken(judge: Judge, drawn: Mapping[str, list[Couple]], wanted: int, threads: int) -> tuple[dict[str, list[Couple]], dict[str, Any]]:
    """(the first couples of each task, `wanted` at most, of which both mutants fail; the facts of the receipt).

    `drawn` are the couples of each task in the order in which they are tried.
    """
    some = [task_id for task_id, each in drawn.items() if each]
    first = 2 * sum(min(wanted, len(drawn[of])) for of in some)
    print(
        f"snow: judging {len(some)} canonical solutions and {first} mutants of them, then others in place of those that pass, "
        f"in {ROUNDS} rounds at most; a thread judges about 6 of HumanEval in a second, fewer where the tests are many",
        file=sys.stderr,
    )
    right = _statuses(judge, [(of, judge.tasks[of].solution) for of in some], threads, "canonical solutions")
    passing = [of for of, status in zip(some, right, strict=True) if status == "pass"]
    found: dict[str, list[Couple]] = {of: [] for of in passing}
    rest, statuses = {of: iter(drawn[of]) for of in passing}, Counter[str]()
    for turn in range(1, ROUNDS + 1):
        tried = [(of, couple) for of in passing for couple in itertools.islice(rest[of], wanted - len(found[of]))]
        told = _statuses(judge, [(of, one.solution) for of, couple in tried for one in couple], threads, f"mutants, round {turn}")
        statuses.update(told)
        for (of, couple), both in zip(tried, zip(told[::2], told[1::2], strict=True), strict=True):
            found[of] += [couple] if both == ("fail", "fail") else []
    kept = {of: each for of, each in found.items() if each}
    return kept, {
        "tasks": len(drawn),
        "tasks_with_mutants": len(kept),
        "mutants": 2 * sum(map(len, kept.values())),
        "exchanges": dict(sorted(Counter(one.family for each in kept.values() for one, _ in each).items())),
        "judged": dict(sorted(statuses.items())),
        "without": {
            "nothing to exchange": [of for of, each in drawn.items() if not each],
            "canonical solution does not pass": [of for of in some if of not in found],
            "one of each couple does not fail": [of for of in passing if of not in kept],
        },
    }


def _statuses(judge: Judge, solutions: Sequence[tuple[str, str]], threads: int, label: str) -> list[str]:
    samples = [(of, judge.tasks[of].prompt + solution) for of, solution in solutions]
    return [row["status"] for row in judge.verdicts(samples, threads, label)] if samples else []


def couples(task: Task, seed: int) -> list[Couple]:
    """Couples of a task's mutants in an order drawn by the seed and the task's name, in which each family has its turn. Each site is
    exchanged for each other token once at most."""
    generator = random.Random(f"{seed} {task.task_id}")
    by_text: dict[tuple[str, str], list[Site]] = {}
    for site in sites(task.prompt + task.solution, len(task.prompt)):
        by_text.setdefault((site.family, site.text), []).append(site)
    drawn: dict[str, list[Couple]] = {}
    for (family, first), (other, second) in itertools.combinations(sorted(by_text), 2):
        if family != other or (family == NUMBERS and abs(int(first) - int(second)) != 1):
            continue
        shuffled = (generator.sample(some, len(some)) for some in (by_text[family, first], by_text[family, second]))
        for one, two in zip(*shuffled, strict=False):
            there, back = mutated(task, one, second), mutated(task, two, first)
            if there and back:
                drawn.setdefault(family, []).append((there, back))
    turns = [(turn, generator.random(), couple) for some in drawn.values() for turn, couple in enumerate(generator.sample(some, len(some)))]
    return [couple for _, _, couple in sorted(turns)]


def mutated(task: Task, site: Site, new: str) -> Mutant | None:
    """The task's solution with `new` at a site, None where that is no program."""
    program = task.prompt + task.solution
    program = program[: site.begin] + new + program[site.begin + len(site.text) :]
    try:
        parsed(program)
    except SyntaxError:
        return None
    return Mutant(site.family, site.text, new, site.begin, program[len(task.prompt) :])


def sites(program: str, begin: int) -> Iterator[Site]:
    """The tokens from `begin` on that may be exchanged, in order.

    Loops with `while` are left alone: most that are broken would not end, and each costs its time limit twice to find out.
    """
    tree, lines = parsed(program), program.splitlines(keepends=True)
    offsets = [0, *itertools.accumulate(map(len, lines))]
    nodes = list(ast.walk(tree))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    read = {  # by line and column in characters
        (node.lineno, len(lines[node.lineno - 1].encode()[: node.col_offset].decode())): node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in bound
    }
    loops = [range(node.lineno, (node.end_lineno or node.lineno) + 1) for node in nodes if isinstance(node, ast.While)]
    for each in tokenize.generate_tokens(io.StringIO(program).readline):
        line, column = each.start
        if line > len(lines) or offsets[line - 1] + column < begin or any(line in loop for loop in loops):
            continue
        family = FAMILY_OF.get(each.string) if each.type in (token.NAME, token.OP) else None
        if each.type == token.NUMBER and each.string.isdecimal():
            family = NUMBERS
        elif read.get(each.start) == each.string:
            family = VARIABLES
        if family:
            yield Site(family, each.string, offsets[line - 1] + column)


def parsed(program: str) -> ast.Module:
    """Its tree. SyntaxError when it is no program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in docstrings, and of what an exchange has made of a comparison
        return ast.parse(program)
