"""What the Snakefile needs of snow at parse time: checked params, specs and file times brought up to date, resources."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from snow import devices, digest, job, needs, own_code, snakemake_run, source_code, stages
from snow import params as settings
from snow.caching import commit, cutoff, hashes, ledger, locked, pipeline, preflight, reconcile, strays, times
from snow.caching.store import open_store
from snow.errors import SnowError
from snow.graph import Graph
from snow.slurm import site

if TYPE_CHECKING:
    from snow.console.run import Run


def prepare(values: Mapping[str, Any]) -> settings.Params:
    """Check the merged configuration and make it the params of every job of this run, local or on a cluster.

    Rules call `snow` by name and leave its params to SNOW_PARAMS, a copy of what was checked, so their shell lines are the same for
    every scale and an edit of params.yaml concerns the next run. A Snakemake that was started without activating its environment
    finds `snow` all the same, and this clone's. Raises SnowError; also under DVC, which records params.yaml, when this run's params
    are others.
    """
    own_code.require()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    values = _in_order(values, settings.read(preflight.PARAMS))
    checked = settings.check(values, "params.yaml")
    if DVC in os.environ:
        _require_recordable(values, os.environ[DVC])
    os.environ["SNOW_PARAMS"] = _frozen(values)
    return checked


def _require_recordable(values: Mapping[str, Any], stage: str) -> None:
    """SnowError when DVC would record a stage for something else than what this run makes; what DVC deleted to run it is put back."""
    if not _recorded(values):
        refused = (
            f"DVC runs the stage {stage} and records params.yaml, but a profile's configfile or config gives this run other "
            "params; write them into params.yaml, or start `snakemake` itself"
        )
    elif not pipeline.has_every_artifact():
        refused = "params.yaml declares other artifacts than dvc.yaml has stages for; run `snow check --fix`, then `dvc repro` again"
    else:
        return
    store = open_store()
    if store is not None:
        locked.put_back(store, stage)
    raise SnowError(refused)


def _in_order(values: Any, wanted: Any) -> Any:
    """Mappings in the order of another value, what that does not have behind: Snakemake puts an overlay's keys before the file's."""
    if not (isinstance(values, Mapping) and isinstance(wanted, Mapping)):
        return values
    return {key: _in_order(values[key], wanted.get(key)) for key in dict.fromkeys([*(key for key in wanted if key in values), *values])}


def _recorded(values: Mapping[str, Any]) -> bool:
    """Whether params.yaml says the same now."""
    return settings.read(preflight.PARAMS) == values


def _frozen(values: Mapping[str, Any]) -> str:
    """The path of a copy of the params, named by content."""
    text = json.dumps(values)
    path = Path(".snow/params") / f"{digest.sha256(text)[:16]}.yaml"
    if not path.exists():
        digest.replace(path, yaml.safe_dump(json.loads(text), sort_keys=False))
    return str(path)


def synchronise(params: settings.Params) -> None:
    """In the main process, before the graph is built: specs written, file times made to agree with contents, leftovers removed.

    Beside a run that has the directory's lock nothing is changed: a dry run may look on, a second run ends in `begin`.
    """
    global _synchronised
    preflight.check()
    lock = reconcile.hold_lock(patience=_patience())
    if lock is None:
        return
    _synchronised = True
    with lock, hashes.packed():
        seen = ledger.look(params)
        reconcile.write_specs(seen)
        strays.remember(seen.graph)
        times.project(seen)
        job.sweep_staging()
        _see_to_locked(seen)


def _see_to_locked(seen: ledger.Ledger) -> None:
    """Mend listings of what dvc.lock names, and say before anything is computed which results of it are neither here nor in the cache."""
    store = open_store()
    if store is not None:
        locked.mend_listings(store)
    missing = [path for path in sorted(seen.present) if seen.present[path] is None]
    lost = locked.lost(store, missing) if store is not None and missing else []
    if lost:
        shown = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        print(
            f"snow: dvc.lock names results that are neither here nor in the cache: {shown}; `dvc pull` fetches what somebody pushed, "
            "the rest will be computed",
            file=sys.stderr,
        )


def begin(workflow: Any, params: settings.Params) -> None:
    """Before the first job: the directory's lock for the rest of this process, what is here recorded in the cache, and shards the
    recipe no longer has removed. May start the command over, see `snow.caching.cutoff`.

    Raises SnowError when another run has the lock, a `dvc` command works on the artifacts, or an environment is not installed.
    """
    global _began
    _began = True
    if not _synchronised:
        raise SnowError(reconcile.BUSY)
    graph = stages.graph(params)
    _require(workflow, params)
    _check_outside(workflow, graph, params)
    cutoff.make_first(workflow, params)
    _held.append(reconcile.require_lock(_patience()))
    if DVC not in os.environ and cutoff.FIRST not in os.environ and Path(".dvc").is_dir():
        from snow.caching import dvc_repo

        _claims.enter_context(dvc_repo.claimed(graph.artifacts))
        atexit.register(_claims.close)  # also of a run that fails
    reconcile.record_present()
    strays.remove(graph)
    snakemake_run.start_at_once(workflow)
    _begin_telling(workflow, params)


def _begin_telling(workflow: Any, params: settings.Params) -> None:
    from snow.console import run  # here, because a run that has nothing to do is quick

    global _told
    _told = run.begin(workflow, params)


def stop_telling() -> None:
    """After the last job, however it ended: nothing more is said of jobs, here and to `snow watch`."""
    if _told is not None:
        _told.stop()


def _require(workflow: Any, params: settings.Params) -> None:
    """Before days are spent on what comes before a job that could not start. SnowError with all that is missing."""
    if missing := _missing(workflow, params):
        raise SnowError(missing[0] if len(missing) == 1 else "\n  - ".join(["these things are missing:", *missing]))


def _missing(workflow: Any, params: settings.Params) -> list[str]:
    """What the jobs that the run would start need and do not have here."""
    graph, here = stages.graph(params), snakemake_run.default_resource(workflow, GPU) is None
    asked = {graph.job(job.rule.name, job.wildcards).name for job in snakemake_run.asked_for(workflow) if job.rule.name in stages.STAGES}
    running = [job for job in graph.jobs if job.name in asked]  # Snakemake's are in no order
    many = snakemake_run.beyond(workflow, GPU) if here else {}
    gpus = snakemake_run.most(workflow, GPU) if here else None
    return [
        *(
            f"{rule} asks for {asked} GPUs, and there are {gpus} here; give it fewer with --set-resources {rule}:gpu=N"
            for rule, asked in many.items()
        ),
        *needs.missing(running, params, gpus, not workflow.deployment_settings.deployment_method),
    ]


def say_missing(workflow: Any, params: settings.Params) -> None:
    """After the graph that a dry run shows: what a real run would be refused for."""
    atexit.register(_say_missing, workflow, params)


def _say_missing(workflow: Any, params: settings.Params) -> None:
    if workflow.dag is not None and snakemake_run.is_dry(workflow) and (missing := _missing(workflow, params)):
        print("\n  - ".join(["snow: before these jobs can run, this is missing:", *missing]), file=sys.stderr)


def _check_outside(workflow: Any, graph: Graph, params: settings.Params) -> None:
    """Before what comes first has been computed: what jobs that will run read outside the repository can be had, where their stage can
    tell; but for results that the cache has, and in environments that Snakemake makes, which may not be there yet."""
    store = open_store()
    for running in workflow.dag.needrun_jobs() if not workflow.deployment_settings.deployment_method else ():
        stage = stages.STAGES.get(running.rule.name)
        if stage is None or stage.check is None:
            continue
        one = graph.job(stage.name, running.wildcards)
        outputs = {name: Path(path) for name, path in {**one.outputs, "receipt": one.receipt}.items()}
        if store is None or job.recorded(job.call(stage, one.instance, params, {}, outputs, 1), store) is None:
            importlib.import_module(stage.check).check(params, one.instance, stages.environment_of(one))


def _patience() -> float:
    """Seconds to wait for another run to end. One that began beside a stage of DVC's has the directory's lock for a moment, until DVC
    refuses it the artifacts: the stage goes on."""
    return 30 if DVC in os.environ else 0


def end(params_values: Mapping[str, Any], params: settings.Params) -> None:
    """After the last job of a run that succeeded: dvc.lock follows, unless DVC itself started the run and will write it, or another
    run did. Raises SnowError when what DVC is about to record is not what was used."""
    stop_telling()
    if DVC in os.environ:
        if not _recorded(params_values):
            raise SnowError(f"params.yaml was edited while DVC ran {os.environ[DVC]}; run `dvc repro` again")
        _require_current(params, os.environ[DVC])
        store = open_store()
        if store is not None:
            locked.mend_listings_to_come(store)
    elif cutoff.FIRST not in os.environ:
        _claims.close()
        _commit(os.environ | {reconcile.HELD: str(os.getpid())})
        _require_made(params)
        if _told is not None and _told.speaks:
            from snow.console import summary

            summary.say(_told)


def _require_made(params: settings.Params) -> None:
    """SnowError when what jobs of this run made is not what lies there: DVC's lock of paths holds off `dvc repro` and `dvc commit`, but
    neither `dvc checkout` and `dvc pull` nor an editor."""
    verdicts = ledger.look(params).verdicts
    for name in _told.done if _told is not None else ():
        verdict = verdicts[name]
        if verdict.state == "missing" or any(cause.kind in ("param", "output") for cause in verdict.causes):
            raise SnowError(
                f"what {name} made is not what lies there now: something else wrote there while the run worked, `dvc checkout`, `dvc pull` "
                "or an editor; run the same command again"
            )


def _require_current(params: settings.Params, artifact: str) -> None:
    """SnowError when code or files were changed since the jobs of an artifact were done: DVC records what it finds."""
    source_code.forget()
    seen = ledger.look(params)
    other = next((job.name for job in seen.graph.jobs if job.artifact == artifact and job.name not in seen.current), None)
    if other is not None:
        raise SnowError(f"code, or what {other} read or made, was changed while DVC ran {artifact}; run `dvc repro` again")


def _commit(variables: Mapping[str, str]) -> None:
    status = subprocess.run(["snow", "commit"], env=variables, check=False).returncode
    if status:
        raise SnowError(f"every job is done, but dvc.lock could not be written (`snow commit` ended with {status}, see above)")


def commit_when_idle(workflow: Any) -> None:
    """At the end of a real run that had nothing to do: Snakemake calls no `onsuccess` then, but a comment in a module that
    dvc.lock lists has still changed that file, and the cache may have lost what is here. A dry run, and a run that DVC started, write
    nothing."""
    if DVC not in os.environ:
        atexit.register(_commit_if_idle, workflow)


def _commit_if_idle(workflow: Any) -> None:
    if not _began and snakemake_run.executes(workflow) and commit.due():
        subprocess.run(["snow", "commit"], check=False)


GPU = "gpu"  # the resource
DVC = "DVC_STAGE"  # set by DVC in a stage's command
_synchronised = False  # whether this process saw to file times; a run was going on where it could not
_began = False  # whether this run had jobs to start
_told: Run | None = None  # what a run that has jobs to start tells of them
_held: list[Any] = []  # the lock lives as long as this process
_claims = contextlib.ExitStack()  # on DVC's side, until dvc.lock is written


def growing(amount: int) -> Callable[[Any, int], int]:
    """Memory or time that doubles with the second and third attempt, for jobs the cluster ended for asking too little."""

    def requested(wildcards: Any, attempt: int) -> int:
        return amount * 2 ** min(attempt - 1, 2)

    return requested


def gpus(workflow: Any, wanted: Callable[[Any], int] | None = None) -> Callable[[Any], int]:
    """The resource `gpu` of a rule, as a function of its wildcards: `wanted`, else one, and none on a machine without. A cluster's
    profile, which has a `gpu` for all rules, says how many it is where nothing is `wanted`."""
    default = snakemake_run.default_resource(workflow, GPU)
    if default is not None:
        return wanted or (lambda wildcards: int(default))
    most = len(devices.visible())
    return (wanted or (lambda wildcards: 1)) if most else (lambda wildcards: 0)


def count_gpus(workflow: Any) -> None:
    """In the main process of a run on this machine: its jobs together have the GPUs there are, or of them as many as
    `--resources gpu=N` says."""
    if snakemake_run.default_resource(workflow, GPU) is None:
        snakemake_run.limit(workflow, GPU, len(devices.visible()))


def prepare_submission(workflow: Any) -> None:
    """In the main process of a run under the profile `slurm`: the site file checked before the first submission. Raises SnowError."""
    path = snakemake_run.default_resource(workflow, "site")  # the profile's way to say where the site file is
    if path is not None:
        site.load(Path(path))
        snakemake_run.forget_cores(workflow)
