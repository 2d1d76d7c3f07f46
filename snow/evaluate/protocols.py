"""How each kind of suite is asked: what a model is given, what ends its answer, and how long that may be. The one place for it.

Base models continue the task's code, as in EvalPlus 0.3.1 (evalplus/provider/utility.py, `EOS` and
`extra_eos_for_direct_completion`; evalplus/provider/base.py for the length), EvoEval 0.1.0, which asks like HumanEval, and
BigCodeBench 0.2.5 (bigcodebench/provider/utility.py and generate.py). Chat models are asked in those tools' form: an instruction with
the task, and an answer that is begun with an open code block; the instruction's words are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from snow.errors import SnowError
from snow.suites.tasks import Task

Prompts = Literal["base", "chat"]
Newline = Literal["removed", "kept", "one"]

_ENDS = ("<|endoftext|>", "<|endofmask|>", "</s>", "\nif __name__", "\ndef main(", "\nprint(")
_TOP_LEVEL = ("\ndef ", "\nclass ", "\nimport ", "\nfrom ", "\nassert ")
FENCE = "\n```"  # closes the code block that a chat answer was begun with
INSTRUCTION = "Write a complete Python program that solves this problem. Answer with the program alone, in one code block."
BEGUN = "Here is the program:\n```python\n"


@dataclass(frozen=True)
class Protocol:
    """The stop sequences of a kind of suite for base models, and the longest completion in tokens."""

    stops: tuple[str, ...]
    max_new_tokens: int


PROTOCOLS = {
    "humaneval": Protocol((*_ENDS, *_TOP_LEVEL), 768),
    "humaneval+": Protocol((*_ENDS, *_TOP_LEVEL), 768),
    "evoeval": Protocol((*_ENDS, *_TOP_LEVEL), 768),
    "mbpp+": Protocol((*_ENDS, '\n"""', "\nassert"), 768),
    "bigcodebench": Protocol((*_ENDS, *_TOP_LEVEL), 1280),
}


def of(kind: str) -> Protocol:
    """The protocol of a kind of suite; SnowError when this snow has none for it."""
    if kind not in PROTOCOLS:
        raise SnowError(f"it is not known how to ask {kind} suites; take the suite out of evaluation.suites")
    return PROTOCOLS[kind]


def stops(protocol: Protocol, prompts: Prompts) -> Sequence[str]:
    """What ends a completion, and is no part of it."""
    return (FENCE,) if prompts == "chat" else protocol.stops


def prompt(task: Task, newline: Newline) -> str:
    """What a base model is given. Its tokens usually join a newline with the indentation that follows, so a prompt that ends in one
    leaves it at a boundary it never saw: the paper removes it [P 3.1, footnote]; EvalPlus gives every prompt `one`, which models that
    would end the text instead need."""
    match newline:
        case "removed":
            return task.prompt.rstrip("\n")
        case "one":
            return task.prompt.strip() + "\n"
        case _:
            return task.prompt


def conversation(task: Task) -> list[dict[str, str]]:
    """What a chat model is given: a question, and the answer it is to go on with."""
    text = task.prompt.strip()
    asked = f"{INSTRUCTION}\n```\n{text}\n```" if _is_code(text) else f"{INSTRUCTION}\n{text}"
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": BEGUN}]


def _is_code(text: str) -> bool:
    """Whether a prompt is the beginning of a program, and not words with a program's head in them (BigCodeBench's Instruct)."""
    try:
        compile(text, "prompt", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
