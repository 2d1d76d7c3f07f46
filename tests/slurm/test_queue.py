"""What clients of Slurm say when no job can be submitted now, and what is a refusal; in sbatch's place a script that says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from snow.slurm import queue

FAILED = "sbatch: error: Batch job submission failed:"
POLICY = f"{FAILED} Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `said` is what sbatch says, one line of it per call; it takes the job when there are no more."""
    (tmp_path / "sbatch").write_text(
        '#!/bin/sh\ncd "$(dirname "$0")"; line=$(head -n 1 said); sed -i 1d said\n'
        '[ -z "$line" ] && { echo 7; exit 0; }; printf "$line\\n" >&2; exit 1\n'
    )
    (tmp_path / "squeue").write_text("#!/bin/sh\necho 3 RUNNING other\n")
    for name in ("sbatch", "squeue"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue, "_PAUSE", 0)
    monkeypatch.setattr(queue, "_PAUSE_AT_LIMIT", 0)
    return tmp_path


@pytest.mark.parametrize(
    "reason",
    [
        *(
            f"sbatch: error: {limit}\\n{POLICY}"
            for limit in ("AssocMaxSubmitJobLimit", "AssocGrpSubmitJobsLimit", "QOSMaxSubmitJobPerUserLimit", "QOSGrpSubmitJobsLimit")
        ),
        f"{FAILED} Resource temporarily unavailable",
    ],
)
def test_a_queue_that_is_full_is_waited_for_and_said_once(sbatch: Path, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    (sbatch / "said").write_text(f"{reason}\n" * 5)
    assert queue.submit(["job.sh"], "name") == "7"
    (sbatch / "said").write_text(f"{reason}\n")
    assert queue.submit(["job.sh"], "next") == "7"
    said = capsys.readouterr().err
    assert said.count("sbatch: no more jobs may be in the queue (") == 1
    assert "waiting for some to end" in said


@pytest.mark.parametrize("reason", ["Unexpected message received", "Socket timed out on send/recv operation"])
def test_a_controller_that_is_busy_is_asked_again(sbatch: Path, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    (sbatch / "said").write_text(f"{FAILED} {reason}\n" * 2)
    assert queue.submit(["job.sh"], "name") == "7"
    assert capsys.readouterr().err.count("the controller does not answer; trying again") == 2


@pytest.mark.parametrize("limit", ["AssocMaxSubmitJobLimit", "QOSMaxSubmitJobPerUserLimit"])
def test_a_limit_of_no_jobs_at_all_is_a_refusal(sbatch: Path, limit: str) -> None:
    (sbatch / "squeue").write_text("#!/bin/sh\n")
    (sbatch / "said").write_text(f"sbatch: error: {limit}\\n{POLICY}\n" * 9)
    with pytest.raises(queue.Refused, match=limit):
        queue.submit(["job.sh"], "name")


def test_a_limit_that_no_end_of_a_job_lifts_is_a_refusal(sbatch: Path) -> None:
    (sbatch / "said").write_text(f"sbatch: error: QOSMaxWallDurationPerJobLimit\\n{POLICY}\n")
    with pytest.raises(queue.Refused, match="QOSMaxWallDurationPerJobLimit"):
        queue.submit(["job.sh"], "name")
