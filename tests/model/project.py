"""The toy project: this checkout's machinery with the toy recipe of `project/` in place of the real one, as a git repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .. import forked
from ..conftest import ROOT

HERE = Path(__file__).parent
MACHINERY = (
    "Snakefile",
    ".gitignore",
    ".gitattributes",
    ".dvcignore",
    ".dvc",
    "profiles",
    "envs/base.txt",
    "rules/common.smk",
    "rules/targets.smk",
    "snow/caching",
    "snow/console",
    "snow/slurm",
)
SOURCES = {
    "fox": "the quick fox",
    "dog": "a lazy dog",
    "letter": "alpha of letters",
    "twin": "one and the same line",
    "long": "a line that goes on and on until it is cut somewhere",
}


def written(params: Mapping[str, Any]) -> str:
    """Params as text, always the same for the same."""
    return yaml.safe_dump(dict(params), sort_keys=False)


def git(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`git` in a clone, committing as nobody in particular; whether it succeeds is the caller's business."""
    identity = ("-c", "user.name=model", "-c", "user.email=model@example.invalid", "-c", "gc.auto=0")
    return subprocess.run(["git", *identity, *words], cwd=clone, capture_output=True, text=True, check=False)


def create(world: Path) -> Path:
    """A folder with `work`, a repository with nothing committed, its `sources`, and room for a `cache` and a `remote`."""
    clone = world / "work"
    for name in (*MACHINERY, *(path.relative_to(ROOT).as_posix() for path in (ROOT / "snow").glob("*.py"))):
        target = clone / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local"))
        else:
            shutil.copyfile(ROOT / name, target)
    shutil.copytree(HERE / "project", clone, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (clone / "params.yaml").write_text(written(yaml.safe_load((clone / "params.yaml").read_text())))
    (world / "sources").mkdir()
    for name, text in SOURCES.items():
        (world / "sources" / f"{name}.txt").write_text(text + "\n")
    with (clone / ".dvc/config").open("a") as config:
        config.write("    remote = team\n['remote \"team\"']\n    url = ../../remote\n")
    (clone / ".dvc/config.local").write_text("[cache]\n    dir = ../../cache\n")
    git(clone, "init", "-q", "-b", "main")
    return clone


def copy(world: Path, target: Path) -> None:
    """Everything of a world under another name, file times and hard links kept."""
    subprocess.run(["cp", "-a", f"{world}{os.sep}.", str(target)], check=True)


def environment(clone: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What programs of a clone have in their environment when a test starts them itself: the clone's own code."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(("SNOW_", "SNAKEMAKE_", "DVC_"))}
    own = {"PATH": f"{forked.environments() / 'base/bin'}:{inherited['PATH']}", "PYTHONPATH": str(clone), "DVC_NO_ANALYTICS": "1"}
    return kept | own


def run(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A program in a clone, to its end; whether it succeeds is the caller's business."""
    return subprocess.run(words, cwd=clone, env=environment(clone), capture_output=True, text=True, timeout=300, check=False)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that must be there, once."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
