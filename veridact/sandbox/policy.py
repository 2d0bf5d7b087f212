"""What a decoder process may still do: layers of the kernel, put on one after the other and never taken off.

| layer | what it takes away |
|---|---|
| limits | memory beyond a limit; core dumps, which would hold uncovered pictures |
| no-new-privileges | what setuid programs would give |
| landlock | files but the named ones, TCP, signals to processes outside |
| seccomp | sockets, shared memory, tracing, administration |

Why no package does it: docs/adr/0011-sandbox.md.
"""

import os
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from veridact.errors import MachineError
from veridact.sandbox import landlock, seccomp, syscalls

Mode = Literal["auto", "require", "off"]
MODES: tuple[Mode, ...] = ("auto", "require", "off")

GIB = 1 << 30

LIBRARIES = tuple(Path(p) for p in ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"))
DEVICES = {
    Path("/dev/null"): landlock.READ_FILE | landlock.WRITE_FILE,
    Path("/dev/urandom"): landlock.READ_FILE,  # without it FFmpeg counts clock ticks for 70 ms to make up a seed
}
ABOUT_ITSELF = {Path("/proc"): landlock.READ_FILE, Path("/etc/ld.so.cache"): landlock.READ_FILE}
"""How much memory a process uses stands in /proc under its own number; the sound decoder is a process of its own."""


@dataclass(frozen=True)
class Policy:
    """What a process keeps: files and folders it may read, folders it may write in, and bytes of memory.

    One that is not `confined` keeps all files and the network.
    """

    memory_bytes: int
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    confined: bool = True


@dataclass(frozen=True)
class Active:
    """The layers that are on, the version of Landlock's interface (0 for none), and why which layers are not."""

    layers: tuple[str, ...] = ()
    landlock_abi: int = 0
    missing: tuple[str, ...] = ()


def code_folders() -> dict[Path, int]:
    """Where Python and the packages that are loaded lie, as more of them may be loaded later, and the access to each.

    Our own packages may lie in a folder beside other files: of that folder, only the names may be listed.
    """
    ours = Path(__file__).resolve().parent.parent
    own = [ours, *((ours / name).resolve() for name in ("schema", "render", "locate"))]
    packages = ("av", "numpy", "PIL", "pydantic", "click")
    files = [getattr(sys.modules.get(name), "__file__", None) for name in packages]
    roots = [Path(file).resolve().parent.parent for file in files if file]
    python = [Path(sys.base_prefix, "lib"), Path(sys.prefix, "pyvenv.cfg"), Path(os.__file__).parent]
    return dict.fromkeys((folder.parent for folder in own), landlock.READ_DIR) | dict.fromkeys(
        [*own, *roots, *python], landlock.READ
    )


def _limits(policy: Policy) -> int:
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)  # a limit on core dumps does not hold where a program collects them
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = [n for n in resource.getrlimit(resource.RLIMIT_DATA) if n != resource.RLIM_INFINITY]
    allowed = min([policy.memory_bytes, *given])
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    return 0


def _no_new_privileges(policy: Policy) -> int:
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    return 0


def _landlock(policy: Policy) -> int:
    programs = dict.fromkeys([*LIBRARIES, Path(sys.executable).resolve()], landlock.RUN)
    given = dict.fromkeys(policy.readable, landlock.READ) | dict.fromkeys(policy.writable, landlock.WRITE)
    usual = DEVICES | ABOUT_ITSELF | code_folders() | programs
    return landlock.confine(usual | given, optional=(usual | given).keys() - set(policy.writable))


def _seccomp(policy: Policy) -> int:
    seccomp.confine()
    return 0


CONFINING = frozenset({"landlock", "seccomp"})
"""The layers that a process keeps off that is not `confined`."""

LAYERS: dict[str, Callable[[Policy], int]] = {
    "limits": _limits,
    "no-new-privileges": _no_new_privileges,
    "landlock": _landlock,
    "seccomp": _seccomp,
}
"""In the order in which they are put on; each gives the version of its interface, or 0, and may raise `KernelError`."""


def enter(policy: Policy, mode: Mode) -> Active:
    """Puts on every layer that this kernel has; with `require`, raises `MachineError` where one is missing."""
    versions: dict[str, int] = {}
    missing: list[str] = []
    for name, put_on in LAYERS.items():
        if mode == "off" or (name in CONFINING and not policy.confined):
            continue
        try:
            versions[name] = put_on(policy)
        except syscalls.KernelError as e:
            missing.append(f"{name}: {e}")
    if mode == "require" and missing:
        raise MachineError(f"the sandbox lacks {', '.join(missing)}; use another kernel, or --sandbox auto")
    return Active(tuple(versions), versions.get("landlock", 0), tuple(missing))
