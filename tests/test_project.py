"""The project's own rules: linters, the two graphs, start-up time, file lengths, nothing of a machine in any file."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT
from .scenarios import workspace

BASE = ROOT / ".envs/base/bin"
LIMIT = 400  # lines of a file


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A command in the repository."""
    environment = {name: value for name, value in os.environ.items() if name not in ("SNOW_PARAMS", "PYTHONPATH")}
    return subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def tracked(*patterns: str) -> list[Path]:
    """Files of the project as git sees them, untracked ones included."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("snakefmt", "--check", "Snakefile", "rules"),
    ],
    ids=" ".join,
)
def test_linters_are_clean(command: tuple[str, ...]) -> None:
    done = run(Path(sys.executable).with_name(command[0]), *command[1:])
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_clean_in_a_clone_that_ran(tmp_path: Path) -> None:
    """Folders of artifacts have names that packages have too."""
    for folder in ("snow", "tests/typings"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values():
        for output in stage["outs"]:
            name = output if isinstance(output, str) else next(iter(output))
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
    done = run(Path(sys.executable).with_name("pyright"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint_is_clean() -> None:
    done = run(BASE / "snakemake", "--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_dvc_yaml_and_the_rules_agree() -> None:
    done = run(BASE / "snow", "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_papers_scale_builds_its_graph_for_a_cluster(tmp_path: Path) -> None:
    """With a part of its shards: all of them cost Snakemake a minute."""
    assert yaml.safe_load((ROOT / "scales/paper.yaml").read_text())["shards"] == 512
    clone = workspace.create(tmp_path / "clone", tiny=False)
    (clone.path / "slurm/site.yaml").write_text("{partition: main, gpu_partition: gpu, gpu_type: h100, account: }")
    done = clone.snakemake(
        "--profile", "slurm", "--profile", "slurm/paper", "--configfile", "scales/paper.yaml", "--config", "shards=48", "-n", "all"
    )
    assert re.search(r"(?m)^score +48$", done.stdout)
    phases = re.findall(r"(?ms)^rule pretrain:.*?threads: (\d+)\n    resources: .*?mem_mb=(\d+), .*?gpu=(\d), nodes=(\d),", done.stdout)
    assert phases == [("64", "900000", "8", "4")] * 4


def test_every_rule_says_what_it_needs() -> None:
    for file in tracked("rules/*.smk"):
        for rule in re.split(r"(?m)^rule (?=\w+:)", file.read_text())[1:]:
            for directive in ("log", "benchmark", "threads", "resources", "shell"):
                assert re.search(rf"(?m)^    {directive}:", rule), f"{file.name}: rule {rule.split(':')[0]} has no {directive}"
            assert ("gpu=" in rule) == ("--gpus {resources.gpu}" in rule), f"{file.name}: rule {rule.split(':')[0]}"


def test_help_is_fast() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run(BASE / "snow", "--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3, "the best of three: what shares the processor costs its time too"


def test_nothing_to_parse_is_heavy() -> None:
    done = run(BASE / "python", "-X", "importtime", "-c", "import snow.workflow")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert loaded.isdisjoint({"torch", "transformers", "datasets", "pyarrow", "numpy", "numba", "dvc"})


def test_files_are_short() -> None:
    long = {
        file.relative_to(ROOT): lines for file in tracked("*.py", "*.smk", "Snakefile") if (lines := file.read_text().count("\n")) > LIMIT
    }
    assert long == {}


def test_no_path_of_a_machine_and_no_registry_is_in_any_file() -> None:
    machine = re.compile(r"(?<![\w.])/(root|work|home/[a-z]+)/|" + "pypi" + r"\.org|python" + r"hosted|debian\.org|npm" + r"js\.(com|org)")
    found = []
    for file in tracked("*.py", "*.smk", "*.yaml", "*.md", "*.txt", "*.in", "*.toml", "Makefile", "Snakefile", ".ci/*", "envs/*"):
        found += [f"{file.relative_to(ROOT)}: {line.strip()}" for line in file.read_text().splitlines() if machine.search(line)]
    assert found == []
