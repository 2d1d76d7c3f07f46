"""What a person sees of a run: what it will cost, a line per stage that is done, one every half minute at least, and errors whole.

Everything else that Snakemake says goes to its log file alone. Its logger plugins would be its own way to do this, but it finds them
only where they are installed as packages, not editably, and imports them before the Snakefile has said whose code runs. So the
Snakefile itself adds a handler. `--verbose` and `--printshellcmds` leave Snakemake's output as it is.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snow import devices, snakemake_run, stages
from snow.caching import costs
from snow.console import progress, state
from snow.console.left import Expected, Pace, about, clock, seconds_left, words
from snow.params import Params

SILENCE = 28  # seconds after which a run that has nothing to say says what it is doing
LOOK = 5  # seconds between two looks at the logs of running jobs
SHOWN = 3  # running jobs in such a line
KEPT = ("Trying to restart job", "Terminating processes on user request")  # of what is no warning


def begin(workflow: Any, params: Params) -> Run:
    """Before the first job: say what is to be done and what that costs, and from then on how it goes, until the run is told to `stop`."""
    run = Run(params, snakemake_run.planned(workflow), snakemake_run.cores(workflow), snakemake_run.speaks(workflow))
    run.announce(snakemake_run.log_file(workflow))
    if run.speaks:
        snakemake_run.show_only(lambda record: record.levelno > logging.INFO or str(record.msg).startswith(KEPT))
    snakemake_run.hear(Listener(run))
    threading.Thread(target=run.keep_telling, daemon=True).start()
    return run


class Listener(logging.Handler):
    """Hears Snakemake say which job begins and which has ended."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def emit(self, record: logging.LogRecord) -> None:
        """Called by Snakemake's own thread; a job that is run again after it failed begins once more. What goes wrong here is shown and
        costs the run nothing."""
        told = record.__dict__
        try:
            match told.get("event"):
                case "job_info":
                    self._run.begins(told["jobid"])
                case "job_finished":
                    self._run.ends(told["job_id"])
                case "job_error":
                    self._run.fails(told["jobid"])
        except Exception:
            self.handleError(record)


