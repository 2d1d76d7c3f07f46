"""A corpus of many shards, one of them changed, in a fresh clone: how long it takes to decide what to run, and what then runs.

    .envs/dev/bin/python bench/shards.py [--shards 1000] [--check]

The data stages of the recipe over as many JSONL files of two small documents as there are shards. To get there sooner, the jobs of the
cold run are called one after the other in one process (8 minutes); all the rest is real `git`, `dvc` and `snakemake`. The peer is
Snakemake itself on a graph of the same shape without anything of ours, in the same run. `--check` compares with bench/floors.json.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.scenarios import workspace  # noqa: E402
from tests.scenarios.workspace import Clone  # noqa: E402

TARGET = "corpus-decontaminated"
CHAIN = ("collect", "measure", "filter", "minhash", "unique", "decontaminate")
GATHERED = {"partition": ("collect", "measure"), "duplicates": ("minhash", "unique")}  # one job between all shards of two stages
COLD = """\
import shlex, sys
from tqdm import tqdm
from snow import cli
for line in tqdm(open("jobs.txt").read().splitlines(), mininterval=10):
    assert cli.main(shlex.split(line)) == 0, line
"""


def write_table(clone: Clone, number: int, version: int = 0) -> None:
    """Two documents that resemble no others."""
    choose = random.Random(f"{number} {version}")
    rows = []
    for module in range(2):
        words = ["".join(choose.choices(string.ascii_lowercase, k=9)) for _ in range(50)]
        body = "".join(
            f"def {name}({argument}):\n    return {argument} * {number}\n\n" for name, argument in zip(words[::2], words[1::2], strict=True)
        )
        rows.append({"content": body, "repo": f"repo{number}", "path": f"module{module}.py"})
    (clone.path / "data" / f"{number:05}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def finished(folder: Path, shards: int) -> Clone:
    """A clone that has run, its artifacts pushed to a folder, everything committed."""
    clone = workspace.create(folder / "clone")
    for number in range(shards):
        write_table(clone, number)
    clone.set_param("shards", shards)
    clone.set_param("sources", [{**clone.params()["sources"][0], "paths": ["data/0*.jsonl"]}])
    clone.snakemake("suites")
    jobs = re.findall(r"(?m)^Shell command: snow (.*) > logs/.*$", clone.snakemake("-n", "-p", TARGET).stdout)
    (clone.path / "jobs.txt").write_text("\n".join(jobs))
    subprocess.run(["python", "-c", COLD], cwd=clone.path, env=clone.environment(), check=True)
    clone.snow("commit")
    clone.git("add", "-A")
    clone.git("commit", "-qm", "a finished run")
    clone.dvc("remote", "add", "-d", "team", str(folder / "remote"))
    clone.git("commit", "-qam", "a remote")
    clone.dvc("push", "-q")
    return clone


def plain_graph(folder: Path, shards: int) -> Clone:
    """Snakemake alone on the same shape, everything made."""
    folder.mkdir()
    text = f'SHARDS = [f"{{n:05}}" for n in range({shards})]\nrule all:\n    input: expand("decontaminate/{{s}}", s=SHARDS)\n'
    for gathering, (made, _) in GATHERED.items():
        text += f'rule {gathering}:\n    input: expand("{made}/{{s}}", s=SHARDS)\n    output: directory("{gathering}")\n    shell: ""\n'
    for before, stage in zip(("data", *CHAIN), CHAIN, strict=False):
        gathered = "".join(f', "{gathering}"' for gathering, (_, reader) in GATHERED.items() if stage == reader)
        text += f'rule {stage}:\n    input: "{before}/{{s}}"{gathered}\n    output: "{stage}/{{s}}"\n    shell: ""\n'
    (folder / "Snakefile").write_text(text)
    for gathering in GATHERED:
        (folder / gathering).mkdir()
    for stage in ("data", *CHAIN):
        (folder / stage).mkdir()
        for number in range(shards):
            (folder / stage / f"{number:05}").touch()
        for gathering, (made, _) in GATHERED.items():
            if stage == made:
                (folder / gathering / ".snakemake_timestamp").touch()
    return Clone(folder)


def timed(clone: Clone, *words: str) -> tuple[float, str]:
    """Seconds that `snakemake WORDS` takes, and what it says."""
    start = time.perf_counter()
    done = clone.snakemake(*words)
    return time.perf_counter() - start, done.stdout + done.stderr


def main() -> int:
    """Print the table; 1 when a floor is not met and `--check` was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone = finished(folder, options.shards)
        other = Clone(folder / "other")
        clone.run("git", "clone", "-q", str(clone.path), str(other.path))
        (other.path / ".envs").symlink_to(ROOT / ".envs")
        other.dvc("pull", "-q", *yaml.safe_load((other.path / "dvc.lock").read_text())["stages"])  # the rest was not made
        write_table(other, options.shards // 2, version=1)
        plain, _ = timed(plain_graph(folder / "plain", options.shards), "-n")
        first, _ = timed(other, "-n", "--quiet", "all", "--", TARGET)
        again, _ = timed(other, "-n", "--quiet", "all", "--", TARGET)
        run, said = timed(other, "--printshellcmds", TARGET)
        executed = sorted(job.split()[0] for job in other.executed())
        started = len(re.findall(r"(?m)^Finished jobid", said))
    print("| what | result | against | ratio |\n|---|---|---|---|")
    print(f"| decide in a fresh clone: `snakemake -n` | {first:.1f} s | {plain:.1f} s (a plain graph) | {first / plain:.2f} |")
    print(f"| decide again | {again:.1f} s | {plain:.1f} s | {again / plain:.2f} |")
    print(f"| the run | {run:.1f} s | {plain:.1f} s | {run / plain:.2f} |")
    jobs = len(CHAIN) * options.shards + len(GATHERED)
    print(f"| bodies executed | {len(executed)}: {', '.join(executed)} | {jobs} jobs in the graph, {started} started | |")
    floors = json.loads((ROOT / "bench/floors.json").read_text())["shards"]
    failed = [f"to decide took {first:.1f} s, the limit is {floors['decision_s']} s"] if first > floors["decision_s"] else []
    failed += [f"executed {executed}"] if executed != sorted([*CHAIN, *GATHERED]) else []
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
