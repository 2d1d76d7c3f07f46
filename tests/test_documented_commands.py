"""The commands that the README shows mean to Snakemake what they say: several of its options swallow the words that follow."""

from __future__ import annotations

import re
import shlex

import pytest
from snakemake.cli import get_argument_parser

from snow import params as settings
from snow import stages

from .conftest import ROOT

TARGETS = {"all", *stages.graph(settings.load(ROOT / "params.yaml")).artifacts}


def commands() -> list[str]:
    """Each `snakemake ...` of the README's code blocks and backticks, and of the comments of Snakefile, Makefile and profiles."""
    found: list[str] = []
    for file in ("README.md", "Makefile", "Snakefile", "slurm/config.yaml", "slurm/paper/config.yaml", "slurm/site.example.yaml"):
        for line in (ROOT / file).read_text().splitlines():
            block = line.startswith(("    ", "#  ", "\t"))
            found += re.findall(r"`(snakemake [^`{]+)`", line)
            found += re.findall(r"(?:^|[ ;\"/])(snakemake [^;#\"`]+)", line) if block else []
    return list(dict.fromkeys(command.strip() for command in found))


@pytest.mark.parametrize("command", commands())
def test_targets_are_read_as_targets(command: str) -> None:
    words = shlex.split(command)[1:]
    options = get_argument_parser().parse_args(words)
    assert set(options.targets) == TARGETS.intersection(words), f"{command}: Snakemake reads {options.targets} as targets"
    for file in options.configfile or []:
        assert (ROOT / file).is_file(), f"{command}: Snakemake reads {file} as a configuration file"


def test_the_readme_shows_commands_of_every_kind() -> None:
    shown = commands()
    assert any("--profile slurm/paper" in command and "--configfile" in command for command in shown)
    assert {"snakemake all", "snakemake -n all"} <= set(shown)
