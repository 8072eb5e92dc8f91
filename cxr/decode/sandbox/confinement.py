"""Confine a decoder process after start-up: no files, no network, no programs, no signals, limited memory and time.

A file that takes over a decoder controls its shared memory, its socket and a core for some seconds. It cannot read
another file (such as its parent's environment, which holds the keys), reach a network, start a program or signal a
process: the kernel refuses every system call that computing does not need.
"""

import ctypes
import math
import os
import platform
import resource
import signal
import struct
import time
from pathlib import Path
from typing import Final

from cxr.decode.sandbox.wire import CPU_S, MEMORY

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

# System call numbers on x86-64 and on AArch64 (linux/include/uapi/asm-generic/unistd.h); None: does not exist there.
# A warm decoder needs only memory, the clock, locks, the two open descriptors, limits and exit.
# fmt: off
_ALLOWED: Final = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62),
    "pread64": (17, 67), "pwrite64": (18, 68),
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216),
    "madvise": (28, 233),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "futex": (202, 98), "restart_syscall": (219, 128),
    "getpid": (39, 172), "gettid": (186, 178), "getrandom": (318, 278), "sysinfo": (99, 179),
    "gettimeofday": (96, 169), "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "getrusage": (98, 165),
    "setrlimit": (160, 164), "prlimit64": (302, 261), "rseq": (334, 293), "membarrier": (324, 283),
    "exit": (60, 93), "exit_group": (231, 94),
}
# fmt: on
# Machine → its audit number (linux/audit.h) and its column in the table above.
_MACHINES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# Classic BPF (linux/bpf_common.h): load a word of seccomp_data, jump if equal, return.
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _MACHINE_AT = 0, 4
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends; exit now if it has already ended."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit


def confine() -> list[str]:
    """Confine this process for good. Returns the protections that the kernel refused: "network and files", "memory"…"""
    missing = [] if _first_to_die() else ["out-of-memory order"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    limit_memory()
    return missing if _forbid_system_calls() else [*missing, "network and files"]


def limit_memory() -> None:
    """Limit this process to MEMORY bytes beyond its present size."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    size = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def allow_another_decode() -> None:
    """Allow this process CPU_S more seconds of computing, or up to one more: limits are whole seconds."""
    limit = math.ceil(time.process_time() + CPU_S)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _first_to_die() -> bool:
    """When memory runs out, the kernel shall kill a decoder and not the service."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:
        return False
    return True


def _forbid_system_calls() -> bool:
    machine = _MACHINES.get(platform.machine())
    if machine is None or not _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        return False
    audit, column = machine
    program = _filter(audit, [numbers[column] for numbers in _ALLOWED.values()])
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of 8-byte instructions, and their address.
    description = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, description)


def _filter(audit: int, allowed: list[int]) -> bytes:
    """Kill on another architecture's calls, allow these, answer EPERM to all others (including x32's numbers)."""
    lines = [(_LOAD, 0, 0, _MACHINE_AT), (_JUMP_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    for place, number in enumerate(allowed):
        lines.append((_JUMP_EQUAL, len(allowed) - place, 0, number))
    lines += [(_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _prctl(option: int, *arguments: int | bytes) -> bool:
    """Whether the call succeeded."""
    values = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    values += [ctypes.c_ulong(0)] * (4 - len(values))
    return bool(ctypes.CDLL(None, use_errno=True).prctl(option, *values) == 0)
