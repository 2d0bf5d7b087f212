"""Where the time of a render goes: CPU milliseconds a frame of each step of one worker."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.video.frame import VideoFrame

from veridact.media import timestamps
from veridact.media.video import decode, demux, open_media
from veridact.render.video import encoder, frames
from veridact.render.video import stream as video
from veridact.render.video.paint import paint
from veridact.render.video.planes import layout_of
from veridact.schema import reader
from veridact.schema.manifest import VideoStream
from veridact.schema.plan.video import Raster, StreamPlan

SEGMENTS = 4


def parts(path: Path, read: reader.LoadedManifest) -> dict[str, float]:
    """CPU milliseconds a frame by part, over the first segments of a clip, as one worker has them."""
    spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(name: str) -> Iterator[None]:
        began = time.thread_time()
        yield
        spent[name] += time.thread_time() - began

    record = read.manifest.source.streams[0]
    if not isinstance(record, VideoStream):
        raise TypeError(f"{path} does not begin with video")
    with open_media(path) as opened, demux(opened) as source:
        pts = timestamps.read_pts(opened, record)
        stream = source.streams.video[0]
        decoded = decode(source, stream)
        spec = video.spec_of(stream, next(decoded), "h264")
        raster = Raster(record.coded_width, record.coded_height, record.orientation, 2, 2)
        plan = StreamPlan(read.manifest, record, pts, raster)
        length = video.segment_frames(record, layout_of(spec.pixel_format).bits)

        def painted() -> Iterator[VideoFrame]:
            for number in range(length):
                with part("decode"):
                    frame = next(decoded)
                with part("copy"):
                    own, planes = frames.copy(frame, spec)
                with part("paint"):
                    paint(planes, plan.at(number))
                yield own

        for _ in range(SEGMENTS):
            with part("encode"):
                extradata, packets = encoder.encode(spec, painted())
            again = encoder.decode(spec, extradata, packets)
            for _ in range(length):
                with part("decode again"):
                    frame = next(again)
                with part("digest"):
                    frames.digest(frame)
    spent["encode"] -= spent["decode"] + spent["copy"] + spent["paint"]
    return {name: 1000 * seconds / (SEGMENTS * length) for name, seconds in spent.items()}
