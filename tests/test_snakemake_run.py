"""What we read of Snakemake's own objects is there and means what we take it to mean: a new version that changes it fails here."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from snow import snakemake_run

from . import forked
from .conftest import ROOT

SNAKEFILE = """\
import json
from snow import snakemake_run

given = snakemake_run.default_resource(workflow, "site")
absent = snakemake_run.default_resource(workflow, "no_such_resource")

rule all:
    input: expand("out/{n}", n=range(3))

rule part:
    output: "out/{n}"
    shell: "[ {wildcards.n} != 2 ] && touch {output}"

onstart:
    with open("told.json", "w") as stream:
        json.dump([given, absent, snakemake_run.jobs_to_run(workflow)], stream)

onerror:
    failed = [job.wildcards.n for job in snakemake_run.failed_jobs(workflow)]
    with open("failed.json", "w") as stream:
        json.dump([failed, snakemake_run.executes(workflow)], stream)
"""
FIRST = """\
import os
from snow import snakemake_run

rule all:
    input: "all.txt"

rule some:
    output: "{name}.txt"
    shell: "echo {wildcards.name} >> ran; touch {output}"

onstart:
    if "SOME_SETTLED" not in os.environ:
        snakemake_run.run_first(workflow, "first.txt", {"SOME_SETTLED": "yes"})
        snakemake_run.start_over({"SOME_SETTLED": "yes"})
"""
HURRIED = """\
import threading
from snow import snakemake_run

rule all:
    input: "first", "second"

rule some:
    input: lambda wildcards: ["first"] if wildcards.name == "second" else []
    output: "{name}"
    shell: "touch {output}"

onstart:
    snakemake_run.start_at_once(workflow)

onsuccess:
    with open("told", "w") as stream:
        stream.write(f"{workflow.scheduler.job_rate_limiter} {any(isinstance(each, threading.Timer) for each in threading.enumerate())}")
"""
SPEAKING = """\
import json, logging
from snow import snakemake_run

speaks = snakemake_run.speaks(workflow)

rule all:
    input: expand("out/{n}.{letter}", n=range(2), letter="a"), "late"
    threads: 3

rule part:
    output: "out/{n}.{letter}"
    threads: 2
    shell: "touch {output}"

rule late:
    input: "out/1.a"
    output: "late"
    shell: "touch {output} && {config[late]}"

class Heard(logging.Handler):
    def emit(self, record):
        told = record.__dict__
        heard.append([told.get("event"), told.get("jobid", told.get("job_id"))])

def write():
    with open("told.json", "w") as stream:
        json.dump([speaks, snakemake_run.cores(workflow), jobs, heard, snakemake_run.log_file(workflow)], stream)

heard, jobs = [], {}

onstart:
    jobs.update({number: [job.rule, job.parts, job.threads, job.needs] for number, job in snakemake_run.planned(workflow).items()})
    snakemake_run.show_only(lambda record: record.levelno > logging.INFO)
    snakemake_run.hear(Heard())

onsuccess:
    write()

onerror:
    write()
"""
UNKNOWN = """\
from snow import snakemake_run

if config.get("less"):
    snakemake_run.announce_less(workflow)

rule some:
    output: "some.txt"
    shell: "touch {output}"
"""
CORES = """\
from snow import snakemake_run

if workflow.is_main_process:
    snakemake_run.forget_cores(workflow)

rule wide:
    output: "wide.txt"
    threads: 64
    shell: "echo {threads} > {output}"
"""
GPUS = """\
import json
from snow import snakemake_run
from snow import workflow as snow_workflow

if workflow.is_main_process:
    snow_workflow.count_gpus(workflow)

rule all:
    input: "one", "served"

rule one:
    output: "one"
    resources: gpu=snow_workflow.gpus(workflow)
    shell: "echo {resources.gpu} > {output}"

rule served:
    output: "served"
    resources: gpu=snow_workflow.gpus(workflow, lambda wildcards: 6)
    shell: "echo {resources.gpu} > {output}"

onstart:
    if workflow.is_main_process:
        with open("beyond.json", "w") as stream:
            json.dump([snakemake_run.most(workflow, "gpu"), snakemake_run.beyond(workflow, "gpu")], stream)
