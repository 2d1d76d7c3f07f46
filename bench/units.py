"""What jobs took in clones that have run the recipe, as the table of unit costs: `python bench/units.py [CLONE...] [--write]`.

From `logs/**/*.cost.json` of each clone and what its jobs had to do (`snow.planning.work`). Clones of different size tell what a job
costs whatever it does from what each thing costs; without any given, three are made and run in `--folder` (a quarter of an hour on two
idle cores; on busy ones even the seconds of processors are more). `--write` replaces snow/planning/units.yaml. What a table expects of
each clone before it runs is printed beside what it took; `--check` exits with status 1 when a whole run is off by more than
bench/floors.json allows.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
import pyarrow.parquet as pq  # noqa: E402
import yaml  # noqa: E402

from snow import params as settings  # noqa: E402
from snow.caching import costs, ledger  # noqa: E402
from snow.planning import estimate, units  # noqa: E402
from snow.planning.sizes import Sizes  # noqa: E402
from snow.planning.units import Table, Unit  # noqa: E402
from snow.planning.work import Work  # noqa: E402
from tests.scenarios import workspace  # noqa: E402

OCCUPIED = {
    "partition": 2,
    "duplicates": 2,
    "tokenizer": 2,
    "pretrain": 2,
    "annotate": 2,
    "score": 2,
    "generate": 2,
    "complete": 2,
    "judge": 2,
}
OCCUPIED |= {"bits": 2, "mutate": 2, "preference": 2}  # `threads` of rules/
ONE_BUSY = {"partition", "duplicates"}  # the others keep both busy
WAITING = {"judge", "mutate"}  # on sandboxes, whose processors are not counted: by the wall
LARGER = {"duplicates": 9.0e-6}  # seconds for each that runs of this size do not show: 78,684 made-up signatures took 0.7 s more than none
VOCABULARIES = (1024, 4096, 16384, 65536)
SAMPLE = 3_000_000  # bytes that tokenizers are trained on, and other as many that are counted
HEADER = """\
# What the jobs of a pocket run and of one of another size took: written by `python bench/units.py CLONE... --write`.
# {machine}, {date}. `start` and `each` are seconds of one core, for what `each` counts see snow/planning/work.py; `out_*` are bytes.
"""


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Within, the working directory is another."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def blank() -> Table:
    """A table in which nothing is measured yet."""
    return Table(1.0, {}, units.declared())


def looked_at(folder: Path) -> tuple[ledger.Ledger, Work]:
    """A clone's jobs and what they had to do."""
    params, table = settings.load(Path("params.yaml")), blank()
    seen = ledger.look(params)
    return seen, Work(params, Sizes(params, seen, table), table)


def points(clones: Sequence[Path]) -> dict[str, list[tuple[float, float, float, float]]]:
    """By stage, of every job whose cost is known: what it had to do, core seconds, what its output is in proportion to, bytes of it."""
    found: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for clone in clones:
        with inside(clone):
            seen, work = looked_at(clone)
            for stage in seen.graph.instances:
                for instance, cost in costs.read(stage).items():
                    job = seen.graph.by_name.get(f"{stage} {instance}")
                    if job is not None and seen.verdicts[job.name].state in estimate.HELD:
                        sizes = [seen.present[path] for path in job.outputs.values()]
                        written = sum(content.size for content in sizes if content is not None)
                        found[stage].append((work.amount(job), estimate.taken(cost, shape(stage)), work.written(job), float(written)))
    return found


def shape(stage: str) -> Unit:
    """What is declared of a stage: threads and clock."""
    threads = OCCUPIED.get(stage, 1)
    return Unit(0.0, 0.0, 0.0, 0.0, threads, 1 if stage in ONE_BUSY else threads, "wall" if stage in WAITING else "cpu")


def line(pairs: Sequence[tuple[float, float]], relative: bool) -> tuple[float, float]:
    """(start, each) of the line with the least error, or least relative error; neither below zero."""
    weights = [1 / value**2 if relative else 1.0 for _, value in pairs]
    total = sum(weights)
    mean_x = sum(weight * x for weight, (x, _) in zip(weights, pairs, strict=True)) / total
    mean_y = sum(weight * y for weight, (_, y) in zip(weights, pairs, strict=True)) / total
    spread = sum(weight * (x - mean_x) ** 2 for weight, (x, _) in zip(weights, pairs, strict=True))
    shared = sum(weight * (x - mean_x) * (y - mean_y) for weight, (x, y) in zip(weights, pairs, strict=True))
    each = shared / spread if spread > 1e-9 * mean_x**2 * total else mean_y / mean_x if mean_x else 0.0
    start = mean_y - each * mean_x
    if each < 0:
        return mean_y, 0.0
    return (start, each) if start >= 0 else (0.0, mean_y / mean_x)


def kept(clones: Sequence[Path]) -> dict[str, dict[str, float]]:
    """Shares of documents and bytes that each stage keeps; of `collect`, what it collected over what `sources` expects."""
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for clone in clones:
        with inside(clone):
            _, work = looked_at(clone)
            expected = list(work.sizes.sources.values())
            before = {name: sum(getattr(one, name) for one in expected) for name in ("documents", "bytes")}
            for stage, name in (("collect", "raw"), ("filter", "filtered"), ("unique", "unique"), ("decontaminate", "clean")):
                now = {field: getattr(getattr(work.sizes, name), field) for field in ("documents", "bytes")}
                for field in now:
                    shares[stage][field].append(now[field] / before[field])
                before = now
    return {stage: {name: round(statistics.fmean(values), 4) for name, values in both.items()} for stage, both in shares.items()}


