"""The audio decoder process: FFmpeg's plain C code only, decoded blocks to standard output (see `decode.py`)."""

import ctypes
import json
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.audio.stream import AudioStream

from veridact.errors import VeridactError
from veridact.media.sniff import Format
from veridact.media.video import MediaFile, demux
from veridact.render.audio.decode import Block, decode_stream
from veridact.sandbox import syscalls


def force_plain_c() -> None:
    """Disables every processor extension in the libavutil of PyAV's wheel; raises `OSError` when that fails."""
    folder = Path(av.__file__).parent.parent / "av.libs"
    libraries = sorted(folder.glob("libavutil-*"))
    if not libraries:
        raise OSError("the libavutil of PyAV's wheel is not there")
    library = ctypes.CDLL(str(libraries[0]))
    library.av_force_cpu_flags(0)
    if library.av_get_cpu_flags() != 0:
        raise OSError("the plain C paths cannot be forced")


def _send(out: BinaryIO, block: Block) -> None:
    """Writes a block as a line of JSON and its raw samples, channel after channel."""
    data = block.samples.tobytes()
    header = {
        "pts": block.pts,
        "time_base": [block.time_base.numerator, block.time_base.denominator],
        "rate_hz": block.rate_hz,
        "layout": block.layout,
        "sample_format": block.sample_format,
        "channels": block.samples.shape[0],
        "bytes": len(data),
    }
    out.write(json.dumps(header).encode() + b"\n" + data)


def serve(request: dict[str, Any], out: BinaryIO) -> None:
    """Decodes one stream of an inherited file descriptor to `out`; the last line says `done`, `refused` or `failed`."""
    media = MediaFile(request["fd"], request["size"], Format("ffmpeg", request["format"]), "")
    try:
        force_plain_c()
        with demux(media) as container:
            stream = container.streams[request["index"]]
            if isinstance(stream, AudioStream):
                for block in decode_stream(container, stream):
                    _send(out, block)
        last: dict[str, Any] = {"done": True}
    except VeridactError as e:
        last = {"refused": str(e)}
    except OSError as e:
        last = {"failed": str(e)}
    out.write(json.dumps(last).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    serve(json.loads(sys.argv[1]), sys.stdout.buffer)
