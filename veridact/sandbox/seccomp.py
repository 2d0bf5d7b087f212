"""A filter on system calls: no sockets, no shared memory, no tracing, nothing that administers the machine.

What the filter refuses fails with EPERM; everything else goes on as before. It lists what is refused, not what is
allowed, because Python, numpy, FFmpeg and glibc call whatever their next release likes, and a file that is refused for
an unknown call would be refused for nothing; what matters, files and network, Landlock refuses by default.
Sources: Linux, Documentation/userspace-api/seccomp_filter.rst; arch/x86/entry/syscalls/syscall_64.tbl.
"""

import ctypes
import errno
import platform

from veridact.sandbox import syscalls

MODE_FILTER = 2
ARCH_X86_64 = 0xC000003E
AT_NUMBER, AT_ARCH, AT_FIRST_ARGUMENT = 0, 4, 16
"""Where `struct seccomp_data` holds them."""
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
KILL, ALLOW, ERRNO = 0x8000_0000, 0x7FFF_0000, 0x0005_0000
X32 = 0x4000_0000
"""Numbers from here on are those of the x32 interface, another way to the same calls."""

CLONE, CLONE3 = 56, 435
NEW_NAMESPACE = 0x7E02_0000
"""The flags of clone that make namespaces; those of clone3 lie behind a pointer, so that it is not offered at all."""

REFUSED = {
    "socket": 41, "socketpair": 53, "connect": 42, "bind": 49, "listen": 50, "accept": 43, "accept4": 288,
    "sendto": 44, "sendmsg": 46, "sendmmsg": 307,
    "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
    "perf_event_open": 298, "bpf": 321, "userfaultfd": 323,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "add_key": 248, "request_key": 249, "keyctl": 250, "personality": 135, "modify_ldt": 154,
    "chmod": 90, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "lchown": 94, "fchownat": 260, "truncate": 76,
    "setxattr": 188, "lsetxattr": 189, "removexattr": 197, "lremovexattr": 198, "setxattrat": 463, "removexattrat": 466,
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "mount_setattr": 442, "name_to_handle_at": 303, "open_by_handle_at": 304, "fanotify_init": 300,
    "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "swapon": 167, "swapoff": 168, "reboot": 169, "syslog": 103, "acct": 163, "quotactl": 179,
    "sethostname": 170, "setdomainname": 171, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159,
    "clock_adjtime": 305, "iopl": 172, "ioperm": 173, "vhangup": 153, "uselib": 134,
}  # fmt: skip
"""By name, with the numbers of x86-64."""


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("if_true", ctypes.c_uint8), ("if_false", ctypes.c_uint8),
                ("value", ctypes.c_uint32))  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


Instruction = tuple[int, int, int, int]
"""Code, instructions to skip where it holds, instructions to skip where not, value."""


def program() -> list[Instruction]:
    """The filter, an instruction of classic BPF an entry."""
    refuse = (RETURN, 0, 0, ERRNO | errno.EPERM)
    unknown = (RETURN, 0, 0, ERRNO | errno.ENOSYS)
    found: list[Instruction] = [
        (LOAD, 0, 0, AT_ARCH), (EQUAL, 1, 0, ARCH_X86_64), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, AT_NUMBER), (AT_LEAST, 0, 1, X32), unknown, (EQUAL, 0, 1, CLONE3), unknown,
    ]  # fmt: skip
    for number in REFUSED.values():
        found += [(EQUAL, 0, 1, number), refuse]
    clone = [(EQUAL, 0, 3, CLONE), (LOAD, 0, 0, AT_FIRST_ARGUMENT), (ANY_BIT, 0, 1, NEW_NAMESPACE), refuse]
    return [*found, *clone, (RETURN, 0, 0, ALLOW)]


def confine() -> None:
    """Puts the filter on this thread and all that it will start; needs `PR_SET_NO_NEW_PRIVS`; raises `KernelError`."""
    if platform.machine() != "x86_64" or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise syscalls.KernelError(f"no filter for {platform.machine()}")
    listed = program()
    instructions = (_Instruction * len(listed))(*(_Instruction(*each) for each in listed))
    syscalls.prctl(syscalls.PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(_Program(len(listed), instructions)))
