"""Every job of the toy recipe, in the real one's manner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from snow.graph import Job

if TYPE_CHECKING:
    from snow.params import Params

Jobs = Iterator[Job]
Files = tuple[str, ...]


def numbered(count: int) -> list[str]:
    """Names of shards."""
    return [f"{number:05}" for number in range(count)]


def gather(params: Params) -> Jobs:
    for shard in numbered(params.shards):
        keys = {name: name for name in ("shards", "sources")}
        yield Job("gather", shard, "corpus-raw", {}, {"documents": f"corpus/raw/{shard}.txt"}, keys)


def shape(params: Params) -> Jobs:
    for shard in numbered(params.shards):
        made = {"documents": f"corpus/shaped/{shard}.txt", "decisions": f"corpus/decisions/{shard}.txt"}
        yield Job("shape", shard, "corpus-shaped", {"documents": (f"corpus/raw/{shard}.txt",)}, made, {"shape": "shape"})


def merge(params: Params) -> Jobs:
    read = {"documents": _over("corpus/shaped/{}.txt", numbered(params.shards))}
    yield Job("merge", "all", "corpus-merged", read, {"merged": "corpus/merged"})


def suite(params: Params) -> Jobs:
    for name in params.suites:
        yield Job("suite", name, "suites", {}, {"suite": f"suites/{name}.txt"}, {"suite": f"suites.{name}"})


def screen(params: Params) -> Jobs:
    for shard in numbered(params.shards):
        read = {
            "documents": (f"corpus/shaped/{shard}.txt",),
            "merged": (f"corpus/merged/{shard}.txt",),
            "suites": _over("suites/{}.txt", params.suites),
        }
        yield Job("screen", shard, "corpus-screened", read, {"documents": f"corpus/screened/{shard}.txt"}, {"screen": "screen"})


def pack(params: Params) -> Jobs:
    for name in params.token_sets:
        for shard in numbered(params.shards):
            read, made = {"documents": (f"corpus/screened/{shard}.txt",)}, {"tokens": f"tokens/{name}/{shard}.txt"}
            yield Job("pack", f"{name}/{shard}", f"tokens-{name}", read, made, {"set": f"token_sets.{name}"})


def train(params: Params) -> Jobs:
    for name, model in params.models.items():
        read = {f"tokens:{used}": _over(f"tokens/{used}/{{}}.txt", numbered(params.shards)) for used in model.shares}
        if model.begin_from != "scratch":
            read["model"] = (f"models/{model.begin_from}",)
        yield Job("train", name, f"models-{name}", read, {"model": f"models/{name}"}, {"model": f"models.{name}"})


def judge(params: Params) -> Jobs:
    for model, suite in _judged(params):
        read = {"model": (f"models/{model}",), "suite": (f"suites/{suite}.txt",)}
        yield Job("judge", f"{model}/{suite}", f"eval-{model}", read, {"verdicts": _verdicts(model, suite)}, {"judge": "judge"})


def report(params: Params, before: Iterable[Job]) -> Job:
    """The one job that reads of all others: `before` are those."""
    read = {
        "receipts": tuple(f"receipts/{stage}" for stage in dict.fromkeys(job.stage for job in before)),
        "logs": _over("models/{}/log.txt", params.models),
        "verdicts": tuple(_verdicts(model, suite) for model, suite in _judged(params)),
    }
    keys = {name: name for name in ("report", "token_sets", "models")}
    return Job("report", "all", "report", read, {"report": "report"}, keys)


def _over(pattern: str, names: Iterable[str]) -> Files:
    return tuple(pattern.format(name) for name in names)


def _judged(params: Params) -> Iterator[tuple[str, str]]:
    return ((model, suite) for model in params.models for suite in params.suites)


def _verdicts(model: str, suite: str) -> str:
    return f"eval/{model}/{suite}/verdicts.txt"