class Run:
    """A run's jobs, which of them run and are done, and what is told of that."""

    def __init__(self, params: Params, planned: Mapping[int, snakemake_run.Planned], cores: int | None, speaks: bool) -> None:
        self.speaks = speaks
        self._cores = cores
        self._names = {number: _name(job) for number, job in planned.items() if job.rule in stages.STAGES}
        from snow.planning import estimate  # by far more than what a run that has nothing to do reads

        graph = stages.graph(params)
        expected = estimate.here(params, cores, max(1, len(devices.visible())))
        tasks = {name: expected.task(graph.by_name[name]) for name in self._names.values()}
        self.known = expected.known.keys()
        self.gpu_hours = sum(task.spent for task in tasks.values() if task.gpus and not math.isnan(task.spent)) / 3600
        trainings = (name.partition(" ") for name in tasks)
        self._trained = sum(expected.work.sizes.trained(model) for stage, _, model in trainings if stage == "pretrain")
        by_name = {
            name: Expected(
                planned[number].rule,
                tuple(self._names[other] for other in planned[number].needs if other in self._names),
                planned[number].threads,
                None if math.isnan(tasks[name].seconds) else tasks[name].seconds,
            )
            for number, name in self._names.items()
        }
        self.jobs = {job.name: by_name[job.name] for job in graph.jobs if job.name in by_name}
        self.artifacts = [job.artifact for job in graph.jobs if job.name in self.jobs]
        self.totals = Counter(job.stage for job in self.jobs.values())
        self.done: dict[str, bool] = {}  # by name, whether its body ran
        self._ended, self._restored = Counter[str](), Counter[str]()  # by stage
        self._running: dict[str, tuple[float, float | None]] = {}  # when it was begun or submitted, when it was first seen at work
        self._costs: dict[str, int] = {}  # of running jobs, the time of what they cost last
        self._pace = Pace()
        self.began = time.time()
        self._spoke = time.monotonic()
        self._lock = threading.RLock()
        self._over = threading.Event()

    def announce(self, log: str | None) -> None:
        """What will be done, how long that takes and from where that is known, and where more can be seen."""
        left, unknown = self._left()
        where = f" on {self._cores} cores" if self._cores else ""
        parts = [f"{_count(len(self.jobs), 'job')} of {_count(len(self.totals), 'stage')} to run"]
        parts += [f"about {about(left)}{where}"] if left else []
        parts += [f"{self._trained:,.0f} tokens to train on"] if self._trained else []
        parts += [f"{self.gpu_hours:,.0f} GPU h"] if self.gpu_hours else []
        self._say(f"snow: {', '.join(parts)}")
        if self.totals.keys() - self.known:
            self._say("snow: times are estimates, as of `snow plan`, until jobs here have told theirs")
        if unknown:
            self._say(f"snow: nothing tells yet how long these take: {', '.join(unknown)}")
        seen = f"; Snakemake's own log is {os.path.relpath(log)}, `--verbose` shows it here" if log else ""
        self._say(f"snow: `snow watch` shows the running jobs{seen}")

    def begins(self, number: int) -> None:
        """A job was started, or put into a queue."""
        name = self._names.get(number)
        if name is not None:
            with self._lock:
                self._running[name] = (time.time(), None)
                self._costs[name] = _cost_time(name)

    def fails(self, number: int) -> None:
        """A job ended badly; Snakemake shows it whole."""
        with self._lock:
            self._running.pop(self._names.get(number, ""), None)
            self._spoke = time.monotonic()

    def ends(self, number: int) -> None:
        """A job is done: with the last of its stage, so is the stage."""
        name = self._names.get(number)
        if name is None:
            return
        with self._lock:
            begun, _ = self._running.pop(name, (time.time(), None))
            job = self.jobs[name]
            self.done[name] = _cost_time(name) != self._costs.pop(name, 0)
            stage, instance = name.split(" ", 1)
            body = costs.seconds_of(stage, instance) if self.done[name] else 0.0
            self._pace.saw(job, body, time.time() - begun)
            self._ended[stage] += 1
            self._restored[stage] += not self.done[name]
            ended, restored = self._ended[stage], self._restored[stage]
            if ended == self.totals[stage]:
                cached = "" if not restored else ", from the cache" if restored == ended else f", {restored} from the cache"
                self._tell(f"{stage}: {_count(ended, 'job')} done{cached}")

    def stop(self) -> None:
        """Nothing more is told."""
        with self._lock:
            self._over.set()
        with contextlib.suppress(OSError):
            state.PATH.unlink(missing_ok=True)

    def keep_telling(self) -> None:
        """In a thread of its own: what `snow watch` reads every few seconds, and a line where none has come for long."""
        while not self._over.wait(LOOK):
            with self._lock:
                if self._over.is_set():
                    return
                self._see_who_works()
                with contextlib.suppress(OSError):  # of a full disk the jobs tell
                    state.write(self._state())
                if self._running and time.monotonic() - self._spoke > SILENCE - LOOK:
                    self._tell(self._doing())

    def _see_who_works(self) -> None:
        """A job that was submitted works once its log is written to."""
        for name, (begun, worked) in self._running.items():
            if worked is None and (self._cores is not None or _time(progress.log_of(name)) >= begun - LOOK):
                self._running[name] = (begun, begun if self._cores is not None else time.time())

    def _state(self) -> state.State:
        left, unknown = self._left()
        of_stages = {stage: (self._ended[stage], total) for stage, total in self.totals.items()}
        running = {name: worked for name, (_, worked) in self._running.items()}
        return state.State(os.getpid(), socket.gethostname(), self.began, time.time(), of_stages, running, left, tuple(unknown))

    def _left(self) -> tuple[float, list[str]]:
        running = {name: self._still(name, worked) for name, (_, worked) in self._running.items()}
        return seconds_left(self.jobs, self.done, running, self._pace, self._cores)

    def _still(self, name: str, worked: float | None) -> float:
        """Seconds that a running job will still take: as it says itself, until its bar is full, else what was expected of it, or a little
        where that is over."""
        told = progress.of(name) if worked is not None else None
        if told is not None and told.left:
            return told.left
        so_far = time.time() - worked if worked is not None else 0.0
        return max((self._pace.of(self.jobs[name]) or 0.0) - so_far, so_far / 10)

    def _doing(self) -> str:
        working = {name: worked for name, (_, worked) in self._running.items() if worked is not None}
        waiting = len(self._running) - len(working)
        shown = [_at_work(name, worked) for name, worked in [*working.items()][:SHOWN]]
        shown += [f"{len(working) - SHOWN} more jobs"] if len(working) > SHOWN else []
        shown += [f"{_count(waiting, 'job')} in the queue"] if waiting else []
        return f"running: {'; '.join(shown)}"

    def _tell(self, text: str) -> None:
        """A line with how far the whole run is in front."""
        left, unknown = self._left()
        to_go = f", {words(left, unknown)}" if len(self.done) < len(self.jobs) else ""
        self._say(f"[{clock(time.time() - self.began):>5}, {len(self.done):>3} of {len(self.jobs)} jobs{to_go}] {text}")

    def _say(self, text: str) -> None:
        if self.speaks:
            print(text, file=sys.stderr, flush=True)
            self._spoke = time.monotonic()


def _name(job: snakemake_run.Planned) -> str:
    return f"{job.rule} {'/'.join(job.parts) or 'all'}"


def _at_work(name: str, since: float) -> str:
    told = progress.of(name)
    return f"{name} ({clock(time.time() - since)}{f', {told.text}' if told else ''})"


def _cost_time(name: str) -> int:
    return _time_ns(costs.path_of(*name.split(" ", 1)))


def _time_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _time(path: Path) -> float:
    return _time_ns(path) / 1e9


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
