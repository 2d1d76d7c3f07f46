"""What a person sees of a run whose jobs are on a cluster: the same lines, and the same jobs in `snow watch`."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.model import project as toy

from .project import SITE
from .slurm import Cluster

SLOW = """\
    import sys, time
    from tqdm import tqdm
    for _ in tqdm(range(60), unit="file", mininterval=0, file=sys.stderr):
        time.sleep(0.25)
    files = """


def test_jobs_on_nodes_are_told_of_as_those_on_this_machine(cluster: Cluster, tmp_path: Path) -> None:
    clone = toy.create(tmp_path / "world")
    shutil.copytree(ROOT / "slurm", clone / "slurm")
    (clone / "slurm/site.yaml").write_text(SITE)
    body = clone / "snow/toy/gather.py"
    body.write_text(body.read_text().replace("    files = ", SLOW, 1))
    environment = toy.environment(clone, cluster.environment)
    subprocess.run(["snow", "check", "--fix"], cwd=clone, env=environment, check=True, capture_output=True)
    command = ["snakemake", "--profile", "slurm", "corpus-shaped"]
    running = subprocess.Popen(command, cwd=clone, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    watched, told = "", r"(?m)^gather +0000[01] +0:\d\d +\d+ s +\d+ of 60 files$"  # no time left is known before the second file
    while running.poll() is None and not re.search(told, watched):
        time.sleep(0.5)
        watched = subprocess.run(["snow", "watch"], cwd=clone, env=environment, capture_output=True, text=True, check=False).stdout
    said = running.communicate(timeout=240)[1]
    assert running.returncode == 0, said
    assert re.search(told, watched), watched
    assert re.search(r"(?m)^snow: 4 jobs of 2 stages to run, about \d+ s$|^snow: 4 jobs of 2 stages to run$", said), said
    assert re.search(r"(?m)^\[ *\d+:\d\d, +2 of 4 jobs, .*\] gather: 2 jobs done$", said), said
    assert "Finished jobid" not in said
    assert "Submitted" not in said
    assert "snow: done in" in said
