"""Snakemake through the shipped Slurm profile beside its slurm executor plugin, on a private Slurm: `python bench/slurm.py [--check]`.

Two workloads on two nodes. `shards`: many jobs that do nothing, for what a job costs, in wall time and in CPU seconds of everything
together (Snakemake, its commands, Slurm and the jobs, from a control group: needs root). `polling`: 21 jobs of 5 s on 4 CPUs, for
how long Snakemake goes on after the last of them has ended. The peer is measured, with a fifth of the shards, when `--peer` names
an environment's bin folder with snakemake and snakemake-executor-plugin-slurm. `--check` compares with bench/floors.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.slurm import slurm
from tests.slurm.project import SITE
from tests.slurm.slurm import Cluster

ROOT = Path(__file__).parents[1]
SNAKEFILE = """\
rule all:
    input: expand("out/{{n}}", n=range({jobs}))

rule shard:
    output: "out/{{n}}"
    resources: mem_mb=100, runtime=10
    shell: "sleep {seconds}; touch {{output}}"
"""
PEER_SHARE = 5  # the peer gets a fifth of the shards
# As good as the plugin's settings get: by default the first status check comes after 40 s.
PEER = """\
executor: slurm
jobs: 500
retries: 2
latency-wait: 60
scheduler: greedy
max-status-checks-per-second: 100
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 1
default-resources:
  slurm_partition: main
"""


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds in all, after the end of its last job, CPU seconds (0 where they cannot be measured), and what
    Slurm's controller was asked: submissions and queries."""

    wall: float
    tail: float
    cpu: float
    submissions: int
    queries: int


@contextlib.contextmanager
def accounted() -> Iterator[Path | None]:
    """A control group for this process and all it starts; yields the file that counts their CPU time in ns, None without rights."""
    parent = Path("/sys/fs/cgroup/cpuacct")
    group = parent / f"snow-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    (group / "cgroup.procs").write_text(str(os.getpid()))
    try:
        yield group / "cpuacct.usage"
    finally:
        (parent / "cgroup.procs").write_text(str(os.getpid()))
        with contextlib.suppress(OSError):
            group.rmdir()


def prepare(folder: Path, cluster: Cluster, peer: Path | None, jobs: int, seconds: float) -> dict[str, str]:
    """A working directory with a workflow and a profile named `slurm`; the environment to run it in."""
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs, seconds=seconds))
    path = cluster.environment["PATH"]
    if peer is None:
        shutil.copytree(ROOT / "slurm", folder / "slurm")
        (folder / "slurm/site.yaml").write_text(SITE)
        return cluster.environment | {"PATH": f"{ROOT / '.envs/base/bin'}:{path}", "PYTHONPATH": str(ROOT)}
    (folder / "slurm").mkdir()
    (folder / "slurm/config.yaml").write_text(PEER)
    (folder / "bin").mkdir()
    for client in ("srun", "sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr", "sshare"):
        wrapper = folder / "bin" / client  # the plugin takes SLURM_CONF away
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={cluster.root}/slurm.conf exec /usr/bin/{client} "$@"\n')
        wrapper.chmod(0o755)
    return cluster.environment | {"PATH": f"{folder / 'bin'}:{peer}:{path}"}


def measure(cluster: Cluster, folder: Path, peer: Path | None, jobs: int, seconds: float, counter: Path | None) -> Cost:
    """One run in a new directory."""
    environment = prepare(folder, cluster, peer, jobs, seconds)
    before, asked = int(counter.read_text()) if counter else 0, questions(cluster)
    start = time.time()
    with (folder / "said.txt").open("wb") as said:
        done = subprocess.run(
            ["snakemake", "--profile", "slurm", "all"], cwd=folder, env=environment, stdout=said, stderr=said, check=False
        )
    end = time.time()
    if done.returncode:
        raise SystemExit((folder / "said.txt").read_text()[-3000:])
    cpu = (int(counter.read_text()) - before) / 1e9 if counter else 0.0
    now = questions(cluster)
    return Cost(end - start, end - last_end(cluster), cpu, now["submissions"] - asked["submissions"], now["queries"] - asked["queries"])


