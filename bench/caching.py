"""What content addressing costs: nothing to do, restoring, one cached job, hashing. Side by side in one run, as ratios.

    .envs/dev/bin/python bench/caching.py [--small] [--check]

Everything runs on a clone that has done the pocket run (10 minutes on two cores). `--small` takes the tests' smallest recipe
instead and hashes a tenth of the data. `--check` compares with bench/floors.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from snow.stages import STAGES  # noqa: E402
from tests.scenarios import workspace  # noqa: E402
from tests.scenarios.workspace import Clone  # noqa: E402

REPEATS = 5


def seconds(*actions: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """The best wall time of each of several actions that take turns, so that a busy moment of the machine meets all of them."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(repeats):
        for action, mine in zip(actions, times, strict=True):
            started = time.perf_counter()
            action()
            mine.append(time.perf_counter() - started)
    return [min(mine) for mine in times]


def row(name: str, value: float, against: str, base: float) -> float:
    """One line of the table; the ratio."""
    print(f"| {name} | {value:.2f} s | {base:.2f} s ({against}) | {value / base:.2f} |", flush=True)
    return value / base


def idle(clone: Clone, folder: Path) -> float:
    """Nothing to do, against Snakemake with nothing but itself; the ratio of `snakemake all`."""
    trivial = folder / "trivial"
    trivial.mkdir()
    (trivial / "Snakefile").write_text('rule all:\n    output:\n        "a.txt",\n    shell:\n        "echo > {output}"\n')
    bare, ours, status, repro = seconds(
        lambda: Clone(trivial).snakemake("-n"),
        lambda: clone.snakemake("all"),
        lambda: clone.dvc("status"),
        lambda: clone.dvc("repro"),
    )
    against = "`snakemake -n`, trivial file"
    row("`dvc status`, nothing to do", status, against, bare)
    row("`dvc repro`, nothing to do", repro, against, bare)
    return row("`snakemake all`, nothing to do", ours, against, bare)


def restoring(clone: Clone, folder: Path, cold: float) -> float:
    """Everything from a remote into new clones, the artifacts or only the run-cache, against the cold run; the worse ratio."""
    clone.dvc("remote", "add", "-f", "-d", "team", str(folder / "remote"))
    clone.git("commit", "-qam", "a remote", "--allow-empty")
    clone.dvc("push", "--run-cache")
    ratios = []
    for fetch in ("pull", "fetch --run-cache"):
        other = Clone(folder / f"after {fetch}")
        clone.run("git", "clone", "-q", str(clone.path), str(other.path))
        (other.path / ".envs").symlink_to(ROOT / ".envs")
        said: list[str] = []
        (fetching, running) = (
            seconds(lambda other=other, fetch=fetch: other.dvc(*fetch.split()), repeats=1)[0],
            seconds(lambda other=other, said=said: said.append(other.snakemake("--printshellcmds", "all").stderr), repeats=1)[0],
        )
        assert not other.executed(), "everything was to come from the cache"
        ratios.append(row(f"`dvc {fetch}`, then `snakemake all`, in a new clone", fetching + running, "cold run", cold))
        rules = re.findall(r"(?m)^Finished jobid: .* \(Rule: (\S+)\)$", said[0])
        if jobs := sum(rule in STAGES for rule in rules):
            row(f"one of the {jobs} jobs restored", running / jobs, "one of the cold run, mean", cold / jobs)
    return max(ratios)


def hashing(folder: Path, small: bool) -> None:
    """Our hashing against DVC's on the same bytes: many small files, a few large ones."""
    here = Clone(folder)
    for count, size, name in ((100 if small else 1000, 1 << 20, "shards"), (1 if small else 8, 1 << 30, "files")):
        data = folder / f"{name}-{count}"
        data.mkdir()
        block = os.urandom(1 << 20)
        for number in range(count):
            with (data / f"{number:05}").open("wb") as stream:
                for part in range(size >> 20):
                    stream.write(number.to_bytes(4, "big") + part.to_bytes(4, "big") + block[8:])
        code = f"from pathlib import Path; from snow.caching import hashes; hashes.content(Path({str(data)!r}))"
        subprocess.run(["rm", "-rf", str(folder / ".snow")], check=True)
        (ours,) = seconds(lambda code=code: here.run("python", "-c", code, PYTHONPATH=str(ROOT)), repeats=1)
        (again,) = seconds(lambda code=code: here.run("python", "-c", code, PYTHONPATH=str(ROOT)), repeats=1)
        dvc = (
            "import sys; from dvc_data.hashfile.build import build; from dvc_data.hashfile.db.local import LocalHashFileDB; "
            f"from dvc_objects.fs import localfs; db = LocalHashFileDB(localfs, {str(folder / 'db')!r}); "
            f"build(db, {str(data)!r}, localfs, 'md5', dry_run=True)"
        )
        (theirs,) = seconds(lambda dvc=dvc: here.run("python", "-c", dvc), repeats=1)
        row(f"hash {count} {name} of {size >> 20} MB", ours, "DVC", theirs)
        row("the same again, remembered", again, "DVC", theirs)
        subprocess.run(["rm", "-rf", str(data)], check=True)


def main() -> int:
    """Print the table; 1 when a limit is broken and `--check` was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone = workspace.create(folder / "clone", tiny=options.small)
        (cold,) = seconds(lambda: clone.snakemake("all"), repeats=1)
        clone.git("add", "-A")
        clone.git("commit", "-qm", "a finished run")
        clone.executed()
        print("| what | time | against | ratio |\n|---|---|---|---|")
        ratios = {"idle": idle(clone, folder), "restoring": restoring(clone, folder, cold)}
        hashing(folder, options.small)
    limits = json.loads((ROOT / "bench/floors.json").read_text())["caching"]
    broken = [f"{name}: {ratio:.2f}, the limit is {limits[name]}" for name, ratio in ratios.items() if ratio > limits[name]]
    print("\n".join(broken), file=sys.stderr)
    return 1 if broken and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
