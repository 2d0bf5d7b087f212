"""Every real container with one cover across the clip: rendered frame for frame, or refused with a reason.

The snapshot has the reasons; frames and times before and after are read with PyAV alone, without our own code.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from syrupy.assertion import SnapshotAssertion

from veridact.errors import VeridactError
from veridact.media.containers import SUFFIXES
from veridact.progress import silently
from veridact.render import pipeline
from veridact.schema.manifest import AudioRange, Manifest, Origin, VideoStream
from veridact.tools import manifest_file

OWN = {".flac": "flac", ".mp3": "flac", ".ogg": "ogg", ".aac": "m4a", ".wav": "wav"}
"""The output container of formats that may be audio only; all others become MP4."""

OPTIONS = pipeline.Options(2, True, False, False, False)
MILLISECOND = Fraction(1, 1000)


def covered(source: Path, make_manifest: Any, make_track: Any) -> Manifest:
    """A manifest with one cover on every frame of each video stream, and some silence."""
    container = OWN.get(source.suffix, "mp4")
    drawn = make_manifest(source, (), container=container)
    streams = drawn.source.streams
    tracks = tuple(
        make_track(number, (s.width // 4, s.height // 4, s.width // 3, s.height // 3), s.frames, stream=s.index)
        for number, s in enumerate(streams)
        if isinstance(s, VideoStream)
    )
    silence = AudioRange(
        id="speech-0001",
        stream=None,
        label="speech",
        review="added",
        origin=Origin(by="hand"),
        start_ms=200,
        end_ms=260,
    )
    heard = any(s.type == "audio" for s in streams)
    made: Manifest = make_manifest(source, tracks, container=container, audio=(silence,) if heard else ())
    return made


def shown(path: Path, indexes: list[int]) -> list[list[Fraction]]:
    """The presentation time of each frame of the streams in seconds; of audio, only the first."""
    times: list[list[Fraction]] = []
    for index in indexes:
        with av.open(str(path)) as container:
            stream, found = container.streams[index], []
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue  # audio cut in the middle of a packet
                found += [f.pts * f.time_base for f in frames if f.pts is not None]
                if found and stream.type == "audio":
                    break
            times.append(found if stream.type == "video" else found[:1])
    return times


def becomes(source: Path, folder: Path, make_manifest: Any, make_track: Any, saved: Any) -> str:
    """The outcome for a file, after comparing its output with it."""
    try:
        manifest = covered(source, make_manifest, make_track)
        out = folder / f"out{SUFFIXES[manifest.output.container][0]}"
        read = manifest_file.read_path(saved(manifest))
        pipeline.render(source, read, out, folder / "receipt", OPTIONS, silently)
    except VeridactError as e:
        return f"refused: {str(e).replace(str(source), source.name)}"
    kept = [s.index for s in manifest.output.streams or ()]
    before, after = shown(source, kept), shown(out, list(range(len(kept))))
    assert [len(times) for times in after] == [len(times) for times in before]
    video = [n for n, times in enumerate(before) if len(times) > 1]
    assert [after[n] for n in video] == [before[n] for n in video]
    if video:  # sound alone may begin at 0
        assert all(abs(a[0] - b[0]) <= MILLISECOND for a, b in zip(after, before, strict=True))
    return f"{manifest.output.container}: {len(kept)} of {len(manifest.source.streams)} streams"


@pytest.mark.real_media
def test_every_real_container_is_rendered_frame_for_frame_or_refused_with_a_reason(
    real_media: Path, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    pictures = {".gif", ".png", ".webp", ".tif"}
    files = sorted(p for p in (real_media / "containers").rglob("*") if p.is_file() and p.suffix not in pictures)
    found = {
        str(p.relative_to(real_media / "containers")): becomes(p, tmp_path, make_manifest, make_track, saved)
        for p in files
    }
    assert found == snapshot