def last_end(cluster: Cluster) -> float:
    """When the last job ended, in seconds since the epoch, from the controller's log, which has milliseconds."""
    log = (cluster.root / "log/slurmctld.log").read_text()
    stamps = re.findall(r"(?m)^\[(\S+)\] _job_complete: JobId=\d+ done$", log)
    return datetime.fromisoformat(stamps[-1]).timestamp()


def questions(cluster: Cluster) -> dict[str, int]:
    """How often the controller was asked for something so far, as `sdiag` counts."""
    found = {"submissions": 0, "queries": 0}
    kinds = {"REQUEST_SUBMIT_BATCH_JOB": "submissions", "REQUEST_JOB_INFO": "queries", "REQUEST_JOB_INFO_SINGLE": "queries"}
    for line in cluster.command("sdiag").splitlines():
        words = line.split()
        if words and words[0] in kinds:
            found[kinds[words[0]]] += int(next(word for word in words if word.startswith("count:")).removeprefix("count:"))
    return found


def contest(name: str, ours: int, theirs: int, seconds: float, peer: Path | None, counter: Path | None) -> dict[str, Cost]:
    """The methods one after the other, each with its number of jobs on a new cluster of two nodes."""
    costs = {}
    for method, place in {"snow": None, **({"slurm plugin": peer} if peer else {})}.items():
        jobs = theirs if place else ours
        with tempfile.TemporaryDirectory() as folder:
            cluster = Cluster(Path(folder) / "slurm", cpus=8, memory=64000, gpus=0)
            try:
                cluster.start()
                costs[method] = measure(cluster, Path(folder) / "work", place, jobs, seconds, counter)
            finally:
                cluster.stop()
        cost = costs[method]
        used = f"{cost.cpu / jobs:.2f}" if counter else "-"
        asked = f"{cost.submissions} | {cost.queries}"
        print(f"| {name} | {method} | {jobs} | {cost.wall:.0f} | {cost.wall / jobs:.2f} | {used} | {cost.tail:.1f} | {asked} |", flush=True)
    return costs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=500)
    parser.add_argument("--peer", type=Path, help="the bin folder of an environment with snakemake and its slurm executor plugin")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.peer:  # as the locked environments are; uncompiled, snakemake takes four times as long to start
        subprocess.run(
            [options.peer / "python", "-m", "compileall", "-q", options.peer.parent / "lib"], stdout=subprocess.DEVNULL, check=False
        )
    if absent := slurm.missing():
        raise SystemExit(f"no Slurm on this machine: {', '.join(absent)} missing")
    print("| workload | method | jobs | s | s per job | CPU-s per job | s after the last job | submissions | queries |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    with accounted() as counter:
        polling = contest("polling", 21, 21, 5, options.peer, counter)
        shards = contest("shards", options.shards, options.shards // PEER_SHARE, 0, options.peer, counter)
    floors = json.loads((ROOT / "bench" / "floors.json").read_text())["slurm"]
    added = polling["snow"].tail / (polling["snow"].wall - polling["snow"].tail)
    print(f"\nafter the last of 21 jobs of 5 s the run goes on for {added:.1%} of what it took")
    failed = [f"polling adds {added:.1%}, the limit is {floors['polling']:.0%}"] if added > floors["polling"] else []
    if options.peer:
        faster = {
            "wall": PEER_SHARE * shards["slurm plugin"].wall / shards["snow"].wall,
            "cpu": PEER_SHARE * shards["slurm plugin"].cpu / max(shards["snow"].cpu, 1e-9),
        }
        print(f"a shard job: {faster['wall']:.2f} times as fast, {1 / faster['cpu']:.2f} times the CPU time")
        failed += [
            f"{name}: {faster[name]:.2f} times the peer, the floor is {floors[name]}" for name in faster if faster[name] < floors[name]
        ]
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
