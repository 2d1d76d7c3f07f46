"""What the recipe is made of: for every stage, the jobs that a set of params asks for, with the files and params keys of each.

One function per stage, named in its row of `snow.stages`. Folders are named after the sections of params.yaml that declare what is in
them; what is declared and used by nothing has jobs all the same, so it can be built by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from snow.graph import Job
from snow.reserved import SCRATCH, heldout_of, tokenizer_of
from snow.suites.checkers import CHECKERS

if TYPE_CHECKING:
    from snow.params import Params

Jobs = Iterator[Job]
Files = tuple[str, ...]

SEED = {"seed": "seed"}
NOTEBOOKS = {"notebooks": "notebooks"}
HELDOUT = ("corpus/heldout.json",)
ONE_SHARD = ("00000",)  # refinement looks at all generations of a set at once and writes one file


def numbered(count: int) -> list[str]:
    """Names of shards."""
    return [f"{number:05}" for number in range(count)]


def collect(params: Params) -> Jobs:
    keys = {name: name for name in ("shards", "sources", "licenses", "languages")} | NOTEBOOKS
    for shard in numbered(params.shards):
        made = {"documents": f"corpus/raw/{shard}.parquet", "repositories": f"corpus/repositories/{shard}.parquet"}
        yield Job("collect", shard, "corpus-raw", {}, made, keys)


def partition(params: Params) -> Jobs:
    read = {"documents": _over("corpus/raw/{}.parquet", numbered(params.shards))}
    yield Job("partition", "all", "corpus-partitioned", read, {"documents": "corpus/partitioned"}, {"shards": "shards"})


def measure(params: Params) -> Jobs:
    for shard in numbered(params.shards):
        read, made = {"documents": (f"corpus/partitioned/{shard}.parquet",)}, {"signals": f"corpus/signals/{shard}.parquet"}
        yield Job("measure", shard, "corpus-signals", read, made, {"signals": "signals"})


def filter_documents(params: Params) -> Jobs:
    for shard in numbered(params.shards):
        read = {"documents": (f"corpus/partitioned/{shard}.parquet",), "signals": (f"corpus/signals/{shard}.parquet",)}
        made = {"documents": f"corpus/filtered/{shard}.parquet", "decisions": f"corpus/decisions/{shard}.parquet"}
        yield Job("filter", shard, "corpus-filtered", read, made, {"filters": "filters", "opt_out": "opt_out"})


def redact(params: Params) -> Jobs:
    for shard in numbered(params.shards) if params.redaction else ():
        read = {"documents": (f"corpus/filtered/{shard}.parquet",)}
        made = {"documents": f"corpus/redacted/{shard}.parquet", "redactions": f"corpus/redactions/{shard}.parquet"}
        yield Job("redact", shard, "corpus-redacted", read, made, {"redaction": "redaction"})


def minhash(params: Params) -> Jobs:
    for shard in numbered(params.shards):
        read, made = {"documents": (_passed(params, shard),)}, {"signatures": f"corpus/signatures/{shard}.parquet"}
        yield Job("minhash", shard, "corpus-signatures", read, made, SEED | {"dedup": "dedup"})


def duplicates(params: Params) -> Jobs:
    read = {"signatures": _over("corpus/signatures/{}.parquet", numbered(params.shards))}
    yield Job("duplicates", "all", "corpus-duplicates", read, {"duplicates": "corpus/duplicates"}, {"dedup": "dedup"})


def unique(params: Params) -> Jobs:
    for shard in numbered(params.shards):
        read = {"documents": (_passed(params, shard),), "duplicates": (f"corpus/duplicates/{shard}.parquet",)}
        yield Job("unique", shard, "corpus-unique", read, {"documents": f"corpus/unique/{shard}.parquet"})


def suite(params: Params) -> Jobs:
    for name in params.evaluation.suites:
        yield Job("suite", name, "suites", {}, {"suite": f"suites/{name}.jsonl"}, {"suite": f"evaluation.suites.{name}"})


def decontaminate(params: Params) -> Jobs:
    for shard in numbered(params.shards):
        read = {"documents": (f"corpus/unique/{shard}.parquet",), "suites": _suites(params)}
        made = {"documents": f"corpus/decontaminated/{shard}.parquet", "matches": f"corpus/matches/{shard}.parquet"}
        yield Job("decontaminate", shard, "corpus-decontaminated", read, made, {"decontamination": "decontamination"})


def holdout(params: Params) -> Jobs:
    keys = SEED | {"fraction": "heldout.fraction", "max_bytes": "heldout.max_bytes"}
    yield Job("holdout", "all", "corpus-heldout", {"documents": _corpus(params)}, {"heldout": HELDOUT[0]}, keys)


def tokenizer(params: Params) -> Jobs:
    for name in params.tokenizers:
        read = {"documents": _corpus(params), "heldout": HELDOUT}
        folder = f"tokenizers/{name}"
        yield Job("tokenizer", name, _artifact(folder), read, {"tokenizer": folder}, SEED | {"tokenizer": f"tokenizers.{name}"})


def annotate(params: Params) -> Jobs:
    for name in params.annotators:
        read = {"documents": _corpus(params), "heldout": HELDOUT, "suites": _suites(params)}
        keys = SEED | NOTEBOOKS | {"training": f"annotators.{name}.training", "decontamination": "decontamination"}
        folder = f"quality/{name}/annotator"
        yield Job("annotate", name, _artifact(folder), read, {"annotator": folder}, keys)


def score(params: Params) -> Jobs:
    for name in params.annotators:
        for shard, documents in zip(numbered(params.shards), _corpus(params), strict=True):
            read = {"documents": (documents,), "annotator": (f"quality/{name}/annotator",)}
            made = {"scores": f"quality/{name}/scores/{shard}.parquet"}
            yield Job("score", f"{name}/{shard}", f"quality-{name}-scores", read, made, {"scoring": f"annotators.{name}.scoring"})


def select(params: Params) -> Jobs:
    for name, one in params.selections.items():
        ranked = params.selections[one.like] if one.like else one
        shards = numbered(params.shards)
        read = {
            "scores": _over(f"quality/{ranked.by}/scores/{{}}.parquet", shards),
            "index": _over(f"tokens/{ranked.among}/{{}}.index.parquet", shards),
        } | ({"like": (_selection(one.like),)} if one.like else {})
        keys = {"seed": f"selections.{name}.seed" if one.seed is not None else "seed", "selection": f"selections.{name}"}
        keys["exclude_languages"] = f"selections.{one.like or name}.exclude_languages"
        yield Job("select", name, _artifact(f"quality/selections/{name}"), read, {"selection": _selection(name)}, keys)


def requests(params: Params) -> Jobs:
    for name, one in params.synthetic.items():
        read = {"documents": _corpus(params), "selection": (_selection(one.seeds),)}
        keys = SEED | {"generator": f"generators.{one.generator}", "prompt": f"prompts.{one.prompt}"}
        keys |= {key: f"synthetic.{name}.{key}" for key in ("requests", "shards", "seed_lines")}
        keys["python_share"] = f"synthetic.{name}.refine.python_share"
        yield Job("requests", name, f"synthetic-{name}-requests", read, {"requests": f"synthetic/{name}/requests"}, keys)


def generate(params: Params) -> Jobs:
    for name, one in params.synthetic.items():
        keys = {"generator": f"generators.{one.generator}", "concurrency": f"synthetic.{name}.concurrency"}
        for shard in numbered(one.shards):
            read = {"requests": (f"synthetic/{name}/requests/{shard}.parquet",)}
            made = {"generations": f"synthetic/{name}/raw/{shard}.parquet"}
            yield Job("generate", f"{name}/{shard}", f"synthetic-{name}-raw", read, made, keys)


def refine(params: Params) -> Jobs:
    words = {name: f"dedup.{name}" for name in ("ngram", "permutations", "lowercase")}
    for name, one in params.synthetic.items():
        read = {"generations": _over(f"synthetic/{name}/raw/{{}}.parquet", numbered(one.shards)), "suites": _suites(params)}
        made = {"documents": f"synthetic/{name}/refined/{ONE_SHARD[0]}.parquet", "decisions": f"synthetic/{name}/decisions.parquet"}
        keys = SEED | NOTEBOOKS | {"refine": f"synthetic.{name}.refine", "decontamination": "decontamination"} | words
        yield Job("refine", name, f"synthetic-{name}-refined", read, made, keys)


def pack(params: Params) -> Jobs:
    for name, one in params.token_sets.items():
        synthetic = one.documents in params.synthetic
        folder = f"synthetic/{one.documents}/refined" if synthetic else "corpus/decontaminated"
        chosen = {"selection": (_selection(one.documents),)} if one.documents in params.selections else {}
        # Synthetic documents have no repository that could be held out.
        aside = {} if synthetic else {"left_out": HELDOUT}
        for shard in _token_shards(params, name):
            read = {"documents": (f"{folder}/{shard}.parquet",), **aside, **chosen, **_reader(params, one.tokenizer)}
            yield _pack(name, shard, one.grouping, read)
    readers = [tokenizer_of(params.token_sets, model) for model in params.models.values()]
    for name in dict.fromkeys([*readers, *params.evaluation.compare_with]):
        for shard, documents in zip(numbered(params.shards), _corpus(params), strict=True):
            read = {"documents": (documents,), "only": HELDOUT, **_reader(params, name)}
            yield _pack(heldout_of(name), shard, params.heldout.grouping, read)


def _pack(name: str, shard: str, grouping: str, read: Mapping[str, Files]) -> Job:
    made = {"tokens": f"tokens/{name}/{shard}.bin", "index": f"tokens/{name}/{shard}.index.parquet"}
    return Job("pack", f"{name}/{shard}", f"tokens-{name}", read, made, SEED | {"grouping": f"groupings.{grouping}"})


def _reader(params: Params, tokenizer: str) -> dict[str, Files]:
    """The tokenizer that documents are packed by, or the model of others that reads them."""
    if tokenizer in params.evaluation.compare_with:
        return {"model": (f"models/{tokenizer}",)}
    return {"tokenizer": (f"tokenizers/{tokenizer}",)}


def pretrain(params: Params) -> Jobs:
    for name, model in params.models.items():
        tokenizer = tokenizer_of(params.token_sets, model)
        read: dict[str, Files] = {}
        for used in model.shares:
            read |= {f"tokens:{used}": _tokens(params, used), f"index:{used}": _index(params, used)}
        held = heldout_of(tokenizer)
        read |= {"heldout": _tokens(params, held), "heldout_index": _index(params, held)}
        read["tokenizer"] = next(iter(_reader(params, tokenizer).values()))
        keys = {"seed": f"models.{name}.seed" if model.seed is not None else "seed", "model": f"models.{name}"}
        if model.begin_from == SCRATCH:
            keys["architecture"] = "architecture"
        else:
            read["model"] = (f"models/{model.begin_from}",)
        yield Job("pretrain", name, f"models-{name}", read, {"model": f"models/{name}"}, keys)


def obtain(params: Params) -> Jobs:
    for name in params.evaluation.compare_with:
        yield Job("obtain", name, f"models-{name}", {}, {"model": f"models/{name}"}, {"model": f"evaluation.compare_with.{name}"})


def complete(params: Params) -> Jobs:
    for model, suite in _evaluated(params):
        read = {"model": (f"models/{model}",), "suite": (f"suites/{suite}.jsonl",)}
        made = {"completions": f"eval/{model}/{suite}/completions.jsonl"}
        yield Job("complete", f"{model}/{suite}", f"eval-{model}", read, made, SEED | {"completion": "evaluation.completion"})


def judge(params: Params) -> Jobs:
    for model, suite in _evaluated(params):
        read = {"completions": (f"eval/{model}/{suite}/completions.jsonl",), "suite": (f"suites/{suite}.jsonl",)}
        made = {
            "verdicts": f"eval/{model}/{suite}/verdicts.jsonl",
            "results": f"eval/{model}/{suite}/completions_eval_results.json",
        }
        seen = {"judging": "evaluation.judging", "checker": f"evaluation.suites.{suite}.checker", "limit": "evaluation.completion.limit"}
        yield Job("judge", f"{model}/{suite}", f"eval-{model}", read, made, seen, _judged_in(params, suite))


def _judged_in(params: Params, suite: str) -> str | None:
    """The environment of a suite's checker, None where it is the stage's."""
    return CHECKERS[params.evaluation.suites[suite].checker].env


def bits(params: Params) -> Jobs:
    readers = {name: tokenizer_of(params.token_sets, model) for name, model in params.models.items()}
    for model, reader in (readers | {name: name for name in params.evaluation.compare_with}).items():
        held = heldout_of(reader)
        read = {"model": (f"models/{model}",), "suites": _suites(params)}
        read |= {"tokens": _tokens(params, held), "index": _index(params, held)}
        yield Job("bits", model, f"eval-{model}", read, {"bits": f"eval/{model}/bits.json"}, {"bits": "evaluation.bits"})


def mutate(params: Params) -> Jobs:
    for name in params.evaluation.suites:
        read, made = {"suite": (f"suites/{name}.jsonl",)}, {"mutants": f"mutants/{name}.jsonl"}
        keys = SEED | {key: f"evaluation.preference.{key}" for key in ("mutants", "limit")}
        keys |= {"judging": "evaluation.judging", "checker": f"evaluation.suites.{name}.checker"}
        yield Job("mutate", name, "mutants", read, made, keys, _judged_in(params, name))


def preference(params: Params) -> Jobs:
    keys = {"preference": "evaluation.preference", "sequence_length": "evaluation.bits.sequence_length"}
    for model, suite in _evaluated(params):
        read = {"model": (f"models/{model}",), "suite": (f"suites/{suite}.jsonl",), "mutants": (f"mutants/{suite}.jsonl",)}
        made = {"preference": f"eval/{model}/{suite}/preference.jsonl"}
        yield Job("preference", f"{model}/{suite}", f"eval-{model}", read, made, keys)


def report(params: Params, before: Iterable[Job]) -> Job:
    """The one job that reads of all others: `before` are those."""
    shards = numbered(params.shards)
    read = {
        "receipts": tuple(f"receipts/{stage}" for stage in dict.fromkeys(job.stage for job in before)),
        "logs": _over("models/{}/log.jsonl", params.models),
        "scores": tuple(f"quality/{name}/scores/{shard}.parquet" for name in params.annotators for shard in shards),
        "matches": _over("corpus/matches/{}.parquet", shards),
        "bits": _over("eval/{}/bits.json", _measured(params)),
        "verdicts": tuple(f"eval/{model}/{suite}/verdicts.jsonl" for model, suite in _evaluated(params)),
    }
    declared = ("annotators", "selections", "synthetic", "token_sets", "models")
    seen = {name: name for name in ("report", *declared)} | {"compare_with": "evaluation.compare_with"}
    return Job("report", "all", "report", read, {"report": "report"}, seen)


def _over(pattern: str, names: Iterable[str]) -> Files:
    return tuple(pattern.format(name) for name in names)


def _artifact(path: str) -> str:
    return path.replace("/", "-")


def _passed(params: Params, shard: str) -> str:
    """The documents that passed the filters, as deduplication sees them."""
    return f"corpus/{'redacted' if params.redaction else 'filtered'}/{shard}.parquet"


def _suites(params: Params) -> Files:
    return _over("suites/{}.jsonl", params.evaluation.suites)


def _corpus(params: Params) -> Files:
    return _over("corpus/decontaminated/{}.parquet", numbered(params.shards))


def _selection(name: str) -> str:
    return f"quality/selections/{name}/documents.parquet"


def _evaluated(params: Params) -> Iterator[tuple[str, str]]:
    return ((model, suite) for model in _measured(params) for suite in params.evaluation.suites)


def _measured(params: Params) -> list[str]:
    return [*params.models, *params.evaluation.compare_with]


def _token_shards(params: Params, name: str) -> Iterable[str]:
    synthetic = name in params.token_sets and params.token_sets[name].documents in params.synthetic
    return ONE_SHARD if synthetic else numbered(params.shards)


def _tokens(params: Params, name: str) -> Files:
    return _over(f"tokens/{name}/{{}}.bin", _token_shards(params, name))


def _index(params: Params, name: str) -> Files:
    return _over(f"tokens/{name}/{{}}.index.parquet", _token_shards(params, name))
