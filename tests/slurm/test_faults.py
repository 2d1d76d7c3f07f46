"""What goes wrong on clusters: the run ends by itself with everything done, and no finished shard is repeated."""

from __future__ import annotations

import os
import signal

import pytest

from .project import SNAKEFILE, Project


def test_a_cancelled_shard_is_submitted_again(project: Project) -> None:
    run = project.write(held="1").start("all")
    project.wait(lambda: project.started("1") and project.done("0", "2"), "shard 1 to run")
    project.cluster.command("scancel", project.running("1"))
    project.wait(lambda: project.starts()["1"] == 2, "shard 1 to run again")
    project.release()
    run.succeeds()
    assert project.starts() == {"0": 1, "1": 2, "2": 1}


def test_a_job_cancelled_while_it_waits_is_submitted_again(project: Project) -> None:
    project.write(shards=1)
    project.cluster.command("scontrol", "update", "partitionname=main", "state=down")
    try:
        run = project.start("all")
        project.wait(lambda: bool(project.cluster.number_of("shard.n=0", "pending")), "shard 0 to wait")
        project.cluster.command("scancel", project.cluster.number_of("shard.n=0", "pending") or "")
    finally:
        project.cluster.command("scontrol", "update", "partitionname=main", "state=up")
    run.succeeds()
    assert project.starts() == {"0": 1}


def test_a_dead_node_costs_only_its_jobs(project: Project) -> None:
    cluster = project.cluster
    if not cluster.isolated:
        pytest.skip("a node can be killed as a whole only where tests run as root")
    run = project.write(held="012").start("all")
    project.wait(lambda: project.started("0", "1", "2"), "all shards to run")
    project.release("0")
    project.wait(lambda: project.done("0"), "shard 0")
    node = cluster.details(project.running("1"))["NodeList"]
    lost = [shard for shard in "12" if cluster.details(project.running(shard))["NodeList"] == node]
    cluster.kill_node(node)
    project.release()
    run.succeeds()
    assert project.starts() == {shard: 2 if shard in lost else 1 for shard in "012"}
    other = next(name for name in cluster.names if name != node)
    assert {(project.path / "out" / f"{shard}.txt").read_text().strip() for shard in lost} == {other}


def test_a_restarted_controller_is_not_noticed(project: Project) -> None:
    run = project.write(held="12").start("all")
    project.wait(lambda: project.started("1", "2") and project.done("0"), "shards to run")
    project.cluster.stop_controller()
    project.release("1")
    project.wait(lambda: project.done("1"), "shard 1 to end without a controller")
    project.cluster.start_controller()
    project.release()
    run.succeeds()
    assert set(project.starts().values()) == {1}


def test_after_a_kill_the_same_command_takes_over_the_jobs(project: Project) -> None:
    """The filesystem says what is done, the queue what is on its way: nothing starts twice, and no step in between is needed."""
    run = project.write(held="12").start("all")
    project.wait(lambda: project.started("1", "2") and project.done("0"), "shards to run")
    run.kill()
    project.release("2")
    project.wait(lambda: project.done("2"), "an orphan to finish")
    again = project.start("all")
    project.wait(lambda: "shard n=1 is under way as job" in again.said, "shard 1 to be taken over")
    project.release()
    again.succeeds()
    assert set(project.starts().values()) == {1}


def test_a_job_left_behind_that_was_given_other_inputs_is_replaced(project: Project) -> None:
    waits = "while [ -e hold/x ]; do sleep 0.1; done; cat {input} > {output}"
    project.write((f'{SNAKEFILE}\nrule given:\n    input: "given.txt"\n    output: "copied.txt"\n    shell: "{waits}"\n'), held="x")
    (project.path / "given.txt").write_text("old")
    run = project.start("given")
    project.wait(lambda: bool(project.cluster.number_of("given", "running")), "the job to run")
    first = project.cluster.number_of("given") or ""
    run.kill()
    (project.path / "given.txt").write_text("newer")
    again = project.start("given")
    project.wait(lambda: project.cluster.details(first)["JobState"] == "CANCELLED", "the old job to be cancelled")
    project.release()
    again.succeeds()
    assert (project.path / "copied.txt").read_text() == "newer"
    assert project.cluster.number_of("given") != first


def test_interrupting_snakemake_cancels_its_jobs(project: Project) -> None:
    run = project.write(held="012").start("all")
    project.wait(lambda: project.started("0", "1", "2"), "all shards to run")
    os.kill(run.process.pid, signal.SIGINT)
    assert run.ends() == 1
    project.wait(lambda: not project.cluster.jobs("pending,running"), "the queue to be empty")


def test_a_preempted_job_waits_and_goes_on_under_its_number(project: Project) -> None:
    number = run_through_preemption(project, "cheap")
    assert project.running("0") == number
    assert project.cluster.details(number)["Restarts"] == "1"


def test_a_job_preempted_for_good_is_submitted_again(project: Project) -> None:
    number = run_through_preemption(project, "cheapest")
    assert project.cluster.details(number)["JobState"] == "PREEMPTED"
    assert project.running("0") != number


def run_through_preemption(project: Project, partition: str) -> str:
    """A run of one shard whose job is preempted and started a second time, seen to its end; the number the job had at first."""
    project.write(shards=1, held="0").site(partition=partition)
    run = project.start("all")
    project.wait(lambda: project.started("0"), "shard 0 to run")
    number = project.running("0")
    preempt(project)
    project.wait(lambda: project.starts()["0"] == 2, "shard 0 to run again")
    project.release()
    run.succeeds()
    return number


def preempt(project: Project) -> None:
    """Fill the cluster for a second with a job of a partition that goes first."""
    everything = ["--nodes=2", "--exclusive", "--partition=urgent"]
    project.cluster.command("srun", *everything, "sleep", "1", timeout=120)
