"""Every job of the toy recipe."""

from __future__ import annotations

from collections.abc import Iterator

from snow.graph import Graph, Job
from snow.params import Params

MODELS = ("a", "b")


def shards(params: Params) -> list[str]:
    """Names of the shards."""
    return [f"{number:05}" for number in range(params.shards)]


def suites(params: Params) -> list[str]:
    """Names of the suites."""
    return list(params.suites)


def graph(params: Params) -> Graph:
    """The graph of the recipe with these params."""
    jobs = [*_corpus(params), *_models(params)]
    read = {
        "receipts": tuple(f"receipts/{stage}" for stage in dict.fromkeys(job.stage for job in jobs)),
        "logs": tuple(f"models/{model}/log.txt" for model in MODELS),
        "verdicts": tuple(f"eval/{model}/{suite}/verdicts.txt" for model in MODELS for suite in suites(params)),
    }
    return Graph([*jobs, Job("report", "all", "report", read, {"report": "report"})])


def _suite_files(params: Params) -> tuple[str, ...]:
    return tuple(f"suites/{suite}.txt" for suite in suites(params))


def _corpus(params: Params) -> Iterator[Job]:
    every, tests = shards(params), _suite_files(params)
    for name in every:
        raw, shaped, merged = f"corpus/raw/{name}.txt", f"corpus/shaped/{name}.txt", f"corpus/merged/{name}.txt"
        yield Job("gather", name, "corpus-raw", {}, {"documents": raw})
        made = {"documents": shaped, "decisions": f"corpus/decisions/{name}.txt"}
        yield Job("shape", name, "corpus-shaped", {"documents": (raw,)}, made)
        read = {"documents": (shaped,), "merged": (merged,), "suites": tests}
        yield Job("screen", name, "corpus-screened", read, {"documents": f"corpus/screened/{name}.txt"})
    read = {"documents": tuple(f"corpus/shaped/{name}.txt" for name in every)}
    yield Job("merge", "all", "corpus-merged", read, {"merged": "corpus/merged"})
    for suite in suites(params):
        yield Job("suite", suite, "suites", {}, {"suite": f"suites/{suite}.txt"})


def _models(params: Params) -> Iterator[Job]:
    documents = tuple(f"corpus/screened/{name}.txt" for name in shards(params))
    for model in MODELS:
        begin = getattr(params.train, model).begin_from
        read = {"documents": documents, "model": () if begin == "scratch" else (f"models/{begin}",)}
        yield Job("train", model, f"models-{model}", read, {"model": f"models/{model}"})
        for suite in suites(params):
            read = {"model": (f"models/{model}",), "suite": (f"suites/{suite}.txt",)}
            verdicts = {"verdicts": f"eval/{model}/{suite}/verdicts.txt"}
            yield Job("judge", f"{model}/{suite}", f"eval-{model}", read, verdicts)
