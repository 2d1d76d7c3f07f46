"""Synthetic code, asked for: OSS-Instruct's idea [P 2.4] with seeds from the selected documents, one chat request per file.

Generation is a measurement: the answers live in `.snow/answers/`, outside any job's own folder, and the table is a function of
them. A killed run, a changed concurrency or a larger number of requests asks only what was not answered yet.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from snow import digest, hub, packaged, prompts
from snow.caching import hashes
from snow.errors import SnowError
from snow.synthesis import client, endpoint, seeds
from snow.synthesis.answers import Answer, AnswerStore, Model, Question, Sampling
from snow.tables import TableWriter, read_batches

if TYPE_CHECKING:
    from snow.arms import Generator, Synthetic
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
class Draw:
    """A request before its document is read."""

    number: int
    language: str
    document: str
    shard: int


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
    seed: int
    synthetic: Synthetic
    generator: Generator
    prompt: str


def run(job: Job[Params]) -> dict[str, Any]:
    """One shard of a set's requests, `request % shards == instance`'s number: ask what is not answered yet, write the table."""
    options, generator, seed = job.params.synthetic, job.params.generator, job.params.seed
    model, place, revision = identify(generator)
    draws = plan(_selected(job.input("selection")), options, seed, int(job.instance.rpartition("/")[2]))
    requests = compose(draws, job.inputs["documents"], model, job.params)
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

                def keep(key: str, answer: Answer) -> None:
                    intake.take(key, answer)
                    bar.update()

                client.ask_all(lambda question: client.ask(asker, question), open_requests, keep, options.concurrency)
                intake.close()
        return _write(job.output("generations"), requests, store)


def identify(generator: Generator) -> tuple[Model, str, str | None]:
    """Who answers, and what a server of ours loads: a local path, or a hub name at a revision. Local weights are named by their file
    and their content, those of the hub by their commit."""
    reference = generator.model
    if generator.backend == "openai":
        return Model(reference, generator.revision), reference, generator.revision
    if generator.backend == "vllm" and not packaged.is_local(reference):
        name, commit = hub.source("model", reference, generator.revision)
        return Model(name, commit), name, commit
    path = packaged.locate(reference)
    if generator.backend == "llamacpp" and path.suffix != ".gguf":
        raise SnowError(f"the generator's model {reference} is {path.name}, but the backend llamacpp needs a .gguf file")
    return Model(path.stem if path.is_file() else path.name, f"md5:{hashes.visible(path)}"), str(path), None


def plan(selected: Mapping[str, pa.Table], options: Synthetic, seed: int, shard: int) -> list[Draw]:
    """This shard's requests: language and document of each. `selected` maps a language to its rows (id, shard, tokens), in order."""
    tokens = {language: pc.sum(rows["tokens"]).as_py() for language, rows in selected.items()}
    shares = seeds.language_shares(tokens, options.refine.python_share)
    if not shares:
        raise SnowError("there are no selected documents to take seeds from; raise the tokens of their selection")
    draws = []
    for number, (language, turn) in zip(range(options.requests), seeds.languages(shares), strict=False):
        if number % options.shards == shard:
            rows = selected[language]
            row = seeds.position(turn, len(rows), seed, language)
            draws.append(Draw(number, language, rows["id"][row].as_py(), rows["shard"][row].as_py()))
    return draws


def compose(draws: Sequence[Draw], documents: Sequence[Path], model: Model, params: Params) -> list[Asked]:
    """Read the drawn documents and turn each draw into its request, in order of number. Memory: seeds, and one row group."""
    generator, seed = params.generator, params.seed
    room = prompts.seed_bytes(params.prompt, generator.context_tokens, generator.max_tokens)
    by_shard: dict[int, dict[str, list[Draw]]] = {}
    for one in draws:
        by_shard.setdefault(one.shard, {}).setdefault(one.document, []).append(one)
    requests: list[Asked] = []
    for shard, by_document in sorted(by_shard.items()):
        if shard >= len(documents):
            raise SnowError(f"the selection names shard {shard}, but only {len(documents)} shards were given; run `snow select` again")
        for document, content in _contents(documents[shard], set(by_document)):
            for one in by_document[document]:
                text = seeds.snippet(content, params.synthetic.seed_lines, room, seed, one.number)
                drawn = seeds.draw(2**31, "sampling", seed, one.number)
                sampling = Sampling(generator.temperature, generator.top_p, generator.max_tokens, drawn)
                question = Question(model, seeds.render(params.prompt, one.language, text), sampling)
                requests.append(Asked(one.number, one.language, document, text, question.key, question))
    return sorted(requests, key=lambda request: request.number)


def _selected(path: Path) -> dict[str, pa.Table]:
    batches = list(read_batches(path, ["id", "shard", "language", "tokens"]))
    if not batches:
        return {}
    table = pa.Table.from_batches(batches).combine_chunks()
    return {language: table.filter(pc.field("language") == language) for language in sorted(pc.unique(table["language"]).to_pylist())}


def _contents(path: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """(id, content) of the wanted documents; only row groups that hold one are decoded. SnowError when one is not there."""
    missing = set(wanted)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["id"])["id"].to_pylist()
            if missing.isdisjoint(ids):
                continue
            table = file.read_row_group(group, columns=["content"])
            for row, document in enumerate(ids):
                if document in missing:
                    missing.remove(document)
                    yield document, table["content"][row].as_py()
    if missing:
        raise SnowError(f"{path} has no document {min(missing)}, which the selection names; run `snow select` again")


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
        "concurrency": job.params.synthetic.concurrency,
        "threads": job.threads,
    }
    with endpoint.started(serving, job.work / "server.log") as started:
        yield started


def _write(path: Path, requests: Sequence[Asked], store: AnswerStore) -> dict[str, Any]:
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
            asked, model = request.question, request.question.model
            drawn = {"request": request.number, "language": request.language, "document": request.document, "seed": request.seed}
            sent = {"key": request.key, "prompt": asked.prompt, "model": model.name, "revision": model.revision}
            table.write(drawn | sent | asdict(answer))
    return {
        "requests": len(requests),
        "finished": dict(sorted(finished.items())),
        "empty": empty,
        "languages": dict(sorted(languages.items())),
        "seed_documents": len({request.document for request in requests}),
        "completion_tokens": tokens,
        "model": requests[0].question.model.name if requests else None,
        "revision": requests[0].question.model.revision if requests else None,
    }