def answers(clones: Sequence[Path]) -> dict[str, float]:
    """Of the documents that a generator's answers became, over all clones: their share of the requests, and their bytes."""
    sizes, requests = [], 0
    for clone in clones:
        with inside(clone):
            for name, one in settings.load(Path("params.yaml")).synthetic.items():
                refined = Path(f"synthetic/{name}/refined/00000.parquet")
                if refined.exists():
                    requests += one.requests
                    sizes += pq.read_table(refined, columns=["size"])["size"].to_pylist()
    return {"kept": round(len(sizes) / max(requests, 1), 3), "bytes": round(statistics.fmean(sizes or [0]))}


def token_bytes(clone: Path) -> dict[int, float]:
    """Bytes of a clone's corpus that a token stands for, by the size of the vocabulary."""
    from snow.tokens import tokenizer as training

    texts: list[str] = []
    for path in sorted((clone / "corpus/decontaminated").glob("*.parquet")):
        texts += pq.read_table(path, columns=["content"])["content"].to_pylist()
    texts = sorted(texts, key=hash)[: len(texts) // 2 * 2]
    seen, new = texts[::2], texts[1::2]
    found = {}
    for size in VOCABULARIES:
        tokenizer = training.train(_first(seen), size, ("<|endoftext|>",))
        counted = list(_first(new))
        tokens = sum(len(each.ids) for each in tokenizer.encode_batch(counted))
        found[size] = round(sum(len(text.encode()) for text in counted) / tokens, 3)
    return found


def _first(texts: Sequence[str]) -> Iterator[str]:
    size = 0
    for text in texts:
        size += len(text)
        if size > SAMPLE:
            return
        yield text


def measured(clones: Sequence[Path]) -> dict[str, Any]:
    """The whole table."""
    stages = {}
    for stage, found in points(clones).items():
        start, each = line([(amount, seconds) for amount, seconds, *_ in found], relative=True)
        out_start, out_each = line([(amount, written) for *_, amount, written in found], relative=False)
        declared = shape(stage)
        stages[stage] = {
            "start": _short(start),
            "each": _short(max(each, LARGER.get(stage, 0.0))),
            "out_start": _short(out_start),
            "out_each": _short(out_each),
        }
        stages[stage] |= {"threads": declared.threads, "busy": declared.busy, "clock": declared.clock}
    return {
        "reference_seconds": _short(min(units.measure() for _ in range(5))),
        "stages": stages,
        "kept": kept(clones),
        "token_bytes": token_bytes(clones[0]),
        "answers": answers(clones),
    }


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def compare(clone: Path) -> float:
    """What would have been expected of a clone before it ran over what it took, in core seconds; printed by stage."""
    with inside(clone):
        params, table = settings.load(Path("params.yaml")), units.table()
        seen = ledger.look(params)
        before = replace(seen, verdicts={name: replace(verdict, state="missing") for name, verdict in seen.verdicts.items()})
        work, whole = Work(params, Sizes(params, before, table), table), [0.0, 0.0]
        print(f"{clone.name + ':':<15}{'jobs':>5}{'took':>10}{'expected':>10}{'ratio':>8}")
        for stage in seen.graph.instances:
            costs_of = {f"{stage} {name}": cost for name, cost in costs.read(stage).items()}
            known = [(seen.graph.by_name[name], cost) for name, cost in costs_of.items() if name in seen.graph.by_name]
            took, expected = sum(estimate.taken(cost, table.unit(stage)) for _, cost in known), sum(work.cores(job) for job, _ in known)
            whole = [whole[0] + took, whole[1] + expected]
            if known:
                print(f"{stage:<15}{len(known):>5}{took:>10.1f}{expected:>10.1f}{expected / took:>8.2f}")
        print(f"{'all':<20}{whole[0]:>10.1f}{whole[1]:>10.1f}{whole[1] / whole[0]:>8.2f}")
    return whole[1] / whole[0]


def made(folder: Path) -> list[Path]:
    """Three clones, run: the pocket run, the tests' smallest recipe, and the pocket run's corpus four times as large in one shard."""
    pocket, tiny = (workspace.create(folder / name, name == "tiny") for name in ("pocket", "tiny"))
    pocket.snakemake("all")
    tiny.set_param("evaluation.compare_with", {"other": {"pretrained": str(pocket.path / "models/phase1")}})
    tiny.snakemake("all")
    large = workspace.create(folder / "large", tiny=False)
    large.set_param("shards", 1)
    large.set_param("sources", [one | {"limit_files": 120} for one in large.params()["sources"]])
    large.snakemake("corpus-heldout")
    return [pocket.path, tiny.path, large.path]


def main() -> int:
    """Measure, write if asked to, compare; with --check, 1 when a run was expected to take far more or less than it took."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("clones", nargs="*", type=Path)
    arguments.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "snow-units")
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("--check", action="store_true")
    given = arguments.parse_args()
    clones = [path.resolve() for path in given.clones] or made(given.folder)
    if given.write:
        processors = (
            row.partition(":")[2].strip() for row in Path("/proc/cpuinfo").read_text().splitlines() if row.startswith("model name")
        )
        header = HEADER.format(machine=f"{os.cpu_count()} cores, {next(processors, '?')}", date=datetime.date.today())
        units.TABLE.write_text(header + yaml.safe_dump(measured(clones), sort_keys=False, width=140, default_flow_style=None))
        units.table.cache_clear()
    allowed = json.loads((ROOT / "bench/floors.json").read_text())["units"]["factor"]
    off = [ratio for ratio in map(compare, clones) if not 1 / allowed <= ratio <= allowed]
    return int(bool(off) and given.check)


if __name__ == "__main__":
    raise SystemExit(main())
