"""Hostile files, a loopback server that no tool may reach, and commands run in processes of their own."""

import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEAK = """
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")))
"""


def zeros_png(width: int, height: int) -> bytes:
    """A black RGB PNG, about a thousandth the size of its samples, compressed in pieces of 1 MiB."""
    total = height * (1 + 3 * width)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = [deflate.compress(bytes(min(1 << 20, total - at))) for at in range(0, total, 1 << 20)]
    data = b"\x78\xda" + b"".join(body) + deflate.flush() + struct.pack(">HH", total % 65521, 1)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def box(name: bytes, *content: bytes) -> bytes:
    """A box (atom) of an MP4 or QuickTime file: length, name, content."""
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def movie(sample: bytes, width: int, height: int, reference: bytes = b"") -> bytes:
    """A QuickTime file with one PNG frame; `reference` replaces the entry that says its data is in the same file."""
    matrix = struct.pack(">9I", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    entry = box(
        b"png ", bytes(6), b"\0\1", bytes(16), struct.pack(">HHII", width, height, 72 << 16, 72 << 16),
        bytes(4), b"\0\1", bytes(32), struct.pack(">Hh", 24, -1),
    )  # fmt: skip
    table = box(
        b"stbl",
        box(b"stsd", bytes(4), struct.pack(">I", 1), entry),
        box(b"stts", bytes(4), struct.pack(">III", 1, 1, 1000)),
        box(b"stsc", bytes(4), struct.pack(">IIII", 1, 1, 1, 1)),
        box(b"stsz", bytes(4), struct.pack(">III", 0, 1, len(sample))),
        box(b"stco", bytes(4), struct.pack(">II", 1, 28)),
    )
    where = reference or box(b"url ", b"\0\0\0\1")
    data = box(b"dinf", box(b"dref", bytes(4), struct.pack(">I", 1), where))
    media = box(
        b"mdia",
        box(b"mdhd", bytes(12), struct.pack(">II", 25000, 1000), bytes(4)),
        box(b"hdlr", bytes(8), b"vide", bytes(13)),
        box(b"minf", box(b"vmhd", bytes(12)), data, table),
    )
    header = struct.pack(">I", 7) + bytes(8) + struct.pack(">III", 1, 0, 40) + bytes(16)
    track = box(b"trak", box(b"tkhd", header, matrix, struct.pack(">II", width << 16, height << 16)), media)
    timing = bytes(12) + struct.pack(">IIIH", 1000, 40, 65536, 256) + bytes(10)
    movie_box = box(b"moov", box(b"mvhd", timing, matrix, bytes(24), struct.pack(">I", 2)), track)
    return box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(b"mdat", sample) + movie_box


class Bits:
    """An H.264 payload written bit by bit (ITU-T H.264, clauses 7.3 and 9.1)."""

    def __init__(self) -> None:
        self.bits = ""

    def fixed(self, *fields: tuple[int, int]) -> "Bits":
        self.bits += "".join(format(value, f"0{length}b") for length, value in fields)
        return self

    def golomb(self, *values: int) -> "Bits":
        for value in values:
            code = format(value + 1, "b")
            self.bits += "0" * (len(code) - 1) + code
        return self

    def unit(self, header: int) -> bytes:
        bits = self.bits + "1"
        bits += "0" * (-len(bits) % 8)
        raw = int(bits, 2).to_bytes(len(bits) // 8, "big")
        out, zeros = bytearray(), 0
        for byte in raw:
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b"\0\0\0\1" + bytes([header]) + bytes(out)


def gray_h264(width: int, height: int, frames: int) -> list[bytes]:
    """The packets of an H.264 stream of gray frames: the first in six bits a block, the others twenty bytes each."""
    columns, rows = width // 16, height // 16
    sequence = Bits().fixed((8, 66), (8, 0), (8, 62)).golomb(0, 4, 2, 16).fixed((1, 0))
    sequence.golomb(columns - 1, rows - 1).fixed((1, 1), (1, 1), (1, 0), (1, 0))
    settings = Bits().golomb(0, 0).fixed((2, 0)).golomb(0, 0, 0).fixed((3, 0)).golomb(0, 0, 0).fixed((3, 0))
    first = Bits().golomb(0, 7, 0).fixed((8, 0)).golomb(0).fixed((2, 0)).golomb(0)
    first.bits += Bits().golomb(3, 0, 0).fixed((1, 1)).bits * (columns * rows)
    packets = [sequence.unit(0x67) + settings.unit(0x68) + first.unit(0x65)]
    for number in range(1, frames):
        skipped = Bits().golomb(0, 5, 0).fixed((8, number % 256), (3, 0)).golomb(0, columns * rows)
        packets.append(skipped.unit(0x41))
    return packets


@dataclass
class Listener:
    """A server on loopback that answers nothing and records the first 200 bytes of every connection it accepts."""

    server: socket.socket
    visits: list[bytes] = field(default_factory=list)
    """What came while it accepted visitors."""

    @property
    def port(self) -> int:
        return int(self.server.getsockname()[1])

    @contextmanager
    def accepting(self) -> Iterator[None]:
        """Accepts visitors, in a thread that is gone behind the block: a command in this process may not meet one."""
        reading, writing = socket.socketpair()

        def serve() -> None:
            while self.server in select.select([self.server, reading], [], [])[0]:
                visitor, _ = self.server.accept()
                with visitor:
                    visitor.settimeout(0.2)
                    try:
                        self.visits.append(visitor.recv(200))
                    except TimeoutError:
                        self.visits.append(b"")

        thread = threading.Thread(target=serve)
        thread.start()
        with reading, writing:
            try:
                yield
            finally:
                writing.send(b"end")
                thread.join()

    def is_waited_for(self) -> bool:
        """Whether somebody has connected and was not accepted."""
        return bool(select.select([self.server], [], [], 0)[0])


@pytest.fixture
def listener() -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Listener(server)


@dataclass(frozen=True)
class Ended:
    """How a process ended: exit code, both streams, wall-clock time and, where it ran `code`, its peak memory."""

    code: int
    out: bytes
    err: str
    seconds: float
    peak_mib: int


@pytest.fixture
def run() -> Callable[..., Ended]:
    """`run(*arguments, ...)` runs a veridact command in a process of its own; `code` is Python to run instead."""

    def call(
        *arguments: object,
        code: str | None = None,
        limits: dict[int, int] | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        stdout: int | None = None,
        timeout: float = 60,
    ) -> Ended:
        # Not by preexec_fn: what runs between fork and exec hangs where another thread holds a lock.
        limit = (
            f"import resource\nfor what, value in {limits!r}.items():\n    resource.setrlimit(what, (value, value))\n"
        )
        program = (limit if limits else "") + (code + PEAK if code else "from veridact.cli.main import main\nmain()")
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-c", program, *[os.fsencode(a) if isinstance(a, Path) else str(a) for a in arguments]],
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
        peak = int(ended.stdout.split()[-1]) if code is not None and ended.stdout.split() else 0
        seconds = time.monotonic() - began
        return Ended(ended.returncode, ended.stdout or b"", ended.stderr.decode(errors="replace"), seconds, peak)

    return call


@pytest.fixture
def make() -> dict[str, Callable[..., Any]]:
    """The functions that make hostile bytes, by name."""
    return {"png": zeros_png, "movie": movie, "h264": gray_h264, "box": box}
