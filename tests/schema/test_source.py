"""A file as the source of a manifest, without searching it."""

from pathlib import Path

import av
import numpy as np

from veridact.media.source import read_source
from veridact.media.video import open_media


def test_a_track_without_a_frame_is_listed_and_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            container.mux(streams[0].encode(frame))
        container.mux(streams[0].encode(None))
    with open_media(path) as media:
        assert [s.type for s in read_source(media).streams] == ["video", "unknown"]
