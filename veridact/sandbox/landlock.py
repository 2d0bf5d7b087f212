"""Landlock: from now on this process, its threads and its children open only the files that are named here.

Descriptors that are open already stay open: that is how the media reaches a process that may open almost nothing.
Source: Linux, Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
"""

import ctypes
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from veridact.sandbox import syscalls

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The numbers of the system calls, the same on every architecture."""
ASK_VERSION = 1
RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_FILE, MAKE_REGULAR, TRUNCATE = (
    1 << bit for bit in (0, 1, 2, 3, 5, 8, 14)
)
READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
WRITE = READ | WRITE_FILE | REMOVE_FILE | MAKE_REGULAR | TRUNCATE
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
"""What a rule may allow where it names a file and no folder."""

HANDLED_BITS = {1: 13, 2: 14, 3: 15, 5: 16}
"""By version: how many kinds of access to files it knows, from bit 0 on; all that it knows are refused."""
NO_TCP = 0b11
"""Binding and connecting, from version 4 on."""
NO_REACHING_OUT = 0b11
"""Abstract sockets and signals of processes outside, from version 6 on."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """The version of the interface (ABI) that this kernel has; raises `KernelError` where it has none."""
    return syscalls.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))


def _handled(abi: int) -> int:
    return (1 << HANDLED_BITS[max(v for v in HANDLED_BITS if v <= abi)]) - 1


def _allow(ruleset: int, path: Path, access: int) -> None:
    """Adds a rule for a file or all below a folder; raises `OSError` where the path cannot be opened."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= OF_A_FILE
        rule = _PathBeneath(access, fd)
        syscalls.syscall(ADD_RULE, ruleset, ctypes.c_int(RULE_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(fd)


def confine(allowed: Mapping[Path, int], optional: Iterable[Path]) -> int:
    """Refuses every access to files but the allowed ones, and all TCP; returns the version of the interface.

    Paths in `optional` may be missing. Needs `PR_SET_NO_NEW_PRIVS`.
    """
    abi = version()
    handled = _handled(abi)
    attributes = _Ruleset(handled, NO_TCP if abi >= 4 else 0, NO_REACHING_OUT if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = syscalls.syscall(CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        may_miss = set(optional)
        for path, access in allowed.items():
            with suppress(*([OSError] if path in may_miss else [])):
                _allow(ruleset, path, access & handled)
        syscalls.syscall(RESTRICT_SELF, ruleset, ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return abi
