"""One `snow` command, spread over the nodes of a Slurm allocation or the GPUs of one machine.

The command replaces itself: by `srun`, which starts it once on every node; there by torchrun, which starts it once per worker;
and a worker goes on with the work. On one node with one worker nothing happens, so a rule has the same line everywhere.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

from snow.errors import SnowError

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Set for the commands that srun starts, which Slurm tells of themselves only:
RENDEZVOUS = "SNOW_RENDEZVOUS"  # address:port of the first node
TASKS = "SNOW_TASKS_PER_NODE"  # of the whole job
_PASSED_ON = ("SIGTERM", "SIGUSR1", "SIGINT", "SIGHUP", "SIGQUIT")
_PORTS = range(20000, 30000)  # below the range that Linux gives to outgoing connections


def is_worker() -> bool:
    """Whether this process is one of those that a launcher started."""
    return "RANK" in os.environ


def spread(arguments: Sequence[str], threads: int) -> None:
    """Replace this process by `snow ARGUMENTS` on all workers; returns where it is a worker, or the only one.

    The workers of a node are its GPUs, or without any the tasks that Slurm gave it; they share the node's threads.
    """
    if is_worker():
        _end_with_launcher()
        return
    nodes = int(os.environ.get("SLURM_JOB_NUM_NODES", "1"))
    tasks = int(os.environ.get(TASKS) or max(1, int(os.environ.get("SLURM_NTASKS", "1")) // nodes))
    command = [sys.executable, "-m", "snow", *arguments]
    if nodes > 1 and RENDEZVOUS not in os.environ:
        _become(_on_every_node(nodes, tasks), command, {RENDEZVOUS: _rendezvous(), TASKS: str(tasks)})
    workers = _gpus() or tasks
    if nodes * workers == 1:
        return
    if os.environ.get("SLURM_NODEID", "0") == "0":
        print(f"snow {arguments[0]}: {workers} workers on each of {nodes} nodes", file=sys.stderr)
    each = max(1, threads * tasks // workers)  # `threads` are a task's, and a node has `tasks` of them
    _become(_torchrun(nodes, workers), command[1:], {"OMP_NUM_THREADS": str(each)})


def _end_with_launcher() -> None:
    """A launcher that is killed cannot end its workers, which would go on beside those of the next attempt, in the same work folder."""
    launcher = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != launcher:  # it was killed before that
        os.kill(os.getpid(), signal.SIGKILL)


def _on_every_node(nodes: int, tasks: int) -> list[str]:
    """srun with one task per node that has the CPUs of all of the node's tasks; when one ends badly, all are ended."""
    cpus = int(os.environ.get("SLURM_CPUS_PER_TASK", "1")) * tasks
    return ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={cpus}", "--kill-on-bad-exit=1"]


def _torchrun(nodes: int, workers: int) -> list[str]:
    """torchrun for the workers of this node. Ranks follow Slurm's order of the nodes, so a rerun adds up in the same order.

    Asked to end it passes that on, and leaves the workers the time that Slurm leaves it to save what they did.
    """
    asked = [f"--signals-to-handle={','.join(_PASSED_ON)}", "--shutdown-timeout=3600"]
    common = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={workers}", "--max-restarts=0", *asked]
    if nodes == 1:
        return [*common, "--standalone", "--local-addr=127.0.0.1"]  # else they meet at the node's name, which may lead nowhere
    address, _, port = os.environ[RENDEZVOUS].rpartition(":")
    return [*common, f"--nnodes={nodes}", f"--node-rank={os.environ['SLURM_NODEID']}", f"--master-addr={address}", f"--master-port={port}"]


def _become(launcher: list[str], command: list[str], variables: dict[str, str]) -> None:
    if shutil.which(launcher[0]) is None:
        raise SnowError(f"{launcher[0]} is not on this node's PATH; without it the job cannot start its workers")
    os.environ.update(variables)
    os.execvp(launcher[0], [*launcher, *command])


def _rendezvous() -> str:
    """Where the workers meet: the address at which Slurm itself reaches the first node, a port that follows from the job."""
    first = _scontrol("hostnames", os.environ["SLURM_JOB_NODELIST"]).split()[0]
    found = re.search(r"\bNodeAddr=(\S+)", _scontrol("node", first))
    port = _PORTS[int(os.environ["SLURM_JOB_ID"]) % len(_PORTS)]
    return f"{found[1] if found else first}:{port}"


def _scontrol(what: str, name: str) -> str:
    done = subprocess.run(["scontrol", "show", what, name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SnowError(f"scontrol show {what} {name} failed: {done.stderr.strip()}")
    return done.stdout


def _gpus() -> int:
    """How many GPUs this process may use; torch is asked only where there may be one, because that takes seconds."""
    if not (os.environ.get("CUDA_VISIBLE_DEVICES") or shutil.which("nvidia-smi")):
        return 0
    import torch

    return torch.cuda.device_count()
