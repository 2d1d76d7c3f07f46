"""Stage `complete`: a model's greedy continuation of every prompt of a suite, as samples the judge and EvalPlus' tools read."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tqdm import tqdm

from snow.errors import SnowError
from snow.evaluate import loading
from snow.evaluate.decoding import Completion, complete
from snow.suites.tasks import Task, read_suite

if TYPE_CHECKING:
    from snow import schema
    from snow.job import Job

# What ends a base model's completion: EvalPlus 0.3.1, evalplus/provider/utility.py, EOS and extra_eos_for_direct_completion.
_STOPS = ("<|endoftext|>", "<|endofmask|>", "</s>", "\nif __name__", "\ndef main(", "\nprint(")
STOPS = {
    "humaneval": (*_STOPS, "\ndef ", "\nclass ", "\nimport ", "\nfrom ", "\nassert "),
    "mbpp+": (*_STOPS, '\n"""', "\nassert"),
}
STOPS["humaneval+"] = STOPS["evoeval"] = STOPS["humaneval"]


class Params(Protocol):
    completion: schema.Completion


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `completions`, one JSON row per task in the suite's order: task_id, prompt_sha256, completion, solution."""
    settings = job.params.completion
    tasks = read_suite(job.input("suite"))[: settings.limit]
    stops = stops_of(tasks[0].kind)
    loaded = loading.load(job.input("model"), job.threads)
    prompts = [prompt_of(task, settings.strip_prompt_newline) for task in tasks]
    encoded = [loaded.encode(prompt) for prompt in prompts]
    room = room_for_prompts(loaded.positions, settings.max_new_tokens)
    truncated = sum(room is not None and len(ids) > room for ids in encoded)
    print(
        f"snow: {len(tasks)} prompts of {sum(map(len, encoded))} tokens, at most {len(tasks) * settings.max_new_tokens} new ones, "
        f"on {loaded.device}",
        file=sys.stderr,
    )
    completions: dict[int, Completion] = {}
    done = complete(loaded, [ids[-room:] if room else ids for ids in encoded], stops, settings.max_new_tokens, settings.batch_size)
    for index, completion in tqdm(done, total=len(tasks), desc=f"completing {job.instance}", mininterval=5, file=sys.stderr):
        completions[index] = completion
    with job.output("completions").open("w", encoding="utf-8") as file:
        file.writelines(row(task, prompts[index], completions[index]) + "\n" for index, task in enumerate(tasks))
    return summary([completions[index] for index in range(len(tasks))]) | {"truncated_prompts": truncated}


def stops_of(kind: str) -> Sequence[str]:
    """The stop sequences of a kind of suite; SnowError when this snow has none for it."""
    if kind not in STOPS:
        raise SnowError(f"no stop sequences are known for {kind} suites yet; take the suite out of evaluation.suites")
    return STOPS[kind]


def prompt_of(task: Task, strip_newline: bool) -> str:
    """What the model is given. A base model's tokens usually join a newline with the indentation that follows it, so a prompt that
    ends in one leaves it at a boundary it never saw: the paper removes it [P 3.1, footnote], EvalPlus' own runs keep it."""
    return task.prompt.rstrip("\n") if strip_newline else task.prompt


def room_for_prompts(positions: int | None, max_new_tokens: int) -> int | None:
    """How many of a prompt's last tokens fit before the completion; None when the model states no limit."""
    if positions is None:
        return None
    if positions <= max_new_tokens:
        raise SnowError(
            f"evaluation.completion.max_new_tokens {max_new_tokens} leaves no room for a prompt in the model's {positions} "
            "positions; lower it"
        )
    return positions - max_new_tokens


def row(task: Task, prompt: str, completion: Completion) -> str:
    """One line of the samples file. Tabs become four spaces, as in EvalPlus' decoders, since the prompts indent with spaces."""
    text = completion.text.replace("\t", "    ")
    fields = {
        "task_id": task.task_id,
        "prompt_sha256": hashlib.sha256(prompt.encode()).hexdigest(),
        "completion": text,
        "solution": prompt + text,
    }
    return json.dumps(fields, ensure_ascii=False)


def summary(completions: Sequence[Completion]) -> dict[str, Any]:
    """The receipt's facts: how many, how long, and why they ended."""
    return {
        "completions": len(completions),
        "tokens": sum(completion.tokens for completion in completions),
        "endings": dict(sorted(Counter(completion.ending for completion in completions).items())),
        "empty": sum(not completion.text.strip() for completion in completions),
    }
