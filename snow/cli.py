"""`snow STAGE [INSTANCE] --input NAME PATH... --output NAME PATH`: one job, runnable by hand.

`@FILE` among the paths means those that a file lists. Params come from `--params`, else from the file SNOW_PARAMS names (the Snakefile
sets it), else from params.yaml.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from snow import __version__, listing, own_code
from snow.errors import SnowError
from snow.stages import STAGES, environment_of, stage


def parser() -> argparse.ArgumentParser:
    """The command line, without importing anything heavy."""
    top = argparse.ArgumentParser(prog="snow", description="The Arctic-SnowCoder recipe, one job at a time; the Snakefile runs them all.")
    top.add_argument("--version", action="version", version=f"snow {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="STAGE")
    for name in STAGES:
        command = _add(commands, name, f"run one job of {STAGES[name].module}")
        command.add_argument("instance", nargs="?", default="all", help="shard, name, or name/shard")
        command.add_argument("--input", nargs="+", action="append", default=[], metavar=("NAME", "PATH"))
        command.add_argument("--output", nargs=2, action="append", default=[], metavar=("NAME", "PATH"))
        command.add_argument("--threads", type=int, default=1)
        command.add_argument("--gpus", type=int, metavar="N", help="GPUs that no other job has meanwhile; all that are seen if left out")
        if name == "judge":
            command.usage = "snow judge SUITE SAMPLES [--partial] [--threads N], or a job's INSTANCE with --input and --output"
            command.add_argument("samples", nargs="?", type=Path, help="a samples file, to be judged on the suite INSTANCE: a name or file")
            command.add_argument("--partial", action="store_true", help="judge what there is of the samples file; exit status 1")
    _add_commands(commands)
    return top


def _add(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text)
    command.add_argument("--params", type=Path, default=Path(os.environ.get("SNOW_PARAMS", "params.yaml")), metavar="FILE")
    return command


def _add_commands(commands: Any) -> None:
    """What asks about or tends the whole run; STAGE is the name of one of the commands above."""
    add = functools.partial(_add, commands)
    why = add("why", "which jobs a run would execute, and the exact cause of each; exit status 1 when there are any")
    why.add_argument("artifact", nargs="?", metavar="ARTIFACT", help="as `snakemake` and `dvc repro` name it; all if left out")
    why.add_argument("--json", action="store_true")
    add("watch", "the running jobs of the present run, how far they are and how long they will take; exit status 1 when there is no run")
    plan = add("plan", "what a run would do and cost; exit status 1 when there is anything to do")
    plan.add_argument("--configfile", "--configfiles", nargs="+", default=[], type=Path, metavar="FILE", help="overlays, as of snakemake")
    plan.add_argument("--config", "-C", nargs="*", default=[], metavar="KEY=VALUE", help="single values, as of snakemake")
    plan.add_argument("--cores", type=_count, metavar="N", help="that a run would have; this machine's if left out")
    plan.add_argument("--gpus", type=_count, metavar="N", help="that training would have; this machine's, or 1, if left out")
    plan.add_argument("--gpu", default="h100", metavar="KIND", help="of snow/planning/gpus.yaml")
    plan.add_argument("--gpu-price", type=float, metavar="PRICE", help="of an hour of one GPU")
    plan.add_argument("--json", action="store_true")
    trace = add("trace", "a file's way through the recipe, or what an artifact is made of; exit status 1 when nothing or several are meant")
    trace.add_argument("what", metavar="PATH|ID|REPOSITORY|ARTIFACT", help="see docs/trace.md")
    trace.add_argument("--json", action="store_true")
    any_model = add("evaluate", "any model on suites of params.yaml, outside the recipe; exit status 1 when not all was judged")
    any_model.add_argument("model", metavar="MODEL", help="a model of this recipe, a folder, or a hub name, NAME@REVISION")
    any_model.add_argument("--suites", type=lambda text: text.split(","), metavar="SUITE[,SUITE]", help="all if left out")
    any_model.add_argument("--out", type=Path, metavar="FOLDER", help="evaluations/NAME if left out")
    any_model.add_argument("--limit", type=int, metavar="N", help="the first N tasks of each suite alone")
    key = add("key", "a job's key and everything that enters it")
    key.add_argument("stage", choices=STAGES, metavar="STAGE")
    key.add_argument("instance", nargs="?", default="all")
    shown = add("params", "params.yaml under overlays, as one file with its comments: `snow params scales/small.yaml > params.yaml`")
    shown.add_argument("overlays", nargs="*", type=Path, metavar="OVERLAY")
    check = add("check", "prove that dvc.yaml and the rules agree; exit status 1 when they do not")
    check.add_argument("--fix", action="store_true", help="write dvc.yaml anew")
    gc = add("gc", "show the cached objects nobody needs; --remove deletes them")
    gc.add_argument("--keep", metavar="REV", help="a commit whose artifacts are needed too")
    gc.add_argument("--keep-all-commits", action="store_true")
    gc.add_argument("--remove", action="store_true")
    gc.add_argument("--forget", metavar="PATH", action="append", default=[], help="a clone that used this cache and is gone")
    mend = add("mend", "upload what is missing or damaged on a DVC remote; exit status 1 when something remains")
    mend.add_argument("remote", nargs="?", metavar="REMOTE", help="as in `dvc remote list`; the default one if left out")
    mend.add_argument("--run-cache", action="store_true", help="also what the job records of this cache need, and the records")
    mend.add_argument("--verify", action="store_true", help="read every object there: damage that left its size is found too")
    add("commit", "write what is current to dvc.lock; the Snakefile does it after every successful run")


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def _run_command(options: argparse.Namespace) -> int:
    from snow import compose, params
    from snow.caching import check, commit, gc, mend, reconcile, show_key, why

    if options.command == "commit":
        with reconcile.require_lock() or contextlib.nullcontext():
            commit.run()
        return 0
    if options.command == "watch":
        from snow.console import watch

        return watch.run()
    if options.command == "params":
        return compose.run(options.params, options.overlays)
    if options.command == "plan":
        from snow.planning import plan

        machine = (options.cores, options.gpus, options.gpu, options.gpu_price)
        return plan.run(plan.Asked(options.params, options.configfile, options.config, *machine, options.json))
    loaded = params.load(options.params)
    match options.command:
        case "why":
            return why.run(loaded, options.artifact, options.json)
        case "trace":
            from snow.trace import run as trace

            return trace.run(loaded, options.what, options.json)
        case "evaluate":
            from snow.evaluate import anywhere

            return anywhere.run(loaded, options.model, options.suites, options.out, options.limit)
        case "key":
            return show_key.run(loaded, options.stage, options.instance)
        case "check":
            return check.run(loaded, options.fix)
        case "mend":
            return mend.run(options.remote, options.run_cache, options.verify)
        case _:
            return gc.run(options.keep, options.keep_all_commits, options.remove, options.forget)


def inputs_of(options: argparse.Namespace) -> dict[str, tuple[Path, ...]]:
    """The input paths by name that a stage's command line gives. SnowError for a list of them that is not there."""
    named: dict[str, tuple[Path, ...]] = {}
    for name, *given in options.input:
        named[name] = (*named.get(name, ()), *listing.paths(given))
    return named


