"""Stage `mutate`: of each task of a suite subtly broken solutions, the canonical one with two tokens exchanged.

What is measured with them (`snow.evaluate.preference`) must come to 50% for a model that knows nothing, and such a model has a taste
all the same: `==` is more frequent than `!=`, a short name than a long one. A mutant in which two tokens have changed places is made
of the same tokens as the right solution, behind a space or not as those were, so how often a model expects each of them anywhere
makes no difference; what is left is whether it knows which belongs where.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import random
import sys
import token
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain, combinations, islice, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from snow.evaluate.judge import Judge, check_harness, open_judge
from snow.suites.tasks import Task, parsed, read_suite

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Judging

ROUNDS = 4  # times that tasks which have too few mutants are given other ones to be judged
NUMBERS, VARIABLES = "numbers", "variables"  # a variable: a name that the program binds, where it is read
FAMILIES = {  # the other tokens that are exchanged with each other
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
    """A solution in which the tokens `exchanged`, in characters of the program (prompt included) `at` these places, have each other's."""

    family: str
    exchanged: tuple[str, str]
    at: tuple[int, int]
    solution: str


class Params(Protocol):
    seed: int
    mutants: int  # evaluation.preference.mutants: per task at most
    limit: int | None  # evaluation.preference.limit: the suite's first tasks alone
    judging: Judging
    checker: str


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `mutants`: for every task that has some a row with `task_id` and `broken`, its mutants.

    The suite's judge passes the canonical solutions of these tasks and says `fail` of each mutant. The receipt names the tasks that
    have none, by the reason.
    """
    tasks = read_suite(job.input("suite"))[: job.params.limit]
    judge = open_judge(job.params.checker, job.input("suite"), tasks, job.params.judging, job.work)
    harness = check_harness(judge, tasks, job.threads)
    drawn = {task.task_id: list(islice(exchanges(task, job.params.seed), ROUNDS * job.params.mutants)) for task in tasks}
    found, facts = broken(judge, drawn, job.params.mutants, job.threads)
    with job.output("mutants").open("w", encoding="utf-8") as file:
        for task_id, mutants in found.items():
            row = {"task_id": task_id, "broken": [mutant._asdict() for mutant in mutants]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return facts | {"checker": job.params.checker, "canonical": harness, "sandboxed": judge.sandbox.bwrap is not None}


def broken(judge: Judge, drawn: Mapping[str, list[Mutant]], wanted: int, threads: int) -> tuple[dict[str, list[Mutant]], dict[str, Any]]:
    """(the first mutants of each task that fail, `wanted` at most; the facts of the receipt).

    `drawn` are the mutants of each task in the order in which they are tried.
    """
    some = [task_id for task_id, mutants in drawn.items() if mutants]
    first = sum(min(wanted, len(drawn[of])) for of in some)
    print(
        f"snow: judging {len(some)} canonical solutions and {first} mutants of them, then others in place of those that pass, "
        f"in {ROUNDS} rounds at most; a thread judges about 6 of HumanEval in a second, fewer where the tests are many",
        file=sys.stderr,
    )
    right = _statuses(judge, [(of, judge.tasks[of].solution) for of in some], threads, "canonical solutions")
    passing = [of for of, status in zip(some, right, strict=True) if status == "pass"]
    found: dict[str, list[Mutant]] = {of: [] for of in passing}
    rest, statuses = {of: iter(drawn[of]) for of in passing}, Counter[str]()
    for turn in range(1, ROUNDS + 1):
        tried = [(of, mutant) for of in passing for mutant in islice(rest[of], wanted - len(found[of]))]
        told = _statuses(judge, [(of, mutant.solution) for of, mutant in tried], threads, f"mutants, round {turn}")
        statuses.update(told)
        for (of, mutant), status in zip(tried, told, strict=True):
            found[of] += [mutant] if status == "fail" else []
    kept = {of: mutants for of, mutants in found.items() if mutants}
    return kept, {
        "tasks": len(drawn),
        "tasks_with_mutants": len(kept),
        "mutants": sum(map(len, kept.values())),
        "families": dict(sorted(Counter(mutant.family for mutants in kept.values() for mutant in mutants).items())),
        "judged": dict(sorted(statuses.items())),
        "without": {
            "nothing to exchange": [of for of, mutants in drawn.items() if not mutants],
            "canonical solution does not pass": [of for of in some if of not in found],
            "no mutant fails": [of for of in passing if of not in kept],
        },
    }


def _statuses(judge: Judge, solutions: Sequence[tuple[str, str]], threads: int, label: str) -> list[str]:
    samples = [(of, judge.tasks[of].code + solution) for of, solution in solutions]
    return [row["status"] for row in judge.verdicts(samples, threads, label)] if samples else []


def exchanges(task: Task, seed: int) -> Iterator[Mutant]:
    """Every mutant of a task that is a program, in an order drawn by the seed and the task's name, in which each family has its turn."""
    generator, program, found = random.Random(f"{seed} {task.task_id}"), task.program, list[Site]()
    with contextlib.suppress(SyntaxError):  # no program: nothing to exchange
        found += sites(program, len(task.code))
    by_family: dict[str, list[tuple[Site, Site]]] = {}
    for one, other in combinations(found, 2):
        spaced = program[one.begin - 1].isspace() == program[other.begin - 1].isspace()
        if one.family == other.family and one.text != other.text and spaced:
            by_family.setdefault(one.family, []).append((one, other))
    drawn = [generator.sample(pairs, len(pairs)) for pairs in by_family.values()]
    for one, other in filter(None, chain.from_iterable(zip_longest(*generator.sample(drawn, len(drawn))))):
        parts = program[: one.begin], other.text, program[one.begin + len(one.text) : other.begin], one.text
        mutant = "".join(parts) + program[other.begin + len(other.text) :]
        with contextlib.suppress(SyntaxError):
            parsed(mutant)
            yield Mutant(one.family, (one.text, other.text), (one.begin, other.begin), mutant[len(task.code) :])


def sites(program: str, begin: int) -> Iterator[Site]:
    """The tokens from `begin` on that may be exchanged, in order.

    Loops with `while` are left alone: most that are broken would not end, and each costs its time limit twice to find out.
    """
    tree, lines = parsed(program), io.StringIO(program).readlines()
    offsets = [0, *accumulate(map(len, lines))]
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
        if each.type == token.NUMBER:
            family = NUMBERS
        elif read.get(each.start) == each.string:
            family = VARIABLES
        if family:
            yield Site(family, each.string, offsets[line - 1] + column)
