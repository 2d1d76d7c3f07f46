"""What a rule asks for is what Slurm is asked for, what it cannot have is refused at once, and a failure ends with its log."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from snow.errors import SnowError
from snow.slurm import site
from tests.scenarios import workspace

from .project import ROOT, SNAKEFILE, Project

ASKING = """\
rule asks:
    output: "asked.txt"
    threads: 2
    resources: mem_mb=700, runtime=123
    shell: "echo ${{CUDA_VISIBLE_DEVICES:-none}} > {output}"
"""


def ask(project: Project, *arguments: str, **values: str) -> dict[str, str]:
    """What `scontrol show job` says of the job of a rule."""
    project.write(f"{SNAKEFILE}\n{ASKING}").site(**values)
    project.run("asks", *arguments)
    return project.cluster.details(project.cluster.number_of("asks") or "")


def test_requests_reach_slurm_as_written(project: Project) -> None:
    job = ask(project)
    assert job["Partition"] == "main"
    assert job["TRES"] == "cpu=2,mem=700M,node=1,billing=2"
    assert job["TimeLimit"] == "02:03:00"
    assert job["Requeue"] == "1"
    assert job["WorkDir"] == str(project.path).split()[0]  # scontrol does not quote the space in it
    assert "ArrayJobId" not in job
    assert (project.path / f"logs/slurm/asks/all-{job['JobId']}.log").exists()


def test_gpus_come_from_the_gpu_partition_and_are_bound(project: Project) -> None:
    job = ask(project, "--set-resources", "asks:gpu=3", "asks:cpus_per_task=4")
    assert job["Partition"] == "gpu"
    assert job["TresPerNode"] == "gres:gpu:h100:3"
    assert job["CPUs/Task"] == "4"
    assert (project.path / "asked.txt").read_text() == "0,1,2\n"


def test_nodes_tasks_and_the_site_s_own_wishes(project: Project) -> None:
    wanted = {"max_minutes": "60", "max_memory_mb": "600", "sbatch": "[--nice=7, --comment=ours]"}
    project.write(f"{SNAKEFILE}\n{ASKING}")
    (project.path / "slurm/site.yaml").write_text(
        (project.path / "slurm/site.yaml").read_text().replace("}", "".join(f", {key}: {value}" for key, value in wanted.items()) + "}")
    )
    project.run("asks", "--set-resources", "asks:nodes=2", "asks:tasks=4", "asks:gpu=1")
    job = project.cluster.details(project.cluster.number_of("asks") or "")
    assert (job["NumNodes"], job["NumTasks"], job["NumCPUs"], job["TimeLimit"]) == ("2", "4", "8", "01:00:00")
    assert job["TRES"].startswith("cpu=8,mem=1200M,node=2")
    assert job["Comment"] == "ours"


def test_memory_and_time_double_when_a_job_is_tried_again(project: Project) -> None:
    project.write(shards=1)
    (project.path / "fail/0").touch()
    run = project.start("all")
    project.wait(lambda: project.starts().get("0") == 2, "the second attempt")
    second = project.cluster.details(project.running("0"))
    (project.path / "fail/0").unlink()
    assert (second["MinMemoryNode"], second["TimeLimit"]) == ("200M", "00:10:00")
    run.ends()


def test_a_group_side_by_side_stays_on_one_node(project: Project) -> None:
    project.write(shards=3).run("all", "--groups", "shard=shards", "--group-components", "shards=3")
    job = project.cluster.details(project.running("0"))
    assert job["TRES"] == "cpu=3,mem=300M,node=1,billing=3"
    assert len(list((project.path / "logs/slurm").rglob("*.log"))) == 1


def test_jobs_of_a_shard_go_into_the_queue_as_one(project: Project) -> None:
    chain = "".join(
        f'rule {rule}:\n    input: {given!r}\n    output: "{rule}/{{n}}"\n    shell: "touch {{output}}"\n'
        for rule, given in (("measure", []), ("filter", "measure/{n}"), ("minhash", "filter/{n}"))
    )
    project.write(f"{SNAKEFILE}\n{chain}").run("minhash/0", "minhash/1")
    submitted = [path.parent.name for path in (project.path / "logs/slurm").rglob("*.log")]
    assert submitted == ["filter+measure+minhash"] * 2


def test_the_last_thing_seen_of_a_failed_run_is_the_shard_and_its_log(project: Project) -> None:
    project.write(shards=2)
    (project.path / "fail/1").touch()
    run = project.start("all")
    assert run.ends() == 1
    assert run.said.splitlines()[-3:] == ["shard n=1 failed", "  log: logs/shard/1.log", "    shard 1 says why"]
    assert project.starts()["1"] == 3, "two retries"


def test_the_last_thing_seen_of_the_recipe_s_failure_is_the_shard_and_its_log(tmp_path: Path) -> None:
    """The shipped workflow, on one machine."""
    clone = workspace.create(tmp_path / "clone")
    (clone.path / "data/part-1.jsonl").write_text('{"text": "no content"}\n')
    done = clone.snakemake("corpus-raw", check=False)
    failed, log, *_, said = done.stderr[done.stderr.rindex("\ncollect shard=") + 1 :].splitlines()
    assert done.returncode == 1
    assert (failed, log) == ("collect shard=00001 failed", "  log: logs/collect/00001.log")
    assert "data/part-1.jsonl" in said


def test_impossible_requests_end_the_run_with_slurm_s_reason(project: Project) -> None:
    run = project.write(f"{SNAKEFILE}\n{ASKING}").start("asks", "--set-resources", "asks:gpu=9")
    assert run.ends() == 1
    reason = "sbatch: error: Batch job submission failed: Requested node configuration is not available"
    assert run.said.splitlines()[-3:] == ["asks failed", "  log: logs/slurm/asks/all-refused.log", f"    {reason}"]


def test_snakemake_may_itself_run_in_a_slurm_job(project: Project) -> None:
    project.write()
    command = ["sbatch", "--wait", "--mem=500", "--time=9", "--output=outer.txt", "--wrap", "snakemake --profile slurm all"]
    done = subprocess.run(command, cwd=project.path, env=project.environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, (project.path / "outer.txt").read_text()
    assert set(project.starts().values()) == {1}
    assert project.cluster.details(project.running("0"))["TRES"].startswith("cpu=1,mem=100M")


def test_a_job_slurm_has_forgotten_is_given_up_slowly(project: Project) -> None:
    """Its exit code may still be on its way over the network file system."""
    project.write()
    (project.path / ".snow/slurm").mkdir(parents=True)

    def status() -> str:
        command = ["sh", "slurm/status", "99999"]
        return subprocess.run(command, cwd=project.path, env=project.environment(), capture_output=True, text=True, check=True).stdout

    assert status() == "running\n"
    project.cluster.stop_controller()
    assert status() == "running\n", "no answer is no news"
    project.cluster.start_controller()
    project.wait(lambda: status() == "failed\n", "the job to be given up", 40)
    (project.path / ".snow/slurm/99999.exit").write_text("0\n")
    assert status() == "success\n"


def test_the_run_stops_before_the_first_submission_when_the_site_file_is_wrong(project: Project) -> None:
    project.write().site(gpu_type="")
    run = project.start("all")
    assert run.ends() == 1
    assert "slurm/site.yaml: gpu_type is empty" in run.said
    assert not (project.path / "logs/slurm").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{gpu_partition: b, gpu_type: c, account: }", "partition is missing; slurm/site.example.yaml says what it is"),
        ("{partition: , gpu_partition: b, gpu_type: c, account: }", "partition is empty"),
        ("{partition: a, gpu_partition: b, gpu_type: c}", "account is missing"),
        ("{partition: a b, gpu_partition: b, gpu_type: c, account: }", "partition must be a name that Slurm knows, not 'a b'"),
        ("{partition: a, gpu_partition: b, gpu_type: 4, account: }", "gpu_type must be a name"),
        ("{partion: a}", "there is no key partion; the keys are partition, gpu_partition"),
        ("{partition: a, gpu_partition: b, gpu_type: c, account: , max_minutes: 2h}", "max_minutes must be a whole number of minutes"),
        ("{partition: a, gpu_partition: b, gpu_type: c, account: , sbatch: --qos=x}", "sbatch must be a list"),
        ("nothing", "must hold `key: value` lines"),
        ("{", "is not YAML"),
    ],
)
def test_a_wrong_site_file_is_one_sentence_with_its_name_and_the_key(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(SnowError) as error:
        site.load(path)
    assert sentence in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_site_file_the_sentence_says_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(SnowError, match=r"copy slurm/site.example.yaml to .*site.yaml and fill it in"):
        site.load(tmp_path / "site.yaml")


def test_the_example_has_every_key_and_is_refused_until_it_is_filled_in() -> None:
    example = ROOT / site.EXAMPLE
    assert all(f"\n{key}:" in example.read_text() for key in site.Site.__dataclass_fields__)
    with pytest.raises(SnowError, match="partition is empty"):
        site.load(example)