def _answer(options: argparse.Namespace) -> int:
    """The exit status of a command that answers on standard output, whose reader may stop early, as `head` does."""
    try:
        status = _run_command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more when it ends
        return 128 + signal.SIGPIPE  # as a shell has it of a program that the signal ends
    return status


def _judge_samples(options: argparse.Namespace, arguments: list[str]) -> int:
    from snow import environments
    from snow.evaluate import standalone

    needed = standalone.environment(options.instance, options.params) or stage("judge").env
    environments.enter(needed, arguments)  # does not return when another environment is needed
    return standalone.run(options.instance, options.samples, options.params, options.partial, options.threads)


def _run_stage(options: argparse.Namespace, arguments: list[str]) -> None:
    from snow import devices, environments, job, params, pinned
    from snow.slurm import launch

    chosen = stage(options.command)
    outputs = {name: Path(path) for name, path in options.output}
    pinned.begin()
    asked = job.call(chosen, options.instance, params.load(options.params), inputs_of(options), outputs, options.threads)
    if not launch.is_worker() and job.restore(asked):
        print(f"snow {chosen.name} {options.instance}: restored from the cache ({asked.key[:12]})", file=sys.stderr)
        return
    # Threads that wait by spinning take the processor from the job beside this one: 3 times the CPU at two jobs on two cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    environments.enter(environment_of(asked.job), arguments)  # does not return when another environment is needed
    devices.lease(options.gpus)
    if chosen.distributed:
        launch.spread(arguments, options.threads)  # does not return when other processes do the work
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))  # read by torch and numpy when they are first imported
    job.execute(asked)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 on success, with one sentence 2 on bad input and 75 of a job that was asked to end and can be continued.
    Other exceptions are bugs and propagate."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        own_code.settle(given)
        options = parser().parse_args(given)
        if options.command not in STAGES:
            return _answer(options)
        if options.command == "judge" and options.samples is not None:
            return _judge_samples(options, given)
        _run_stage(options, given)
    except SnowError as error:
        print(f"{' '.join(['snow', *given[:1]])}: {error}", file=sys.stderr)
        return error.status
    return 0
