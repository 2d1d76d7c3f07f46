"""What content addressing costs: nothing to do, restoring, one cached job, hashing. Side by side in one run, as ratios.

    .envs/base/bin/python bench/caching.py [--small]

Everything runs on a clone with the tests' smallest recipe. `--small` hashes a tenth of the data.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.scenarios import workspace  # noqa: E402
from tests.scenarios.workspace import Clone  # noqa: E402

REPEATS = 5


def seconds(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """The best wall time of several runs."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def row(name: str, value: float, against: str, base: float) -> None:
    """One line of the table."""
    print(f"| {name} | {value:.2f} s | {base:.2f} s ({against}) | {value / base:.2f} |", flush=True)


def idle(clone: Clone, folder: Path) -> None:
    """Nothing to do, against Snakemake with nothing but itself."""
    trivial = folder / "trivial"
    trivial.mkdir()
    (trivial / "Snakefile").write_text('rule all:\n    output:\n        "a.txt",\n    shell:\n        "echo > {output}"\n')
    empty = Clone(trivial)
    base = seconds(lambda: empty.snakemake("-n"))
    row("`snakemake all`, nothing to do", seconds(lambda: clone.snakemake("all")), "`snakemake -n`, trivial file", base)
    row("`dvc status`, nothing to do", seconds(lambda: clone.dvc("status")), "`snakemake -n`, trivial file", base)
    row("`dvc repro`, nothing to do", seconds(lambda: clone.dvc("repro")), "`snakemake -n`, trivial file", base)


def restoring(clone: Clone, folder: Path, cold: float) -> None:
    """Everything from a remote, and everything from the cache, against the cold run."""
    clone.dvc("remote", "add", "-d", "team", str(folder / "remote"))
    clone.git("commit", "-qam", "a remote")
    clone.dvc("push", "--run-cache")
    other = Clone(folder / "other")
    clone.run("git", "clone", "-q", str(clone.path), str(other.path))
    (other.path / ".envs").symlink_to(ROOT / ".envs")

    def pull() -> None:
        other.dvc("pull")
        other.snakemake("all")

    row("`dvc pull` and `snakemake all` in a fresh clone", seconds(pull, 1), "cold run", cold)
    for name in ("corpus", "suites", "tokenizer", "tokens", "models", "quality", "synthetic", "eval", "report", "receipts"):
        subprocess.run(["rm", "-rf", str(other.path / name)], check=True)
    jobs = 0

    def cached() -> None:
        nonlocal jobs
        jobs = other.snakemake("all").stderr.count("Finished jobid")

    whole = seconds(cached, 1)
    assert not other.executed()
    row("`snakemake all` from the cache", whole, "cold run", cold)
    print(
        f"| one cached job | {whole / jobs:.2f} s | {cold / jobs:.2f} s (the same job computed, mean) | {cold / whole:.1f} times faster |"
    )


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
        ours = seconds(lambda code=code: here.run("python", "-c", code, PYTHONPATH=str(ROOT)), 1)
        again = seconds(lambda code=code: here.run("python", "-c", code, PYTHONPATH=str(ROOT)), 1)
        dvc = (
            "import sys; from dvc_data.hashfile.build import build; from dvc_data.hashfile.db.local import LocalHashFileDB; "
            f"from dvc_objects.fs import localfs; db = LocalHashFileDB(localfs, {str(folder / 'db')!r}); "
            f"build(db, {str(data)!r}, localfs, 'md5', dry_run=True)"
        )
        theirs = seconds(lambda dvc=dvc: here.run("python", "-c", dvc), 1)
        row(f"hash {count} {name} of {size >> 20} MB", ours, "DVC", theirs)
        row("the same again, remembered", again, "DVC", theirs)
        subprocess.run(["rm", "-rf", str(data)], check=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone = workspace.create(folder / "clone")
        started = time.perf_counter()
        clone.snakemake("all")
        cold = time.perf_counter() - started
        clone.git("add", "-A")
        clone.git("commit", "-qm", "a finished run")
        clone.executed()
        print("| what | time | against | ratio |\n|---|---|---|---|")
        idle(clone, folder)
        restoring(clone, folder, cold)
        hashing(folder, options.small)


if __name__ == "__main__":
    main()
