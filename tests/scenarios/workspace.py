"""A clone of this checkout that runs the whole recipe at the smallest size, driven through real snakemake, dvc and snow processes."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from snow import overlay as overlay_of
from snow import packaged
from snow.stages import STAGES
from tests import forked

ROOT = Path(__file__).parents[2]
TABLES = {
    "part-0": ("json", "email", "logging", "html", "wsgiref", "collections"),
    "part-1": ("asyncio", "http", "unittest", "urllib", "importlib"),
    "part-2": ("xml", "concurrent", "multiprocessing", "ctypes", "encodings", "dbm"),
}
TASKS = 20  # of the suite
ADDED = {"part-3": ("sqlite3",)}  # one repository, which makes no other move to another shard


@dataclass(frozen=True)
class Clone:
    """One working copy and its commands."""

    path: Path
    imports: bool = False  # whether in tests too every program imports what it needs, as a user's does

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command in the clone, with the clone's own code and the locked environments of this checkout."""
        done = subprocess.run(
            command, cwd=self.path, env=self.environment(**variables), capture_output=True, text=True, timeout=3600, check=False
        )
        if check and done.returncode:
            logs = "\n".join(
                f"--- {log}\n{log.read_text()[-2000:]}" for log in sorted((self.path / "logs").rglob("*.log")) if log.stat().st_size
            )
            raise AssertionError(
                f"{' '.join(command)} exited {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}\n{logs[-6000:]}"
            )
        return done

    def environment(self, **variables: str) -> dict[str, str]:
        """The environment of every command: this checkout's interpreters, the clone's `snow`."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("SNOW_", "SNAKEMAKE_", "DVC_", "VIRTUAL_ENV"))
        }
        environments = ROOT / ".envs" if self.imports else forked.environments()
        own = {"PATH": f"{environments / 'base/bin'}:{os.environ['PATH']}", "PYTHONPATH": str(self.path), "HF_HUB_OFFLINE": "1"}
        forks = environments != ROOT / ".envs"
        kept = {"NUMBA_CACHE_DIR": str(environments.parent)} if forks else {}  # each kernel is compiled once for all clones
        return inherited | own | kept | {"DVC_NO_ANALYTICS": "1"} | variables

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`snakemake ARGUMENTS`."""
        return self.run("snakemake", *arguments, check=check)

    def dvc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`dvc ARGUMENTS`."""
        return self.run("dvc", *arguments, check=check)

    def snow(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`snow ARGUMENTS`."""
        return self.run("snow", *arguments, check=check)

    def executed(self) -> set[str]:
        """`stage instance` of every job whose body ran since the last call; a job restored from the cache has none."""
        looked = self.path / ".snow" / "looked"
        before = looked.stat().st_mtime_ns if looked.exists() else 0
        logs = self.path / "logs"
        costs = [cost for cost in logs.rglob("*.cost.json") if cost.stat().st_mtime_ns > before]
        looked.touch()
        names = (cost.relative_to(logs).as_posix().removesuffix(".cost.json") for cost in costs)
        return {name.replace("/", " ", 1) for name in names}

    def nothing_to_do(self, target: str = "all") -> bool:
        """Whether both tools say that everything is current, or all that an artifact is made of."""
        dry = self.snakemake("-n", target)
        status = self.dvc("status", *([] if target == "all" else ["--with-deps", target]))
        snakemake_idle = "Nothing to be done" in dry.stdout + dry.stderr
        assert snakemake_idle, (dry.stdout + dry.stderr)[-3000:]
        assert "up to date" in status.stdout, status.stdout
        return True

    def planned(self) -> set[str]:
        """Stages of which `snakemake -n all` would start jobs."""
        text = self.snakemake("-n", "all").stdout
        return {rule for rule in re.findall(r"(?m)^(?:local)?rule (\S+):$", text) if rule in STAGES}

    def outdated(self, *states: str) -> set[str]:
        """Stages of which `snow why` says that jobs are in one of these states; by default, out of date for a cause of their own."""
        verdicts = json.loads(self.snow("why", "--json", check=False).stdout)
        return {verdict["stage"] for verdict in verdicts if verdict["state"] in (states or ("outdated", "missing"))}

    def params(self) -> Any:
        """params.yaml as it is."""
        return yaml.safe_load((self.path / "params.yaml").read_text())

    def set_param(self, key: str, value: Any) -> None:
        """Change one dotted key of params.yaml."""
        params = self.params()
        *path, last = key.split(".")
        level = params
        for part in path:
            level = level[part]
        level[last] = value
        (self.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        path = self.path / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1))

    def git(self, *arguments: str) -> str:
        """`git ARGUMENTS`, committing as nobody in particular."""
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        return self.run("git", *identity, *arguments).stdout

    def contents(self) -> dict[str, bytes]:
        """Every artifact file's bytes; receipts too."""
        outs = ("corpus", "suites", "tokenizers", "tokens", "models", "quality", "synthetic", "eval", "report", "receipts")
        files = [file for out in outs for file in (self.path / out).rglob("*") if file.is_file() and file.name != ".snakemake_timestamp"]
        return {file.relative_to(self.path).as_posix(): file.read_bytes() for file in files}

    def copy(self, path: Path) -> Clone:
        """The clone with everything in it, file times kept."""
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.path), str(path)], check=True)
        return Clone(path, self.imports)