"""

QUICK = ("--seconds-between-status-checks", "1")


def snakemake(folder: Path, text: str, *words: str, status: int = 0) -> str:
    """`snakemake WORDS` on a Snakefile."""
    (folder / "Snakefile").write_text(text)
    environment = os.environ | {"PATH": f"{forked.environments() / 'base/bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["snakemake", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_what_a_run_is_told_and_what_it_will_do(tmp_path: Path) -> None:
    snakemake(tmp_path, SNAKEFILE, "-c1", "-k", "--default-resources", "site='x.yaml'", status=1)
    assert json.loads((tmp_path / "told.json").read_text()) == ["'x.yaml'", None, {"all": 1, "part": 3}]
    assert json.loads((tmp_path / "failed.json").read_text()) == [["2"], True]


def test_another_target_first_and_then_the_same_command(tmp_path: Path) -> None:
    snakemake(tmp_path, FIRST, "--nolock", "-c1", "all.txt", "--quiet", "all")
    assert (tmp_path / "ran").read_text().split() == ["first", "all"]


def test_what_fails_first_ends_the_run_with_its_status(tmp_path: Path) -> None:
    said = snakemake(
        tmp_path, FIRST.replace('shell: "', 'shell: "test {wildcards.name} != first; '), "--nolock", "-c1", "all.txt", status=1
    )
    assert not (tmp_path / "ran").exists()
    assert said.count("Error in rule some") == 1


def test_a_dry_run_makes_nothing_first(tmp_path: Path) -> None:
    snakemake(tmp_path, FIRST, "-n", "all.txt")
    assert not (tmp_path / "ran").exists()


def test_a_dry_run_does_not_miss_the_metadata_that_is_dropped(tmp_path: Path) -> None:
    snakemake(tmp_path, UNKNOWN, "-c1", "--drop-metadata")
    assert snakemake_run.MISSING in snakemake(tmp_path, UNKNOWN, "-n")
    said = snakemake(tmp_path, UNKNOWN, "-n", "--config", "less=yes")
    assert snakemake_run.MISSING not in said
    assert "Nothing to be done" in said


def test_a_run_ends_with_its_last_job_unless_somebody_limits_its_jobs(tmp_path: Path) -> None:
    snakemake(tmp_path, HURRIED, "-c1")
    assert (tmp_path / "told").read_text() == "None False"
    snakemake(tmp_path, HURRIED, "-c1", "-F", "--max-jobs-per-timespan", "50/1s")
    assert (tmp_path / "told").read_text().endswith("> True")


def test_a_run_that_submits_has_no_cores_of_its_own(tmp_path: Path) -> None:
    """Through the cluster executor, with a submit command that runs the job script in place and notes what was asked for."""
    (tmp_path / "submit").write_text('echo $1 > asked.txt; sh "$2" > log.txt 2>&1; echo 1')
    submit = "sh submit {threads}"
    words = ["--executor", "cluster-generic", "-j1", "-c2", "--cluster-generic-submit-cmd", submit, *QUICK, "wide.txt"]
    snakemake(tmp_path, CORES, *words)
    assert (tmp_path / "asked.txt").read_text() == "64\n"


def test_a_rule_asks_a_cluster_for_gpus_and_this_machine_for_those_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "submit").write_text('sh "$1" > log.txt 2>&1; echo 1')
    cluster = ["--executor", "cluster-generic", "-j1", "--cluster-generic-submit-cmd", "sh submit", *QUICK, "--default-resources", "gpu=0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    snakemake(tmp_path, GPUS, *cluster)
    assert {name: (tmp_path / name).read_text() for name in ("one", "served")} == {"one": "0\n", "served": "6\n"}
    snakemake(tmp_path, GPUS, *cluster, "--set-resources", "one:gpu=2", "-F")
    assert (tmp_path / "one").read_text() == "2\n"
    snakemake(tmp_path, GPUS, "-c4", "-F")
    assert {name: (tmp_path / name).read_text() for name in ("one", "served")} == {"one": "0\n", "served": "0\n"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5,6,7")
    snakemake(tmp_path, GPUS, "-c4", "-F")
    assert {name: (tmp_path / name).read_text() for name in ("one", "served")} == {"one": "1\n", "served": "6\n"}
    assert json.loads((tmp_path / "beyond.json").read_text()) == [8, {}]
    snakemake(tmp_path, GPUS, "-c4", "-F", "--resources", "gpu=5")
    assert json.loads((tmp_path / "beyond.json").read_text()) == [5, {"served": 6}]


def told(folder: Path, *words: str, late: str = "true", status: int = 0) -> tuple[str, list[Any]]:
    """What a run of SPEAKING says on the terminal, and what it was told."""
    said = snakemake(folder, SPEAKING, "-c2", "--config", f"late={late}", *words, status=status)
    return said, json.loads((folder / "told.json").read_text())


def test_the_jobs_of_a_run_what_becomes_of_them_and_its_log_are_told(tmp_path: Path) -> None:
    said, (speaks, cores, jobs, heard, log) = told(tmp_path)
    assert (speaks, cores) == (True, 2)
    by_rule = {(rule, *parts): (int(number), threads, needs) for number, (rule, parts, threads, needs) in jobs.items()}
    first, second, late = by_rule["part", "0", "a"], by_rule["part", "1", "a"], by_rule["late",]
    assert (first[1:], second[1:], late[1:]) == ((2, []), (2, []), (1, [second[0]]))
    assert sorted(by_rule["all",][2]) == sorted([first[0], second[0], late[0]])
    for number in (first[0], second[0], late[0]):
        assert heard.index(["job_info", number]) < heard.index(["job_finished", number])
    assert "Finished jobid" not in said
    assert Path(log).read_text().count("Finished jobid") == 4


def test_a_job_that_fails_is_told_and_shown(tmp_path: Path) -> None:
    said, (_, _, jobs, heard, _) = told(tmp_path, late="false", status=1)
    (number,) = (int(number) for number, (rule, *_) in jobs.items() if rule == "late")
    assert ["job_error", number] in heard
    assert "Error in rule late" in said


@pytest.mark.parametrize("words", [["--verbose"], ["--printshellcmds"], ["--quiet", "rules"]])
def test_who_asks_for_more_or_less_gets_snakemakes_own(tmp_path: Path, words: list[str]) -> None:
    assert told(tmp_path, *words)[1][0] is False
