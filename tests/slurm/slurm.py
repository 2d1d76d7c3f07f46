"""A private Slurm in one folder: munge, a controller and some nodes on loopback, each node in namespaces of its own.

Nothing of /etc is used, ports are free ones, and everything ends with the process that started it, even if that is killed.
Debian's packages slurmctld, slurmd, slurm-client and munge are enough. To look around in one:
`python -m tests.slurm.slurm FOLDER`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun", "scontrol", "setpriv", "unshare")
_SBIN = "/usr/sbin:/sbin"
# Slurm waits less than it would at a site, so that tests need not; everything else is what a site would say.
_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={root}/munge/socket,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/slurmd.%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
EnforcePartLimits=ALL
KillWait=2
SlurmdTimeout=5
MessageTimeout=5
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={root}/log/completed.txt
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
"""
_PARTITIONS = """\
PartitionName=main Nodes=ALL Default=YES MaxTime=10-0 State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=gpu Nodes=ALL MaxTime=10-0 State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=cheap Nodes=ALL MaxTime=10-0 State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=cheapest Nodes=ALL MaxTime=10-0 State=UP PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes=ALL MaxTime=10-0 State=UP PriorityTier=100 PreemptMode=OFF
"""


def missing() -> list[str]:
    """The programs a cluster needs that are not on this machine."""
    return [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:{_SBIN}") is None]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@dataclass
class Cluster:
    """Nodes n1, n2, ... of `cpus` CPUs, `memory` MB and `gpus` pretended H100s each; partitions main, gpu and, for preemption,
    cheap, cheapest and urgent.

    CPUs and memory may be more than the machine has. `isolated`: a node has its own processes and host name and dies as a whole;
    needs root.
    """

    root: Path
    nodes: int = 2
    cpus: int = 4
    memory: int = 8000
    gpus: int = 8
    isolated: bool = field(default_factory=lambda: os.geteuid() == 0)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The nodes' names."""
        return [f"n{number + 1}" for number in range(self.nodes)]

    @property
    def environment(self) -> dict[str, str]:
        """What a user of this cluster has in the environment."""
        prefixes = ("SLURM_", "SBATCH_", "SRUN_", "SQUEUE_", "SALLOC_")
        mine = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
        return mine | {"SLURM_CONF": f"{self.root}/slurm.conf", "PATH": f"{mine['PATH']}:{_SBIN}"}

    def start(self) -> Cluster:
        """Returns when every node is idle."""
        self._write()
        munge = self.root / "munge"
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        self._spawn("munged", "munged", "--force", "--foreground", "--num-threads=2", *options)
        self.wait(lambda: self._succeeds("munge", "--no-input", f"--socket={munge}/socket"), "munged")
        self.start_controller()
        for name in self.names:
            self.start_node(name)
        self.wait(lambda: list(self.node_states().values()) == ["idle"] * self.nodes, "nodes")
        return self

    def start_controller(self) -> None:
        """Start slurmctld with whatever state it left; returns when it answers."""
        self._spawn("slurmctld", "slurmctld", "-D", "-f", f"{self.root}/slurm.conf")
        self.wait(lambda: " is UP" in self.command("scontrol", "ping", check=False), "slurmctld")

    def stop_controller(self) -> None:
        """End slurmctld; jobs go on."""
        self._end("slurmctld")

    def start_node(self, name: str) -> None:
        """Start slurmd of a node, in its own namespaces if `isolated`."""
        slurmd = ["slurmd", "-D", "-N", name, "-f", f"{self.root}/slurm.conf"]
        spaces = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--uts"]
        named = ["sh", "-c", f'hostname {name} && exec "$@"', "sh"]
        self._spawn(name, *([*spaces, *named] if self.isolated else []), *slurmd)

    def kill_node(self, name: str) -> None:
        """The machine dies with everything on it, and the controller is told, who would find out after a while."""
        assert self.isolated
        self._end(name, signal.SIGKILL)
        self.command("scontrol", "update", f"nodename={name}", "state=down", "reason=killed")

    def revive_node(self, name: str) -> None:
        """The machine is back."""
        self.start_node(name)
        self.command("scontrol", "update", f"nodename={name}", "state=resume", check=False)
        self.wait(lambda: self.node_states().get(name) == "idle", name)

    def command(self, *words: str, check: bool = True, timeout: float = 60) -> str:
        """The output of a client command."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False, timeout=timeout)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)} exited {done.returncode}: {done.stderr}")
        return done.stdout

    def node_states(self) -> dict[str, str]:
        """Node name to state, as sinfo says."""
        lines = self.command("sinfo", "--noheader", "--Node", "--format=%N %T", "--partition=main", check=False).splitlines()
        return {name: state.rstrip("*") for name, state in (line.split() for line in lines)}

    def jobs(self, states: str = "all") -> dict[str, str]:
        """Job name to state; a finished job is remembered."""
        lines = self.command("squeue", "--noheader", f"--states={states}", "--format=%j %T").splitlines()
        return dict(line.rsplit(maxsplit=1) for line in lines)

    def number_of(self, job: str, states: str = "all") -> str | None:
        """The id of the newest job whose name begins so, or None."""
        lines = self.command("squeue", "--noheader", f"--states={states}", "--sort=-i", "--format=%i %j").splitlines()
        return next((line.split()[0] for line in lines if line.split()[1].startswith(job)), None)

    def details(self, number: str) -> dict[str, str]:
        """What `scontrol show job` says of a job."""
        words = self.command("scontrol", "show", "job", number, "--oneliner").split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def clear(self) -> None:
        """Cancel every job and return when all are gone and every node is idle."""
        self.command("scancel", "--user", _user(), check=False)
        self.wait(lambda: not self.command("squeue", "--noheader", check=False).strip(), "jobs to end", 30)

    def stop(self) -> None:
        """End everything that was started, jobs first."""
        if self.processes.get("slurmctld") and self.processes["slurmctld"].poll() is None:
            with contextlib.suppress(RuntimeError, AssertionError, subprocess.TimeoutExpired):
                self.clear()
        for name in [*self.names, "slurmctld", "munged"]:
            if name in self.processes:  # unshare does not pass SIGTERM on
                self._end(name, signal.SIGKILL if self.isolated and name in self.names else signal.SIGTERM)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Return as soon as the condition holds; RuntimeError with the folder of the logs when it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            dead = [f"{name} exited {process.returncode}" for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > end:
                raise RuntimeError(f"waiting for {what}: {', '.join(dead) or 'too long'}; logs are in {self.root}/log")
            time.sleep(0.05)

    def _succeeds(self, *words: str) -> bool:
        return subprocess.run(words, env=self.environment, capture_output=True, check=False).returncode == 0

    def _spawn(self, name: str, *words: str) -> None:
        with (self.root / "log" / f"{name}.out").open("ab") as said:
            self.processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *words],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def _end(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _write(self) -> None:
        for folder in ("state", "log", "run", "munge", "gpus", *(f"spool/{name}" for name in self.names)):
            (self.root / folder).mkdir(parents=True)
        self.root.chmod(0o755)
        (self.root / "munge").chmod(0o711)  # munged wants the folder of its socket open to all, the key to none
        key = self.root / "munge" / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        controller, *ports = _free_ports(1 + self.nodes)
        host = socket.gethostname().split(".")[0]
        conf = _CONF.format(root=self.root, host=host, port=controller, user=_user())
        gres = ""
        if self.gpus:  # any character device with a number at its end is a GPU to Slurm
            for number in range(self.gpus):
                (self.root / "gpus" / f"nvidia{number}").symlink_to("/dev/null")
            devices = f"File={self.root}/gpus/nvidia[0-{self.gpus - 1}] Flags=nvidia_gpu_env"
            (self.root / "gres.conf").write_text(f"NodeName=n[1-{self.nodes}] Name=gpu Type=h100 {devices}\n")
            conf += "GresTypes=gpu\n"
            gres = f" Gres=gpu:h100:{self.gpus}"
        for name, port in zip(self.names, ports, strict=True):
            address = f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port}"
            conf += f"{address} CPUs={self.cpus} RealMemory={self.memory}{gres} State=UNKNOWN\n"
        (self.root / "slurm.conf").write_text(conf + _PARTITIONS)


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


if __name__ == "__main__":
    cluster = Cluster(Path(sys.argv[1]).resolve()).start()
    print(f"export SLURM_CONF={cluster.root}/slurm.conf   # until this process ends", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        signal.pause()
    finally:
        cluster.stop()
