"""The sandbox's system-call filter: a classic BPF program for bubblewrap's `--seccomp`.

It denies what model-written code never needs and could use to reach past the sandbox or past the process that judges it:
tracing and reading other processes, new namespaces and mounts, memory that no process is seen to hold (message queues are such),
sockets that no network namespace bounds, kernel keyrings, and the young interfaces most kernel holes are found in. Numbers are
from the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import errno
import platform
import struct

from snow.errors import SnowError

# The same number on every architecture since Linux 5.1.
_NEW = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "memfd_secret": 447,
}
_X86_64 = {
    "shmget": 29,
    "semget": 64,
    "msgget": 68,
    "ptrace": 101,
    "pivot_root": 155,
    "chroot": 161,
    "mount": 165,
    "umount2": 166,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "unshare": 272,
    "mq_open": 240,
    "perf_event_open": 298,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "memfd_create": 319,
    "bpf": 321,
    "userfaultfd": 323,
}
_AARCH64 = {
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "chroot": 51,
    "unshare": 97,
    "ptrace": 117,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "perf_event_open": 241,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "mq_open": 180,
    "msgget": 186,
    "semget": 190,
    "shmget": 194,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "memfd_create": 279,
    "bpf": 280,
    "userfaultfd": 282,
}
# AUDIT_ARCH_* of linux/audit.h, the numbers of clone and socket, the denied calls.
_ARCHITECTURES = {"x86_64": (0xC000003E, 56, 41, _X86_64), "aarch64": (0xC00000B7, 220, 198, _AARCH64)}
# AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (glibc lists interfaces by it) of linux/socket.h: what ends in the sandbox's own network
# namespace. AF_VSOCK reaches the hypervisor.
_FAMILIES = (1, 2, 10, 16)
_CLONE3 = 435
_NAMESPACES = 0x7E020000  # every CLONE_NEW* flag of linux/sched.h that clone takes
_X32 = 0x40000000  # x86-64's second table of the same calls

# linux/bpf_common.h and linux/seccomp.h
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; the low half of the first argument


def program(machine: str | None = None) -> bytes:
    """The filter as an array of `struct sock_filter`. SnowError on an architecture whose numbers are not here."""
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise SnowError(f"the sandbox's system-call filter knows {' and '.join(_ARCHITECTURES)}, not {machine}; judge on such a machine")
    architecture, clone, socket, old = _ARCHITECTURES[machine]
    denied = sorted({**old, **_NEW}.values())
    denial = _ERRNO | errno.EPERM
    lines = [(_LOAD, 0, 0, _ARCHITECTURE), (_JUMP_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    lines += _unless(_JUMP_AT_LEAST, _X32, denial)
    # glibc falls back to clone, whose flags a filter can see; clone3's are behind a pointer.
    lines += _unless(_JUMP_EQUAL, _CLONE3, _ERRNO | errno.ENOSYS)
    for number in denied:
        lines += _unless(_JUMP_EQUAL, number, denial)
    lines += [(_JUMP_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _ARGUMENT), *_unless(_JUMP_SET, _NAMESPACES, denial)]
    lines += [(_LOAD, 0, 0, _NUMBER), (_JUMP_EQUAL, 0, len(_FAMILIES) + 2, socket), (_LOAD, 0, 0, _ARGUMENT)]
    lines += [(_JUMP_EQUAL, len(_FAMILIES) - place, 0, family) for place, family in enumerate(_FAMILIES)]
    lines += [(_RETURN, 0, 0, denial), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _unless(test: int, value: int, result: int) -> list[tuple[int, int, int, int]]:
    """Return `result` where the test holds, else go on."""
    return [(test, 0, 1, value), (_RETURN, 0, 0, result)]
