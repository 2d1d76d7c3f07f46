"""Stage `complete`: a model's answers to every prompt of a suite, as samples that the judge and EvalPlus' and BigCodeBench's tools read.

How a suite is asked is in `snow.evaluate.protocols`, the decoding in `decoding` or, by a vLLM server, in `served`. What a killed run
had completed is kept and not asked again.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tqdm import tqdm

from snow import digest
from snow.errors import SnowError
from snow.evaluate import decoding, loading, protocols, served
from snow.evaluate.decoding import Completion, Request, Sampling
from snow.evaluate.journal import Journal
from snow.evaluate.loading import Checkpoint, Encoder
from snow.suites.tasks import Task, read_suite
from snow.synthesis import seeds

if TYPE_CHECKING:
    from snow import schema
    from snow.job import Job

Keep = Callable[[dict[int, Completion]], None]


class Params(Protocol):
    seed: int
    completion: schema.Completion


@dataclass(frozen=True)
class Sample:
    """A completion that is asked for: of which task, the how manieth, what the model is given (empty for a chat) and as ids, of which
    the first may be `cut` off."""

    task: Task
    number: int
    prompt: str
    request: Request
    cut: bool


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `completions`, a JSON row per sample, tasks in the suite's order: task_id, sample, prompt_sha256, completion, solution."""
    settings = job.params.completion
    tasks = read_suite(job.input("suite"))[: settings.limit]
    protocol = protocols.of(tasks[0].kind)
    stops = protocols.stops(protocol, settings.prompts)
    longest = settings.max_new_tokens or protocol.max_new_tokens
    sampling = Sampling(settings.temperature, settings.top_p)

    model = job.input("model")
    encoder = loading.load_encoder(model) if settings.backend == "vllm" else loading.load(model, job.threads)
    samples = list(asked(encoder, tasks, settings, room_for_prompts(encoder.positions, longest), job.params.seed))
    requests = [sample.request for sample in samples]

    def complete(missing: Sequence[int], keep: Keep) -> None:
        if not isinstance(encoder, Checkpoint):
            with served.server(model, encoder.positions, job.threads, job.work) as server:
                served.complete(server, encoder, requests, stops, longest, sampling, missing, keep)
            return
        left = frozenset(missing)
        some = [batch for batch in decoding.batches(requests, settings.batch_size) if not left.isdisjoint(batch)]
        for made in decoding.complete(encoder, requests, stops, longest, sampling, some):
            keep(made)

    completions = _all(job, requests, longest, complete)
    with job.output("completions").open("w", encoding="utf-8") as file:
        file.writelines(row(sample, made, settings.prompts) + "\n" for sample, made in zip(samples, completions, strict=True))
    return summary(completions) | {"truncated_prompts": sum(sample.cut for sample in samples)}


def asked(encoder: Encoder, tasks: Sequence[Task], settings: schema.Completion, room: int | None, seed: int) -> Iterator[Sample]:
    """Every sample of every task, with no more of its prompt's tokens than there is `room` for, the last ones."""
    for task in tasks:
        if settings.prompts == "chat":
            prompt, ids = "", encoder.encode_chat(protocols.conversation(task))
        else:
            prompt = protocols.prompt(task, settings.trailing_newline)
            ids = encoder.encode(prompt)
        for number in range(settings.samples):
            request = Request(ids[-room:] if room else ids, seeds.draw(2**31, "completion", seed, task.task_id, number))
            yield Sample(task, number, prompt, request, cut=len(request.ids) < len(ids))


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


def _all(job: Job[Params], requests: Sequence[Request], longest: int, complete: Callable[[Sequence[int], Keep], None]) -> list[Completion]:
    """The completion of each request: of an earlier attempt at this job, or made now and kept for a later one."""
    with Journal(job.work / "completions.jsonl") as journal:
        missing = [index for index in range(len(requests)) if str(index) not in journal]
        print(
            f"snow: {len(requests)} prompts of {sum(len(request.ids) for request in requests)} tokens, "
            f"{len(requests) - len(missing)} completed before; the others get at most {len(missing) * longest} new ones",
            file=sys.stderr,
        )
        if missing:
            with tqdm(total=len(missing), desc=f"completing {job.instance}", mininterval=5, file=sys.stderr) as bar:

                def keep(made: dict[int, Completion]) -> None:
                    new = {str(index): asdict(completion) for index, completion in made.items() if str(index) not in journal}
                    journal.add(new)
                    bar.update(len(new))

                complete(missing, keep)
        return [Completion(**journal[str(index)]) for index in range(len(requests))]


def row(sample: Sample, completion: Completion, prompts: str) -> str:
    """One line of the samples file. Tabs become four spaces, as in EvalPlus' decoders, since the prompts indent with spaces."""
    text = completion.text.replace("\t", "    ")
    fields = {
        "task_id": sample.task.task_id,
        "sample": sample.number,
        "prompt_sha256": digest.sha256(digest.canonical(protocols.conversation(sample.task)) if prompts == "chat" else sample.prompt),
        "completion": text,
        "solution": sample.prompt + text,
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
