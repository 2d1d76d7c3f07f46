"""`snow plan`: what a run would do and what it would cost, before it does it (docs/planning.md).

What jobs took in this clone counts first, then the table of unit costs; sizes come from receipts where there are any, else from the
sources and shares of what comes before. Jobs that only wait for others count in full: whether their inputs come out different is not
known before.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from snow import overlay
from snow import params as settings
from snow.caching import why
from snow.caching.ledger import Ledger, Verdict
from snow.caching.store import configured
from snow.params import Params
from snow.planning import estimate, proportions, training
from snow.planning.estimate import Line, Machine
from snow.planning.proportions import Proportion
from snow.planning.work import GPU_STAGES, Work


@dataclass(frozen=True)
class Asked:
    """The options of the command."""

    params: Path
    overlays: Sequence[Path]
    config: Sequence[str]
    cores: int | None
    gpus: int | None
    gpu: str
    gpu_price: float | None
    as_json: bool


def run(asked: Asked) -> int:
    """Print the plan; 0 when nothing would run, 1 otherwise."""
    base = settings.read(asked.params)
    params = merged(base, asked)
    expected = estimate.here(params, asked.cores, asked.gpus or _gpus(), asked.gpu)
    seen, work, machine = expected.seen, expected.work, expected.machine
    alarms = warnings(seen)
    if all(verdict.state == "current" for verdict in seen.verdicts.values()):
        print(json.dumps({"stages": [], "warnings": alarms}) if asked.as_json else "nothing to do")
        return 0
    if asked.overlays or asked.config:  # what ran here was of params.yaml
        known = _ratios_of(settings.check(base, str(asked.params)), machine, work.on_gpus) | dict(expected.known)
        expected = replace(expected, known=known)
    found, wall = expected.lines()
    plan = Plan(found, wall, machine, work, proportions.of(params, work.sizes), alarms, asked.gpu_price)
    print(json.dumps(plan.told(), indent=1) if asked.as_json else "\n".join(plan.text()))
    return 1


def merged(base: Any, asked: Asked) -> Params:
    """The params as Snakemake merges them: files in order, then `--config`."""
    values = base
    for path in asked.overlays:
        values = overlay.merged(values, settings.read(path))
    if asked.config:
        from snow import snakemake_run

        values = overlay.merged(values, snakemake_run.config(asked.config))
    return settings.check(values, " + ".join(map(str, (asked.params, *asked.overlays))))


def _ratios_of(params: Params, machine: Machine, on_gpus: bool) -> dict[str, float]:
    """What the jobs of other params tell of the stages that run on the same kind of processors."""
    other = estimate.here(params, machine.cores, machine.gpus, machine.kind)
    return {stage: ratio for stage, ratio in other.known.items() if stage not in GPU_STAGES or other.work.on_gpus == on_gpus}


def _gpus() -> int:
    """GPUs of this machine, at least one: a plan for GPUs is read on machines that have none."""
    return max(1, len(list(Path("/dev").glob("nvidia[0-9]*"))))


def warnings(seen: Ledger) -> list[str]:
    """Edits that train again, or may, said before they do."""
    verdicts = {f"{verdict.stage} {verdict.instance}": verdict for verdict in why.verdicts(seen)}
    found = []
    for verdict in verdicts.values():
        if verdict.stage != "pretrain" or verdict.state not in ("outdated", "waiting"):
            continue
        roots = [verdict] if verdict.causes else [verdicts[name] for name in _roots(verdict, verdicts)]
        reasons = (
            "; ".join(dict.fromkeys(why.sentence(cause) for root in roots for cause in root.causes)) or "what it reads is not made yet"
        )
        unless = "" if verdict.causes else ", unless what it reads comes out the same,"
        found.append(f"warning: {verdict.instance} would be trained again{unless} ({reasons})")
    return found


def _roots(verdict: Verdict, verdicts: Mapping[str, Verdict]) -> list[str]:
    """The jobs upstream that are out of date or missing themselves."""
    seen: set[str] = set()
    queue = list(verdict.waits_for)
    while queue:
        name = queue.pop()
        if name not in seen and name in verdicts:
            seen.add(name)
            queue += verdicts[name].waits_for
    return [name for name in sorted(seen) if verdicts[name].state in ("outdated", "missing")]


@dataclass(frozen=True)
class Plan:
    """All that is said: a line per stage, seconds of the whole on a machine, the proportions, edits that train again."""

    lines: Sequence[Line]
    wall_seconds: float
    machine: Machine
    work: Work
    proportions: Sequence[Proportion]
    warnings: Sequence[str]
    gpu_price: float | None

    @property
    def gpu_hours(self) -> float:
        """Of all jobs."""
        return sum(line.gpu_seconds for line in self.lines) / 3600

    @property
    def bytes(self) -> float:
        """What all jobs leave on disk, once."""
        return sum(line.bytes for line in self.lines)

    @property
    def trainings(self) -> list[dict[str, Any]]:
        """Steps, speed and memory of every model, where any is to be trained."""
        trains = any(line.stage == "pretrain" for line in self.lines)
        return [_training(self, name) for name in self.work.params.models] if trains else []

    def told(self) -> dict[str, Any]:
        """The plan as JSON; null is not known."""
        total = {"wall_seconds": self.wall_seconds, "core_seconds": sum(line.core_seconds for line in self.lines)}
        total |= {"gpu_hours": self.gpu_hours, "bytes": self.bytes, "copied_bytes": self.bytes if _copies() else 0}
        whole = {
            "stages": [asdict(line) for line in self.lines],
            "total": total,
            "machine": asdict(self.machine),
            "training": self.trainings,
            "proportions": [asdict(one) for one in self.proportions],
            "unknown": self._unknown(),
            "warnings": list(self.warnings),
        }
        return _without_nan(whole)

    def text(self) -> list[str]:
        """The plan in lines of at most 100 characters, warnings and what is not known aside."""
        rows = [f"{'stage':<15}{'jobs':>6}{'to run':>8}{'core time':>11}{'GPU time':>11}{'wall':>9}{'disk':>10}  estimated from"]
        for line in self.lines:
            cores, gpus = (occupied(seconds) if seconds else "-" for seconds in (line.core_seconds, line.gpu_seconds))
            rows.append(
                f"{line.stage:<15}{line.jobs:>6}{line.to_run:>8}{cores:>11}{gpus:>11}{span(line.wall_seconds):>9}{size(line.bytes):>10}"
                f"  {line.basis}"
            )
        total = sum(line.core_seconds for line in self.lines)
        jobs, todo = sum(line.jobs for line in self.lines), sum(line.to_run for line in self.lines)
        gpus = occupied(self.gpu_hours * 3600) if self.gpu_hours else "-"
        rows.append(f"{'all':<15}{jobs:>6}{todo:>8}{occupied(total):>11}{gpus:>11}{span(self.wall_seconds):>9}{size(self.bytes):>10}")
        return [*rows, "", *self._machine(), *self._trainings(), *self._ratios(), *self._unknown(), *self.warnings]

    def _machine(self) -> list[str]:
        machine = self.machine
        gpus = f" and {machine.gpus} GPU{'s' * (machine.gpus > 1)} ({machine.kind})" if self.work.on_gpus else ""
        rows = [f"wall: on {machine.cores} cores{gpus}; one takes {machine.slowness:.2f} times as long as that of units.yaml"]
        copies = _copies()
        again = "as much again for DVC's cache, which can only copy here" if copies else "the cache shares it by links"
        free = shutil.disk_usage(".").free
        while_training = max((one["checkpoint_bytes"] for one in self.trainings), default=0.0)
        rows.append(f"disk: {size(self.bytes)}, {again}; {size(free)} free")
        rows += [f"checkpoints: {size(while_training)} in .snow/work while a model trains"] if while_training else []
        if self.bytes * (2 if copies else 1) + while_training > free:
            rows.append("warning: that does not fit; make room, or see cache.type in the README")
        if self.gpu_price is not None:
            rows.append(f"money: {self.gpu_hours:,.1f} GPU-hours x {self.gpu_price:g} = {self.gpu_hours * self.gpu_price:,.0f}")
        return rows

    def _trainings(self) -> list[str]:
        if not self.trainings:
            return []
        rows = ["", f"{'model':<15}{'parameters':>14}{'tokens':>17}{'steps':>9}{'tokens/s':>12}{'a GPU holds':>14}"]
        for one in self.trainings:
            rate = f"{one['tokens_per_second']:,.0f}" if one["tokens_per_second"] else "-"
            held = size(one["memory_bytes"]) if one["memory_bytes"] else "-"
            rows.append(f"{one['model']:<15}{one['parameters']:>14,.0f}{one['tokens']:>17,.0f}{one['steps']:>9,}{rate:>12}{held:>14}")
            if one["memory_bytes"] > self.machine.gpu.memory_gb * 1e9:
                rows.append(
                    f"warning: {one['model']} does not fit {self.machine.gpu.memory_gb:g} GB: a lower micro_batch_size, or zero_stage 3"
                )
        return rows

    def _ratios(self) -> list[str]:
        rows = ["", f"{'proportion':<55}{'here':>10}{'paper':>10}"] if self.proportions else []
        for one in self.proportions:
            rows.append(f"{one.model + ': ' + one.name:<55}{one.value:>10.3g}{one.paper:>10.3g}")
            rows += [f"warning: {one.model}: {one.name} is {one.value:.3g}: {one.warning}"] if one.warning else []
        return rows

    def _unknown(self) -> list[str]:
        unknown = [line.stage for line in self.lines if math.isnan(line.core_seconds + line.gpu_seconds)]
        new = [stage for stage in unknown if stage not in self.work.table.stages]
        said = [f"not known: what {stage} costs; `python bench/units.py --write` measures it" for stage in new]
        if set(unknown) - set(new):
            nameless = [name for name, one in self.work.sizes.sources.items() if math.isnan(one.bytes)]
            said += [f"not known: how large the source {name} is; say it as its `size_gb` in params" for name in nameless]
            said += [] if nameless else ["not known: the size of a model that is named without it, as in Llama-3.1-70B"]
        return said


def _training(plan: Plan, name: str) -> dict[str, Any]:
    params, machine, tokens = plan.work.params, plan.machine, plan.work.sizes.trained(name)
    model = params.models[name]
    on_gpus = plan.work.on_gpus
    held = training.memory(params, name, machine.gpus)
    return {
        "model": name,
        "parameters": training.parameters_of(params, name),
        "tokens": tokens,
        "steps": int(tokens // (model.batch_size * model.sequence_length)),
        "tokens_per_second": training.tokens_per_second(params, name, machine.gpu) * machine.gpus if on_gpus else 0.0,
        "memory_bytes": held.states + held.activations if on_gpus else 0.0,
        "checkpoint_bytes": training.checkpoint_bytes(params, name),
    }


def _copies() -> bool:
    """Whether every output lies on disk twice, here and in DVC's cache."""
    store = configured(Path())
    return store is not None and not store.shares(Path())


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def span(seconds: float) -> str:
    """A time in two or three digits."""
    if math.isnan(seconds):
        return "?"
    for limit, unit, each in ((100, "s", 1), (6000, "min", 60), (360_000, "h", 3600)):
        if seconds < limit:
            return f"{seconds / each:.0f} {unit}" if seconds / each >= 10 else f"{seconds / each:.1f} {unit}"
    return f"{seconds / 86400:,.0f} d"


def occupied(seconds: float) -> str:
    """A time of cores or GPUs: at most in hours, which are what is paid."""
    return span(seconds) if math.isnan(seconds) or seconds < 6000 else f"{seconds / 3600:,.{1 if seconds < 36000 else 0}f} h"


def size(count: float) -> str:
    """Bytes in three digits."""
    if math.isnan(count):
        return "?"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000:
            return f"{count:.3g} {unit}"
    return f"{count / 1000:,.3g} TB"
