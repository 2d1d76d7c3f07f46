"""Stage `generate`: the answers to a table of requests, one chat request per file.

Generation is a measurement: the answers live in `.snow/answers/`, outside any job's own folder, and the table is a function of
them. A killed run, a changed concurrency or a larger number of requests asks only what was not answered yet.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from tqdm import tqdm

from snow import digest
from snow.errors import SnowError
from snow.synthesis import asking, client, endpoint
from snow.synthesis.answers import Answer, AnswerStore, Model, Question
from snow.tables import TableWriter, read_rows

if TYPE_CHECKING:
    from snow.arms import Generator
    from snow.job import Job

PATIENCE = 20  # refusals after which a run may end because they are most of what came back
GENERATIONS = pa.schema(
    [
        pa.field("request", pa.int64(), nullable=False),  # 0, 1, 2, ... over all shards; rows are sorted by it
        pa.field("key", pa.string(), nullable=False),  # SHA-256 of model, revision, messages and sampling
        pa.field("language", pa.string(), nullable=False),  # asked for
        pa.field("document", pa.string(), nullable=False),  # id of the document the seed is from
        pa.field("seed", pa.string(), nullable=False),  # its lines
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("revision", pa.string()),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("completion_tokens", pa.int64()),  # null where the server does not say
    ]
)


@dataclass(frozen=True)
class Asked:
    """A request as it is sent, and where its seed is from."""

    number: int
    language: str
    document: str
    seed: str
    key: str
    question: Question


class Intake:
    """Stores answers as they come. Refusals wait until they are no more than the answers: where a server refuses everything, a
    setting is wrong, and its refusals must not be remembered."""

    def __init__(self, store: AnswerStore, server: str) -> None:
        self._store, self._server = store, server
        self._answered = len(store)
        self._refused: list[tuple[str, Answer]] = []
        self._refusals = 0

    def take(self, key: str, answer: Answer) -> None:
        """Store an answer; SnowError when most of at least PATIENCE are refusals."""
        if answer.refused:
            self._refusals += 1
            self._refused.append((key, answer))
        else:
            self._answered += 1
            self._store.add(key, answer)
        if self._refusals <= self._answered:
            self._store_refused()
        elif self._refusals >= PATIENCE:
            self._give_up()

    def close(self) -> None:
        """Store what waits; SnowError when nothing was answered at all."""
        if self._refused and not self._answered:
            self._give_up()
        self._store_refused()

    def _store_refused(self) -> None:
        for key, answer in self._refused:
            self._store.add(key, answer)
        self._refused = []

    def _give_up(self) -> None:
        last = self._refused[-1][1]
        raise SnowError(
            f"the server at {self._server} refused {self._refusals} requests and answered {self._answered}; the last was refused for "
            f"{last.finish_reason}: {last.text}; check the generator and its prompt in params.yaml and run again, answers are kept"
        )


class Params(Protocol):
    generator: Generator
    concurrency: int


def run(job: Job[Params]) -> dict[str, Any]:
    """requests -> generations: ask what is not answered yet, write the table."""
    generator = job.params.generator
    model, place, revision = asking.identify(generator)
    requests = read(job.input("requests"), model, generator)
    folder = job.work_root.parent / "answers" / digest.sha256(digest.canonical([model.name, model.revision]))[:16]
    with AnswerStore(folder, (request.key for request in requests)) as store:
        open_requests = [(request.key, request.question) for request in requests if request.key not in store]
        print(
            f"generate {job.instance}: {len(requests)} requests to {model.name}, {len(requests) - len(open_requests)} answered before; "
            f"the others cost at most {len(open_requests) * generator.max_tokens} tokens",
            file=sys.stderr,
        )
        if open_requests:
            bar = tqdm(total=len(open_requests), mininterval=5, unit="answer")
            with _endpoint(model, place, revision, job) as where, bar:
                asker, intake = client.connect(where), Intake(store, where.url)
                bar.unpause()  # the time that the server took to load is not the answers'
                began, tokens = time.monotonic(), 0

                def keep(key: str, answer: Answer) -> None:
                    nonlocal tokens
                    intake.take(key, answer)
                    tokens += answer.completion_tokens or 0
                    bar.set_postfix_str(f"{tokens / (time.monotonic() - began):.0f} tokens per second", refresh=False)
                    bar.update()

                client.ask_all(lambda question: client.ask(asker, question), open_requests, keep, job.params.concurrency)
                intake.close()
        return _write(job.output("generations"), requests, store, model)


def read(path: Path, model: Model, generator: Generator) -> list[Asked]:
    """The requests of a table, in its order. SnowError when they were made for another generator."""
    asked = []
    for row in read_rows(path):
        question = asking.question(model, row["prompt"], row["draw"], generator)
        if question.key != row["key"]:
            raise SnowError(f"{path} has requests to another generator than {model.name} as params.yaml has it; run `snow requests` again")
        asked.append(Asked(row["request"], row["language"], row["document"], row["seed"], row["key"], question))
    return asked


@contextlib.contextmanager
def _endpoint(model: Model, weights: str, revision: str | None, job: Job[Params]) -> Iterator[endpoint.Endpoint]:
    generator = job.params.generator
    if generator.backend == "openai":
        yield endpoint.external()
        return
    serving = {
        "backend": generator.backend,
        "weights": weights,
        "name": model.name,
        "revision": revision,
        "context_tokens": generator.context_tokens,
        "concurrency": job.params.concurrency,
        "threads": job.threads,
        "tensor_parallel": generator.tensor_parallel,
        "data_parallel": generator.data_parallel,
    }
    with endpoint.started(serving, job.work / "server.log") as started:
        yield started


def _write(path: Path, requests: Sequence[Asked], store: AnswerStore, model: Model) -> dict[str, Any]:
    """The table, and the receipt's facts about it."""
    finished: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    tokens = empty = 0
    with TableWriter(path, GENERATIONS) as table:
        for request in requests:
            answer = store.get(request.key)
            finished[answer.finish_reason] += 1
            languages[request.language] += 1
            empty += not answer.text.strip()
            tokens += answer.completion_tokens or 0
            drawn = {"request": request.number, "language": request.language, "document": request.document, "seed": request.seed}
            sent = {"key": request.key, "prompt": request.question.prompt, "model": model.name, "revision": model.revision}
            table.write(drawn | sent | asdict(answer))
    return {
        "requests": len(requests),
        "finished": dict(sorted(finished.items())),
        "empty": empty,
        "languages": dict(sorted(languages.items())),
        "completion_tokens": tokens,
        "model": model.name,
        "revision": model.revision,
    }
