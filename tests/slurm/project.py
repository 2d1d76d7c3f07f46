"""A small workflow of held shards that runs through the shipped profile, so that a test decides what happens when.

A shard appends a line to `runs/N` when it starts, waits while `hold/N` exists, fails while `fail/N` exists, writes `out/N.txt`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests import forked

from .slurm import Cluster

ROOT = Path(__file__).parents[2]
SITE = "{partition: main, gpu_partition: gpu, gpu_type: h100, account: }"
SNAKEFILE = """\
from snow import failures
from snow import workflow as snow_workflow

if workflow.is_main_process:
    snow_workflow.prepare_submission(workflow)

rule all:
    input: expand("out/{n}.txt", n=SHARDS)

rule shard:
    output: "out/{n}.txt"
    log: "logs/shard/{n}.log"
    resources: mem_mb=snow_workflow.growing(100), runtime=snow_workflow.growing(5)
    shell:
        "(echo $SLURM_JOB_ID >> runs/{wildcards.n}; while [ -e hold/{wildcards.n} ]; do sleep 0.1; done;"
        " if [ -e fail/{wildcards.n} ]; then echo shard {wildcards.n} says why; exit 3; fi;"
        " hostname > {output}) > {log} 2>&1"

onerror:
    failures.say_last(workflow)
"""


@dataclass(frozen=True)
class Project:
    """A working directory with the profile in it, and the cluster it submits to."""

    path: Path
    cluster: Cluster

    def write(self, snakefile: str = SNAKEFILE, shards: int = 3, held: str = "") -> Project:
        """Make the directory: a Snakefile over so many shards, of which those named in `held` wait."""
        for name in ("runs", "hold", "fail"):
            (self.path / name).mkdir(parents=True)
        shutil.copytree(ROOT / "slurm", self.path / "slurm")
        shutil.copytree(ROOT / "profiles", self.path / "profiles")
        self.site()
        (self.path / "Snakefile").write_text(f"SHARDS = range({shards})\n{snakefile}")
        for shard in held:
            self.hold(shard)
        return self

    def site(self, **values: str) -> None:
        """The site file, with some values changed."""
        text = SITE
        for key, value in values.items():
            old = next(part for part in text.strip("{}").split(", ") if part.startswith(f"{key}:"))
            text = text.replace(old, f"{key}: {value}")
        (self.path / "slurm/site.yaml").write_text(text)

    def hold(self, shard: str) -> None:
        """Let a shard wait in its job."""
        (self.path / "hold" / shard).touch()

    def release(self, *shards: str) -> None:
        """Let shards that wait go on; all without a name."""
        for path in (self.path / "hold").iterdir():
            if not shards or path.name in shards:
                path.unlink()

    def starts(self) -> dict[str, int]:
        """How often each shard's body has started."""
        return {path.name: len(path.read_text().splitlines()) for path in sorted((self.path / "runs").iterdir())}

    def started(self, *shards: str) -> bool:
        """Whether these shards are in their body or past it."""
        return all((self.path / "runs" / shard).exists() for shard in shards)

    def done(self, *shards: str) -> bool:
        """Whether these shards' jobs have ended well."""
        ends = [self.path / f".snow/slurm/{self.running(shard)}.exit" for shard in shards if self.started(shard)]
        return len(ends) == len(shards) and all(end.exists() and end.read_text() == "0\n" for end in ends)

    def running(self, shard: str) -> str:
        """The id of the job that a shard runs in."""
        return (self.path / "runs" / shard).read_text().split()[-1]

    def environment(self) -> dict[str, str]:
        """This checkout's interpreters and the cluster's settings."""
        mine = {name: value for name, value in self.cluster.environment.items() if not name.startswith(("SNAKEMAKE_", "SNOW_"))}
        return mine | {"PATH": f"{forked.environments() / 'base/bin'}:{mine['PATH']}", "PYTHONPATH": str(ROOT)}

    def start(self, *arguments: str) -> Run:
        """`snakemake --profile slurm ARGUMENTS` in the background."""
        said = (self.path / "said.txt").open("ab")
        process = subprocess.Popen(
            ["snakemake", "--profile", "slurm", *arguments],
            cwd=self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=_interruptible,
        )
        said.close()
        return Run(self, process)

    def run(self, *arguments: str) -> str:
        """The same to its end, which must be a good one; what it said."""
        run = self.start(*arguments)
        run.succeeds()
        return run.said

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
        """Return as soon as the condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waiting for {what}:\n{(self.path / 'said.txt').read_text()[-4000:]}"
            time.sleep(0.05)


def _interruptible() -> None:
    """A shell that starts the tests in the background has them ignore SIGINT, and everything they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Run:
    """One `snakemake` process and everything it started on this side."""

    project: Project
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        """Everything that the project's runs have printed so far."""
        return (self.project.path / "said.txt").read_text()

    def kill(self) -> None:
        """SIGKILL to the process and its children; its jobs know nothing of it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ends(self, seconds: float = 240) -> int:
        """The exit status, once it has ended by itself."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still there after {seconds} s:\n{self.said[-4000:]}\n{self.project.cluster.jobs()}") from None

    def succeeds(self, seconds: float = 240) -> None:
        """It ends by itself, and well."""
        assert self.ends(seconds) == 0, self.said[-5000:]
