"""Every real clip with audio, in two containers: the snapshot has the disposition of each stream, or the refusal."""

import csv
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from veridact.audit.ancillary import stream_leak
from veridact.audit.audio_content import audible_spans
from veridact.errors import VeridactError
from veridact.media.video import demux, open_media
from veridact.render.audio.packets import presented_start
from veridact.schema.plan.audio import Range, SoundPlan

PLANS = {"no range": SoundPlan(()), "ranges": SoundPlan((Range(100, 200, "silence", 0), Range(300, 350, "beep", 0)))}


def clips(folder: Path) -> list[str]:
    """The clips with audio, by the folder's own list; the corrupt ones need only be refused without a crash."""
    with (folder / "PROBE.tsv").open(newline="") as file:
        return [
            row["file"]
            for row in csv.DictReader(file, delimiter="\t")
            if row["audio"] and not row["file"].startswith("corrupt/")
        ]


def becomes(
    source: Path, index: int, number: int, plan: SoundPlan, container: str, rendered: Any, decoded_audio: Any
) -> str:
    """The disposition of one stream, after checking that it is covered where it must be and unchanged elsewhere."""
    try:
        with open_media(source) as media, demux(media) as opened:
            origin = presented_start(opened, opened.streams.audio[number])
        out, target = rendered(source, plan, container, index=index, origin=origin)
    except VeridactError as e:
        return str(e).replace(str(source), source.name)
    with open_media(target) as media, demux(media) as opened:
        moved = presented_start(opened, opened.streams.audio[0])
    assert abs(moved - origin) <= Fraction(1, 1000) * (1 if container == "mkv" else 0) + Fraction(2, out.rate_hz)
    with open_media(target) as media:
        assert list(audible_spans(media, 0, plan, moved)) == []
        assert stream_leak(media, 0) is None
    if out.disposition == "copied":
        after = decoded_audio(target)
        try:
            before = decoded_audio(source, number)
        except av.FFmpegError:  # tags or half a packet at its ends, which the copy leaves out
            return f"{out.disposition} {out.source_codec} without what is no sound at its ends"
        length = min(before.samples.shape[1], after.samples.shape[1])
        assert length >= before.samples.shape[1]
        length -= 1536 if out.source_codec == "ac3" else 0  # the last frame of one clip is two halves of others
        assert np.array_equal(before.samples[:, :length], after.samples[:, :length])
    return f"{out.disposition} {out.source_codec} as {out.codec}, {out.layout}, {out.rate_hz} Hz"


@pytest.mark.real_media
@pytest.mark.parametrize("plan", PLANS)
def test_every_real_clip_is_rendered_or_refused_with_a_reason(
    plan: str, real_media: Path, rendered: Any, decoded_audio: Any, snapshot: SnapshotAssertion
) -> None:
    found = {}
    for name in clips(real_media):
        try:
            with open_media(real_media / name) as media, demux(media) as container:
                streams = [s.index for s in container.streams.audio]
        except VeridactError as e:
            found[name] = str(e).replace(str(real_media / name), Path(name).name)
            continue
        for number, index in enumerate(streams):
            for container_name in ("mp4", "mkv"):
                found[f"{name} stream {index} in {container_name}"] = becomes(
                    real_media / name, index, number, PLANS[plan], container_name, rendered, decoded_audio
                )
    assert found == snapshot
