"""`snow STAGE [INSTANCE] --input NAME PATH... --output NAME PATH`: one job, runnable by hand.

Params come from `--params`, else from the file SNOW_PARAMS names (the Snakefile sets it), else from params.yaml.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from snow import __version__
from snow.errors import SnowError
from snow.stages import STAGES, stage


def parser() -> argparse.ArgumentParser:
    """The command line, without importing anything heavy."""
    top = argparse.ArgumentParser(prog="snow", description="The Arctic-SnowCoder recipe, one job at a time; the Snakefile runs them all.")
    top.add_argument("--version", action="version", version=f"snow {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="STAGE")
    for name in STAGES:
        command = commands.add_parser(name, help=f"run one job of {STAGES[name].module}")
        command.add_argument("instance", nargs="?", default="all", help="shard, phase, or model/suite")
        command.add_argument("--params", type=Path, default=Path(os.environ.get("SNOW_PARAMS", "params.yaml")), metavar="FILE")
        command.add_argument("--input", nargs="+", action="append", default=[], metavar=("NAME", "PATH"))
        command.add_argument("--output", nargs=2, action="append", default=[], metavar=("NAME", "PATH"))
        command.add_argument("--threads", type=int, default=1)
    return top


def _inputs(pairs: list[list[str]]) -> dict[str, tuple[Path, ...]]:
    named: dict[str, tuple[Path, ...]] = {}
    for name, *paths in pairs:
        named[name] = (*named.get(name, ()), *(Path(path) for path in paths))
    return named


def _run_stage(options: argparse.Namespace, arguments: list[str]) -> None:
    from snow import environments

    chosen = stage(options.command)
    environments.enter(chosen.env, arguments)  # does not return when another environment is needed
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))  # read by torch and numpy when they are first imported

    from snow import job, params

    job.run(
        chosen,
        options.instance,
        params.load(options.params),
        _inputs(options.input),
        {name: Path(path) for name, path in options.output},
        options.threads,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 on success, 2 with one sentence on bad input. Other exceptions are bugs and propagate."""
    given = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(given)
    try:
        _run_stage(options, given)
    except SnowError as error:
        print(f"snow {options.command}: {error}", file=sys.stderr)
        return 2
    return 0