def measured(name: str) -> bool:
    """Whether an artifact follows from generation, which is a measurement: every clone that asks the model anew has its own."""
    return any(part in name for part in ("synthetic", "generate", "refine", "phase3", "report"))


def create(path: Path, tiny: bool = True, imports: bool = False) -> Clone:
    """A new clone of this checkout's present state at `path`, committed; `tiny`: its params at the smallest size, its tables written."""
    path.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, path / name)
    (path / "dvc.lock").unlink(missing_ok=True)  # of the pocket run
    (path / ".envs").symlink_to(ROOT / ".envs")
    with (path / ".gitignore").open("a") as ignored:
        ignored.write("/.envs\n")
    if tiny:
        overlay = yaml.safe_load((Path(__file__).parent / "tiny.yaml").read_text())
        params = overlay_of.merged(yaml.safe_load((ROOT / "params.yaml").read_text()), overlay)
        shorten(params["evaluation"]["suites"]["humaneval"], path / "tasks/humaneval.jsonl")
        (path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        write_tables(path, TABLES)
    clone = Clone(path, imports)
    clone.run("python", "-c", "from snow.caching import pipeline; pipeline.write(pipeline.text())")
    clone.git("init", "-q", "-b", "main")
    clone.git("add", "-A")
    clone.git("commit", "-q", "-m", "start")
    return clone


def shorten(suite: dict[str, Any], file: Path) -> None:
    """Put the first tasks of a suite from a package into a file of the clone, and that into the suite's params."""
    with gzip.open(packaged.locate(suite["data"])) as whole:
        text = b"".join(islice(whole, TASKS))
    file.parent.mkdir()
    file.write_bytes(text)
    suite |= {"data": f"{file.parent.name}/{file.name}", "sha256": hashlib.sha256(text).hexdigest()}


def write_tables(path: Path, tables: dict[str, tuple[str, ...]]) -> None:
    """JSONL tables of standard-library packages under `data/`, one row per file."""
    library = Path(sysconfig.get_paths()["stdlib"])
    (path / "data").mkdir(exist_ok=True)
    for name, packages in tables.items():
        files = [file for package in packages for file in sorted((library / package).rglob("*.py")) if "test" not in file.parts]
        rows = [
            {"content": text, "repo": file.relative_to(library).parts[0], "path": file.relative_to(library).as_posix()}
            for file in files
            if 200 < len(text := file.read_text(errors="replace")) < 30_000
        ]
        (path / "data" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:60]))
