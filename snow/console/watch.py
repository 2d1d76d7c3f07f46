"""`snow watch`: the running jobs of the run that goes on in this directory, how far each is and how long it will still take.

The run itself may be on this machine or on a cluster: it says in `.snow/run.json` what it started, and jobs say in their logs, which
all nodes write beside each other, how far they are.
"""

from __future__ import annotations

import sys
import time

from snow.console import progress, state
from snow.console.columns import aligned
from snow.console.left import about, clock, words
from snow.console.state import State

EVERY = 2  # seconds between two looks
ABOVE = "\x1b[H\x1b[J"  # to the top of the terminal, which is emptied


def run() -> int:
    """Print what runs, on a terminal anew every two seconds until the run ends; 0, or 1 where no run goes on."""
    shown = state.read()
    if shown is None or not shown.alive:
        print(_none(shown))
        return 1
    if not sys.stdout.isatty():
        print("\n".join(lines(shown, time.time())))
        return 0
    try:
        while shown is not None and shown.alive:
            print(ABOVE + "\n".join([*lines(shown, time.time()), "", "Ctrl-C ends this view, not the run"]), flush=True)
            time.sleep(EVERY)
            shown = state.read()
    except KeyboardInterrupt:
        return 0
    print(f"\n{_none(shown)}")
    return 0


def lines(told: State, now: float) -> list[str]:
    """What is known of a run at a moment: the whole, every running job, the stages that are not done."""
    done, total = (sum(counts[place] for counts in told.stages.values()) for place in (0, 1))
    left = max(0.0, told.left - (now - told.written))  # it goes on running
    rows = [("stage", "instance", "for", "left", "progress")]
    waiting = 0
    for job, since in told.running.items():
        if since is None:
            waiting += 1
            continue
        said = progress.of(job)
        stage, instance = job.split(" ", 1)
        soon = about(said.left) if said and said.left is not None else ""
        rows.append((stage, instance, clock(now - since), soon, said.text if said else ""))
    open_stages = [f"{stage} {counts[0]}/{counts[1]}" for stage, counts in told.stages.items() if counts[0] < counts[1]]
    return [
        f"{done} of {total} jobs done after {clock(now - told.began)}, {words(left, told.unknown)}",
        "",
        *aligned(rows),
        *([f"{waiting} more in the queue"] if waiting else []),
        "",
        f"to be done: {', '.join(open_stages)}",
    ]


def _none(last: State | None) -> str:
    if last is None:
        return "no run goes on in this directory"
    ago = clock(time.time() - last.written)
    return f"no run goes on in this directory; the last one was killed or lost {ago} ago, the same `snakemake` command goes on with it"
