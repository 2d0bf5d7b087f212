"""Whether the covers of an audio stream in a finished file are silent or the beep.

A stream of plain AAC-LC is checked packet by packet: wherever a window touches a cover, the packet must be the constant
access unit. Any other stream is decoded, and its samples must be silence or the tone, exactly.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from veridact.errors import MediaError
from veridact.media.containers import adts_config
from veridact.media.probe import codec_name
from veridact.media.video import MediaFile, demux, fraction
from veridact.render.audio.aac_constants import FRAME_SAMPLES, WINDOW_SAMPLES, access_unit
from veridact.render.audio.aac_splice import AacConfig, aac_lc_config
from veridact.render.audio.decode import Block, decode_blocks
from veridact.render.audio.packets import presented_packets, retimed_packets
from veridact.render.audio.pcm import timed_blocks
from veridact.render.audio.tone import silence_value, tone
from veridact.schema.plan.audio import Covers, SoundPlan, Span, covered_samples, position_slack, sample_position

EDGE_MS = 5
"""By how much a drifting clock may have moved the edges of a cover."""


def is_silent(samples: NDArray[Any], sample_format: str) -> bool:
    """Whether every sample, as (channels, samples) in the numbers of `sample_format`, is silence."""
    return not np.any(samples != silence_value(sample_format))


def is_beep(samples: NDArray[Any], start: int, rate_hz: int, sample_format: str) -> bool:
    """Whether every channel of (channels, samples) is the tone, whose phase at the first sample is that of `start`."""
    return bool(np.all(samples == tone(start, samples.shape[1], rate_hz, sample_format)))


def audible_spans(
    media: MediaFile, index: int, plan: SoundPlan, origin: Fraction, edge_ms: int = EDGE_MS
) -> Iterator[Span]:
    """The spans of a finished stream that should be covered and are not, in order; the check passes without any.

    `origin` is when 0 ms of the manifest is in this file's clock; `edge_ms` is left out at both edges of a cover that
    was painted sample by sample.
    """
    if plan.covers_nothing:
        return
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise MediaError(f"stream {index} is not an audio stream; name the output of this manifest")
        time_base, header = fraction(stream.time_base), stream.codec_context.extradata
        if codec_name(stream) == "aac" and not header:
            header = next((adts_config(p.data) for p in presented_packets(container, stream)), None)
        config = aac_lc_config(media, index, header) if codec_name(stream) == "aac" else None
    if config is not None:
        yield from _unreplaced(media, index, plan, origin, config)
        return
    written = 0
    covers: Covers | None = None
    for at, _, block in timed_blocks(decode_blocks(media, index), origin):
        if covers is None:
            shrink = position_slack(time_base, origin, block.rate_hz) + block.rate_hz * edge_ms // 1000
            covers = Covers(_shrunk(covered_samples(plan, block.rate_hz), shrink))
        yield from _uncovered(at, written, block, covers)
        written += block.samples.shape[1]


def _shrunk(spans: tuple[Span, ...], by: int) -> tuple[Span, ...]:
    """Spans without `by` samples at both ends; those that are no longer than that are left out."""
    return tuple(Span(s.start + by, s.end - by, s.effect) for s in spans if s.end - s.start > 2 * by)


def _uncovered(at: int, written: int, block: Block, covers: Covers) -> Iterator[Span]:
    """The covered spans within one block that are neither silence nor the tone.

    `at` is the position of the block's first sample, `written` how many samples the output has before it.
    """
    for span in covers.touching(at, at + block.samples.shape[1]):
        part = block.samples[:, span.start - at : span.end - at]
        step = written + span.start - at
        covered = (
            is_silent(part, block.sample_format)
            if span.effect == "silence"
            else is_beep(part, step, block.rate_hz, block.sample_format)
        )
        if not covered:
            yield span


def _unreplaced(media: MediaFile, index: int, plan: SoundPlan, origin: Fraction, config: AacConfig) -> Iterator[Span]:
    """The packets of a plain AAC stream that touch a cover and are not its constant unit; silence passes for a beep."""
    units = {e: access_unit(config.elements, config.rate_hz, e) for e in ("silence", "beep")}
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            return
        slack = position_slack(fraction(stream.time_base), origin, config.rate_hz)
        covers = Covers(_shrunk(covered_samples(plan, config.rate_hz), slack))
        packets = retimed_packets(presented_packets(container, stream), config.rate_hz, FRAME_SAMPLES)
        for packet in packets:
            start = int(sample_position(packet.pts, packet.time_base, origin, config.rate_hz) // 1)
            effects = {s.effect for s in covers.touching(start, start + WINDOW_SAMPLES)}
            if effects and packet.data not in {units["silence"], *(units[e] for e in effects)}:
                yield Span(start, start + FRAME_SAMPLES, "silence" if "silence" in effects else "beep")
