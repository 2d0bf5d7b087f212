"""What Python does not offer of the system below it: `prctl`, system calls by number, and the heap."""

import ctypes
import os
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3

_C = ctypes.CDLL(None, use_errno=True)
_C.syscall.restype = ctypes.c_long


class KernelError(Exception):
    """The kernel has no such call, or does not allow it here; the text is its reason."""


def _checked(result: int) -> int:
    if result < 0:
        raise KernelError(os.strerror(ctypes.get_errno()))
    return result


def prctl(option: int, *arguments: Any) -> int:
    """`prctl(2)`; raises `KernelError`."""
    given = [*arguments, *[0] * (4 - len(arguments))]
    return _checked(_C.prctl(option, *[ctypes.c_ulong(a) if isinstance(a, int) else a for a in given]))


def syscall(number: int, *arguments: Any) -> int:
    """A system call by its number; raises `KernelError`."""
    return _checked(_C.syscall(ctypes.c_long(number), *arguments))


def share_heaps(count: int, outside_bytes: int) -> None:
    """Limits the number of heaps, and keeps what is so large out of them: it goes back to the system once it is freed.

    A C library that has no such settings goes on as it is.
    """
    if hasattr(_C, "mallopt"):
        _C.mallopt(M_ARENA_MAX, count)
        _C.mallopt(M_MMAP_THRESHOLD, outside_bytes)


def give_back_memory() -> None:
    """Hands what was freed back to the system; a C library that has no call for that keeps it for what comes next."""
    if hasattr(_C, "malloc_trim"):
        _C.malloc_trim(ctypes.c_size_t(0))
