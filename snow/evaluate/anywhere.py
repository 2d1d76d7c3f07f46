"""`snow evaluate MODEL`: any model on suites of params.yaml, outside the recipe, in a folder of its own.

The jobs are the recipe's, with its params, as it would have them if the model were named under `evaluation.compare_with`; their
files lie in the folder as they would lie in the recipe. What is there and has the key it would have now is not done again.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from snow import job, packaged, pinned
from snow import params as settings
from snow.caching import hashes, spec
from snow.console.columns import aligned
from snow.errors import SnowError
from snow.evaluate import protocols
from snow.params import Params
from snow.report.format import count, decimal, percent, size
from snow.report.passing import rates
from snow.reserved import SCRATCH
from snow.stages import stage
from snow.suites.tasks import read_suite

FOLDER = Path("evaluations")
HELD = ("tokens", "index")  # inputs of `bits` that only the recipe has


@dataclass(frozen=True)
class Evaluation:
    """A model by the name its jobs have, the params they have, and the folder with their files; `own`: it is one of the recipe's."""

    name: str
    params: Params
    folder: Path
    own: bool

    def place(self, path: str) -> Path:
        """Where a file of the recipe lies here."""
        return Path(path) if self.own and path == f"models/{self.name}" else self.folder / path

    def ensure(self, name: str, instance: str) -> bool:
        """Whether a job's outputs are there in the end; it is run, and says itself why it fails, unless they were there before."""
        planned = stage(name).job(self.params, instance)
        read = {each: tuple(map(self.place, paths)) for each, paths in planned.inputs.items() if name != "bits" or each not in HELD}
        made = {each: self.place(path) for each, path in {**planned.outputs, job.RECEIPT: planned.receipt}.items()}
        threads = len(os.sched_getaffinity(0))
        if self._holds(job.call(stage(name), instance, self.params, read, made, threads)):
            print(f"snow evaluate: {planned.name} is there already", file=sys.stderr)
            return True
        words = ["--params", self.folder / "params.yaml", "--threads", threads]
        words += [word for each, paths in read.items() for word in ("--input", each, *paths)]
        words += [word for each, path in made.items() for word in ("--output", each, path)]
        command = [sys.executable, "-m", "snow", name, instance, *map(str, words)]
        return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0  # what is printed here is the table

    def _holds(self, asked: job.Call) -> bool:
        try:
            told = json.loads(asked.outputs[job.RECEIPT].read_text())
            now = dict(asked.spec)
            if "sources" in now:  # a hub name that nobody knows here and now stands for what it stood for
                now["sources"] = spec.filled(told["spec"]["sources"], now["sources"])
            contents = {each: [asked.contents[path].md5 for path in paths] for each, paths in asked.inputs.items()}
            unchanged = told["key"] == spec.key(now, asked.job.instance, contents)
            return unchanged and all(hashes.content(Path(path)).md5 == md5 for path, md5 in told["outputs"].values())
        except (OSError, ValueError, KeyError):
            return False

    def facts(self, name: str, instance: str) -> dict[str, Any]:
        """What a finished job recorded."""
        return json.loads(self.place(stage(name).job(self.params, instance).receipt).read_text())["facts"]


def run(params: Params, model: str, suites: Sequence[str] | None, out: Path | None, limit: int | None) -> int:
    """Evaluate and print the results; 0 when everything was judged and scored, else 1. SnowError for what cannot even begin."""
    pinned.begin()
    asked = prepare(params, model, suites, out, limit)
    names = list(asked.params.evaluation.suites)
    if not all(asked.ensure("suite", name) for name in names):
        return 1
    print("\n".join(costs(asked)), flush=True)
    if not (asked.own or asked.ensure("obtain", asked.name)):
        return 1
    judged = [name for name in names if all(asked.ensure(step, f"{asked.name}/{name}") for step in ("complete", "judge"))]
    scored = asked.ensure("bits", asked.name)
    print("\n".join(table(asked, judged, scored)))
    return 0 if judged == names and scored else 1


def prepare(params: Params, model: str, suites: Sequence[str] | None, out: Path | None, limit: int | None) -> Evaluation:
    """The evaluation that was asked for, its params written into its folder. SnowError for a suite that params.yaml does not have, or
    an arm that is not trained."""
    known = params.evaluation.suites
    for name in suites or ():
        if name not in known:
            raise SnowError(f"there is no suite {name!r} under evaluation.suites; it has {', '.join(known) or 'none'}")
    values = params.model_dump(mode="json")
    own = model in params.models or model in params.evaluation.compare_with
    if own and not Path("models", model).exists():
        raise SnowError(f"models/{model} is not made yet; make it with `snakemake models-{model}`")
    changed = values["evaluation"]
    changed["suites"] = {name: changed["suites"][name] for name in suites or known}
    if limit is not None:
        changed["completion"]["limit"] = limit
    name = model
    if not own:
        reference, revision = (model, None) if packaged.is_local(model) else (*model.split("@", 1), None)[:2]
        name = _name(params, Path(model).expanduser().resolve().name if Path(model).expanduser().exists() else model)
        changed["compare_with"] = {name: {"pretrained": reference, "revision": revision}}
    checked, folder = settings.check(values, "params.yaml with these options"), out or FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    return Evaluation(name, checked, folder, own)


def _name(params: Params, reference: str) -> str:
    """A name for a model that is none of the recipe's, from what it was asked for by."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", reference).strip("-_") or "model"
    return f"other-{name}" if name in {*params.models, *params.tokenizers, SCRATCH} else name


def costs(asked: Evaluation) -> Iterator[str]:
    """What is to be done, before it is."""
    completion = asked.params.evaluation.completion
    yield f"{asked.name} into {asked.folder}:"
    for name in asked.params.evaluation.suites:
        tasks = read_suite(asked.place(f"suites/{name}.jsonl"))
        prompts = [len(task.prompt.encode()) for task in tasks[: completion.limit]]
        new = len(prompts) * completion.samples * (completion.max_new_tokens or protocols.of(tasks[0].kind).max_new_tokens)
        yield (
            f"  {name}: {count(len(prompts))} prompts, {size(sum(prompts))}, at most {count(new)} new tokens; "
            f"bits per byte of {count(len(tasks))} solutions, {size(sum(len(task.solution.encode()) for task in tasks))}"
        )


def table(asked: Evaluation, judged: Sequence[str], scored: bool) -> Iterator[str]:
    """pass@1 of every part of every suite that was judged, with its interval, and bits per byte of the suite's solutions."""
    suites = list(asked.params.evaluation.suites)
    bits = asked.facts("bits", asked.name)["suites"] if scored else {}
    rows = [("suite", "tests", "pass@1", "95% interval", "passed", "samples", "bits per byte")]
    for name in suites:
        of = decimal(bits[name]["bits_per_byte"]) if name in bits else "not scored"
        if name not in judged:
            rows.append((name, "not judged", "", "", "", "", of))
            continue
        for part, rate in rates(asked.facts("judge", f"{asked.name}/{name}")).items():
            interval = f"{percent(rate['low'])} to {percent(rate['high'])}"
            rows.append((name, part, percent(rate["value"]), interval, count(rate["passed"]), count(rate["samples"]), of))
    yield from aligned(rows, right=range(2, 7))
    if (limit := asked.params.evaluation.completion.limit) is not None:
        yield f"Only the first {count(limit)} tasks of each suite were tried: such a rate is not the suite's pass@1."
