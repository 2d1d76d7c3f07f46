"""Every job of the recipe. `snow check` holds this against the rules, command line by command line, and against dvc.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from snow.graph import Graph, Job
from snow.params import Params

MODELS = ("phase1", "phase2", "control", "phase3")
CORPUS_PARTS = ("heldout", "phase1", "phase2", "control")  # packed from the corpus; phase 3 from what the generator wrote
SYNTHETIC_SHARD = "00000"  # refinement looks at all generations at once and writes one file
CHOSEN = {"phase2": "quality/selected.parquet", "control": "quality/control.parquet"}  # the documents of a part; others take all


def shards(params: Params) -> list[str]:
    """Names of the corpus shards."""
    return [f"{number:05}" for number in range(params.shards)]


def generations(params: Params) -> list[str]:
    """Names of the generation shards."""
    return [f"{number:05}" for number in range(params.synthesis.shards)]


def suites(params: Params) -> list[str]:
    """Names of the benchmark suites."""
    return list(params.evaluation.suites)


def graph(params: Params) -> Graph:
    """The graph of the recipe with these params."""
    jobs = [*_corpus(params), *_tokens(params), *_models(params), *_quality(params), *_synthesis(params), *_evaluation(params)]
    return Graph([*jobs, _report(params, jobs)])


def _over(pattern: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(pattern.format(name) for name in names)


def _suite_files(params: Params) -> tuple[str, ...]:
    return _over("suites/{}.jsonl", suites(params))


def _corpus_files(params: Params) -> tuple[str, ...]:
    return _over("corpus/decontaminated/{}.parquet", shards(params))


def _corpus(params: Params) -> Iterator[Job]:
    """From sources to decontaminated documents, and the held-out choice."""
    every, benchmarks = shards(params), _suite_files(params)
    for name in every:
        raw, signals, clean = f"corpus/raw/{name}.parquet", f"corpus/signals/{name}.parquet", f"corpus/clean/{name}.parquet"
        signatures, unique, ours = (f"corpus/{kind}/{name}.parquet" for kind in ("signatures", "unique", "decontaminated"))
        both = {"documents": (raw,), "signals": (signals,)}
        kept = {"documents": clean, "decisions": f"corpus/decisions/{name}.parquet"}
        survivors = {"documents": (clean,), "clusters": (f"corpus/clusters/{name}.parquet",)}
        yield Job("collect", name, "corpus-raw", {}, {"documents": raw})
        yield Job("measure", name, "corpus-signals", {"documents": (raw,)}, {"signals": signals})
        yield Job("clean", name, "corpus-clean", both, kept)
        yield Job("sign", name, "corpus-signatures", {"documents": (clean,)}, {"signatures": signatures})
        yield Job("unique", name, "corpus-unique", survivors, {"documents": unique})
        found = {"documents": ours, "ledger": f"corpus/ledger/{name}.parquet"}
        yield Job("decontaminate", name, "corpus-decontaminated", {"documents": (unique,), "suites": benchmarks}, found)
    signed = _over("corpus/signatures/{}.parquet", every)
    yield Job("cluster", "all", "corpus-clusters", {"signatures": signed}, {"clusters": "corpus/clusters"})
    for name in suites(params):
        yield Job("suite", name, "suites", {}, {"suite": f"suites/{name}.jsonl"})
    yield Job("split", "all", "corpus-heldout", {"documents": _corpus_files(params)}, {"heldout": "corpus/heldout.json"})


def _tokens(params: Params) -> Iterator[Job]:
    """The tokenizer, and the packed tokens of every part."""
    heldout = {"heldout": ("corpus/heldout.json",)}
    yield Job("tokenizer", "all", "tokenizer", {"documents": _corpus_files(params)} | heldout, {"tokenizer": "tokenizer"})
    documents = dict.fromkeys(CORPUS_PARTS, "corpus/decontaminated") | {"phase3": "synthetic/refined"}
    for part, folder in documents.items():
        for name in _token_shards(params, part):
            chosen = {"selection": (CHOSEN[part],) if part in CHOSEN else ()}
            read = {"documents": (f"{folder}/{name}.parquet",), **heldout, "tokenizer": ("tokenizer",), **chosen}
            packed = {"tokens": f"tokens/{part}/{name}.bin", "index": f"tokens/{part}/{name}.index.parquet"}
            yield Job("pack", f"{part}/{name}", f"tokens-{part}", read, packed)


def _token_shards(params: Params, part: str) -> list[str]:
    return [SYNTHETIC_SHARD] if part == "phase3" else shards(params)


def _models(params: Params) -> Iterator[Job]:
    for model in MODELS:
        mine, held = _token_shards(params, model), shards(params)
        begin = getattr(params.pretrain, model).begin_from
        read = {
            "tokens": _over(f"tokens/{model}/{{}}.bin", mine),
            "index": _over(f"tokens/{model}/{{}}.index.parquet", mine),
            "heldout": _over("tokens/heldout/{}.bin", held),
            "heldout_index": _over("tokens/heldout/{}.index.parquet", held),
            "tokenizer": ("tokenizer",),
            "model": () if begin == "scratch" else (f"models/{begin}",),
        }
        yield Job("pretrain", model, f"models-{model}", read, {"model": f"models/{model}"})


def _quality(params: Params) -> Iterator[Job]:
    """The annotator, its scores, and what is chosen by them."""
    every, documents = shards(params), _corpus_files(params)
    read = {"documents": documents, "heldout": ("corpus/heldout.json",), "suites": _suite_files(params)}
    yield Job("annotate", "all", "quality-annotator", read, {"annotator": "quality/annotator"})
    for name, file in zip(every, documents, strict=True):
        scores = {"scores": f"quality/scores/{name}.parquet"}
        yield Job("score", name, "quality-scores", {"documents": (file,), "annotator": ("quality/annotator",)}, scores)
    read = {"scores": _over("quality/scores/{}.parquet", every), "index": _over("tokens/phase1/{}.index.parquet", every)}
    yield Job("select", "all", "quality-selected", read, {"selected": CHOSEN["phase2"], "control": CHOSEN["control"]})


def _synthesis(params: Params) -> Iterator[Job]:
    """What the large model writes, and what of it is kept."""
    names = generations(params)
    read = {"documents": _corpus_files(params), "selected": (CHOSEN["phase2"],)}
    for name in names:
        yield Job("generate", name, "synthetic-raw", read, {"generations": f"synthetic/raw/{name}.parquet"})
    read = {"generations": _over("synthetic/raw/{}.parquet", names), "suites": _suite_files(params)}
    kept = {"documents": f"synthetic/refined/{SYNTHETIC_SHARD}.parquet", "decisions": "synthetic/decisions.parquet"}
    yield Job("refine", "all", "synthetic-refined", read, kept)


def _evaluation(params: Params) -> Iterator[Job]:
    every = shards(params)
    for model in MODELS:
        folder, weights = f"eval/{model}", {"model": (f"models/{model}",)}
        for suite in suites(params):
            tasks = {"suite": (f"suites/{suite}.jsonl",)}
            answers = f"{folder}/{suite}/completions.jsonl"
            yield Job("complete", f"{model}/{suite}", f"eval-{model}", weights | tasks, {"completions": answers})
            verdicts = {"verdicts": f"{folder}/{suite}/verdicts.jsonl"}
            yield Job("judge", f"{model}/{suite}", f"eval-{model}", {"completions": (answers,)} | tasks, verdicts)
        heldout = {"tokens": _over("tokens/heldout/{}.bin", every), "index": _over("tokens/heldout/{}.index.parquet", every)}
        yield Job("bits", model, f"eval-{model}", {**weights, "suites": _suite_files(params), **heldout}, {"bits": f"{folder}/bits.json"})


def _report(params: Params, jobs: Iterable[Job]) -> Job:
    read = {
        "receipts": tuple(f"receipts/{stage}" for stage in dict.fromkeys(job.stage for job in jobs)),
        "logs": _over("models/{}/log.jsonl", MODELS),
        "scores": _over("quality/scores/{}.parquet", shards(params)),
        "bits": _over("eval/{}/bits.json", MODELS),
        "verdicts": tuple(f"eval/{model}/{suite}/verdicts.jsonl" for model in MODELS for suite in suites(params)),
    }
    return Job("report", "all", "report", read, {"report": "report"})
