"""Benchmark suites as tasks: what a model is given, what solves it, and which texts must not be in a training corpus.

Understands the rows of HumanEval, HumanEval+ and MBPP+ (EvalPlus), EvoEval and BigCodeBench by the fields they have. Light: the
corpus stages read suites through it as well as the evaluation.
"""

from __future__ import annotations

import ast
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow.errors import SnowError


@dataclass(frozen=True)
class Task:
    """One problem of a suite.

    `prompt` is what a base model continues (code up to and including the docstring; for MBPP+ a module docstring);
    `program` is the suite's own answer, with `solution` its end, and defines `entry_point`. `texts` are the statements of the
    problem in words (docstring or instruction, without code around it), one string each; `test` is the suite's test code.
    `kind` names the suite's format: `humaneval`, `humaneval+`, `mbpp+`, `evoeval` or `bigcodebench`. `category` is empty where a
    suite has none, or its file does not say (the stage `suite` writes it). `code` is what `solution` continues: the prompt, unless
    that is an instruction in words (BigCodeBench-Instruct).
    """

    task_id: str
    prompt: str
    entry_point: str
    solution: str
    texts: tuple[str, ...]
    test: str
    kind: str
    code: str
    category: str = ""

    @property
    def program(self) -> str:
        """The suite's own answer, whole."""
        return self.code + self.solution


def read_suite(path: Path) -> list[Task]:
    """The tasks of an unzipped suite file, in file order. SnowError names the row that is no task of a known kind."""
    try:
        return tasks_of(path.read_bytes(), str(path))
    except OSError as error:
        raise SnowError(f"{path} is not a readable suite ({error}); build it with `snow suite`") from error


def tasks_of(data: bytes, about: str) -> list[Task]:
    """The tasks of a suite's unzipped data; `about` is what errors call it."""
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise SnowError(f"{about} is not a readable suite ({error}); check evaluation.suites") from error
    tasks = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            tasks.append(task(json.loads(line)))
        except (KeyError, TypeError, SyntaxError, json.JSONDecodeError) as error:
            raise SnowError(
                f"{about}, row {number}: not a task of HumanEval, HumanEval+, MBPP+, EvoEval or BigCodeBench ({error!r}); "
                "check evaluation.suites"
            ) from error
    if not tasks:
        raise SnowError(f"{about} holds no task; name the suite's data in evaluation.suites")
    if len({each.kind for each in tasks}) > 1:
        raise SnowError(f"{about} mixes rows of {' and '.join(sorted({each.kind for each in tasks}))}; a suite has one kind")
    if len({each.task_id for each in tasks}) != len(tasks):
        raise SnowError(f"{about}: a task_id occurs twice; a suite has one row per task")
    return tasks


def task(row: dict[str, Any]) -> Task:
    """One row of a suite as a Task. KeyError, TypeError or SyntaxError when it is no row of a known suite."""
    code = None
    if "complete_prompt" in row:
        kind, prompt, test = "bigcodebench", row["complete_prompt"], row["test"]
        # The instruction repeats the docstring in prose and ends with the signature the answer must start with.
        instruction = row["instruct_prompt"].partition("You should write self-contained code")[0]
        texts = (docstring(prompt, row["entry_point"]), instruction.strip())
        if row.get("split") == "instruct":  # as the stage `suite` writes it
            prompt, code = row["instruct_prompt"], prompt
    elif "assertion" in row:  # the prompt is one string literal: the instruction, then an example as an assert
        kind, prompt, test = "mbpp+", row["prompt"], row["assertion"]
        words = [line for line in ast.literal_eval(prompt.strip()).splitlines() if not line.startswith("assert")]
        texts = ("\n".join(words).strip(),)
    elif "inputs" in row:  # EvoEval's; upstream runs prompt, newline and solution, and half of its prompts end without one
        kind, prompt, test = "evoeval", row["prompt"], "\n".join(row["inputs"])
        texts = (docstring(prompt, row["entry_point"]),)
    else:
        kind, prompt, test = "humaneval+" if "plus_input" in row else "humaneval", row["prompt"], row["test"]
        texts = (docstring(prompt, row["entry_point"]),)
    return Task(
        task_id=row["task_id"],
        prompt=prompt,
        entry_point=row["entry_point"],
        solution=("\n" if kind == "evoeval" and not prompt.endswith("\n") else "") + row["canonical_solution"],
        texts=tuple(dict.fromkeys(text for text in texts if text)),
        test=test,
        kind=kind,
        category=row.get("category", ""),
        code=prompt if code is None else code,
    )


def parsed(program: str) -> ast.Module:
    """The tree of a program, without a warning of what stops none, like an invalid escape in a docstring. What `ast.parse` raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(program)


def docstring(prompt: str, entry_point: str) -> str:
    """The text of the first string statement in the body of `entry_point`, its lines stripped; empty when it has none.

    Not `ast.get_docstring`: HumanEval/115 has an import before it.
    """
    for node in ast.walk(parsed(prompt)):
        if isinstance(node, ast.FunctionDef) and node.name == entry_point:
            for statement in node.body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str):
                    lines = [line.strip() for line in statement.value.value.strip().splitlines()]
                    return "\n".join(lines)
    return ""
