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
from snow.evaluate.loading import Encoder
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
    """A completion that is asked for: of which task, the how manieth, what the model is given (empty for a chat) and as ids."""

    task: Task
    number: int
    prompt: str
    request: Request


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `completions`, a JSON row per sample, tasks in the suite's order: task_id, sample, prompt_sha256, completion, solution."""
    settings = job.params.completion
    tasks = read_suite(job.input("suite"))[: settings.limit]
    protocol = protocols.of(tasks[0].kind)
    stops = protocols.stops(protocol, settings.prompts)
    longest = settings.max_new_tokens or protocol.max_new_tokens
    sampling = Sampling(settings.temperature, settings.top_p)

    def complete(samples: Sequence[Sample], missing: Sequence[int], keep: Keep) -> None:
        requests = [sample.request for sample in samples]
        if settings.backend == "vllm":
            with served.server(job.input("model"), encoder.positions, job.threads, job.work) as server:
                served.complete(server, encoder, requests, stops, longest, sampling, missing, keep)
            return
        checkpoint = loading.load(job.input("model"), job.threads)
        some = [batch for batch in decoding.batches(requests, settings.batch_size) if not set(missing).isdisjoint(batch)]
        for made in decoding.complete(checkpoint, requests, stops, longest, sampling, some):
            keep(made)

    encoder = loading.load_encoder(job.input("model"))
    room = room_for_prompts(encoder.positions, longest)
    samples = list(asked(encoder, tasks, settings, job.params.seed))
    truncated = sum(room is not None and len(sample.request.ids) > room for sample in samples)
    samples = [fitted(sample, room) for sample in samples]
    completions = _all(job, samples, longest, complete)
    with job.output("completions").open("w", encoding="utf-8") as file:
        file.writelines(row(sample, made, settings.prompts) + "\n" for sample, made in zip(samples, completions, strict=True))
    return summary(completions) | {"truncated_prompts": truncated}


def asked(encoder: Encoder, tasks: Sequence[Task], settings: schema.Completion, seed: int) -> Iterator[Sample]:
    """Every sample of every task."""
    for task in tasks:
        if settings.prompts == "chat":
            prompt, ids = "", encoder.encode_chat(protocols.conversation(task))
        else:
            prompt = protocols.prompt(task, settings.trailing_newline)
            ids = encoder.encode(prompt)
        for number in range(settings.samples):
            yield Sample(task, number, prompt, Request(ids, seeds.draw(2**31, "completion", seed, task.task_id, number)))


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


def fitted(sample: Sample, room: int | None) -> Sample:
    """The sample with no more of its prompt than there is room for."""
    request = Request(sample.request.ids[-room:] if room else sample.request.ids, sample.request.seed)
    return Sample(sample.task, sample.number, sample.prompt, request)


def _all(
    job: Job[Params], samples: Sequence[Sample], longest: int, complete: Callable[[Sequence[Sample], Sequence[int], Keep], None]
) -> list[Completion]:
    """The completion of each sample: of an earlier attempt at this job, or made now and kept for a later one."""
    with Journal(job.work / "completions.jsonl") as journal:
        missing = [index for index in range(len(samples)) if str(index) not in journal]
        print(
            f"snow: {len(samples)} prompts of {sum(len(sample.request.ids) for sample in samples)} tokens, "
            f"{len(samples) - len(missing)} completed before; the others get at most {len(missing) * longest} new ones",
            file=sys.stderr,
        )
        if missing:
            with tqdm(total=len(missing), desc=f"completing {job.instance}", mininterval=5, file=sys.stderr) as bar:

                def keep(made: dict[int, Completion]) -> None:
                    new = {str(index): asdict(completion) for index, completion in made.items() if str(index) not in journal}
                    journal.add(new)
                    bar.update(len(new))

                complete(samples, missing, keep)
        return [Completion(**journal[str(index)]) for index in range(len(samples))]


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
