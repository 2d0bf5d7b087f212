"""One audio stream of the input as one audio stream of the output: copied, replaced packet by packet, or re-encoded.

out = render_audio(media, index, plan, origin, "mp4")     decides, and refuses what cannot be exact
stream = out.add_to(output)                               before the output's header is written
for packet in out.packets(stream): output.mux(packet)     a packet at a time; out.counts is complete at the end
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from veridact.errors import MediaError
from veridact.media.containers import audio_stream, fit, layout_name
from veridact.media.video import MediaFile, demux, fraction, is_cover_art
from veridact.render.audio import pcm
from veridact.render.audio.aac_splice import AacConfig, plain_config, substituted, without_adts
from veridact.render.audio.codec_delay import template_with_delay
from veridact.render.audio.decode import decode_blocks
from veridact.render.audio.packets import (
    AudioPacket,
    SoundPacket,
    increasing_packets,
    presented_packets,
    starts,
    steady_packets,
)
from veridact.schema.plan.audio import Covers, SoundPlan, covered_samples, position_slack

_EDIT_LISTS = frozenset({"mp4", "mov", "m4a"})
How = Literal["copied", "replaced", "re-encoded"]


@dataclass
class Counts:
    """What was written, for the receipt; complete once all packets have been taken.

    `silent_from` is when the first packet sounds, in seconds, if it was replaced: what replaces it is heard, even where
    the packet decoded to nothing.
    """

    packets: int = 0
    packets_replaced: int = 0
    samples_covered: int = 0
    silent_from: Fraction | None = None


@dataclass(frozen=True)
class AudioOut:
    """A decided audio stream: `codec` is the output's, `why` a phrase for the receipt, `rate_hz` of the output."""

    media: MediaFile
    index: int
    plan: SoundPlan
    origin: Fraction
    container: str
    how: How
    why: str
    source_codec: str
    codec: str
    rate_hz: int
    channels: int
    layout: str
    header: bytes | None
    config: AacConfig | None
    target: pcm.Target | None
    counts: Counts = field(default_factory=Counts, compare=False)

    def add_to(self, output: OutputContainer) -> AudioStream:
        """Adds the stream to an output whose header is not yet written."""
        if self.target is not None:
            return pcm.add_encoder(output, self.target)
        with demux(self.media) as container:
            return _add_copy(output, self, audio_stream(container, self.index))

    def priming(self) -> int:
        """How many samples at the start of a copied stream a player skips."""
        with demux(self.media) as container:
            return next(_timed(container, audio_stream(container, self.index), self)).skip

    def muxer_options(self) -> dict[str, str]:
        """What the muxer of a sound-only file must be told for this stream, beside being exact."""
        if self.container == "wav":
            return {"rf64": "auto"}
        if self.container == "mp3":
            # The Xing header always claims 529 samples of priming, so a stream without priming goes without it.
            return {"id3v2_version": "0", "write_xing": str(int(self.priming() > 0))}
        return {}

    def packets(self, stream: AudioStream) -> Iterator[AudioPacket]:
        """The packets in order, ready to mux, for the stream that `add_to` gave; raises `MediaError` for damage."""
        for packet in self._encoded(stream) if self.target is not None else self._copied():
            packet.stream = stream
            self.counts.packets += packet.size > 0
            yield packet

    def _copied(self) -> Iterator[AudioPacket]:
        with demux(self.media) as container:
            source = audio_stream(container, self.index)
            packets = _timed(container, source, self)
            if self.config is None:
                yield from (p.to_av() for p in _with_mp3_delay(packets, self.container))
                return
            rate_hz = self.config.rate_hz
            slack = position_slack(fraction(source.time_base), self.origin, rate_hz)
            covers = Covers(covered_samples(self.plan, rate_hz), slack)
            for packet, covered in substituted(packets, self.config, covers, self.origin):
                if covered >= 0 and not self.counts.packets:
                    self.counts.silent_from = starts(packet, rate_hz)
                self.counts.packets_replaced += covered >= 0
                self.counts.samples_covered += max(0, covered)
                yield packet.to_av()

    def _encoded(self, stream: AudioStream) -> Iterator[AudioPacket]:
        if self.target is None:
            return
        with demux(self.media) as container:
            time_base = fraction(audio_stream(container, self.index).time_base)
        slack = position_slack(time_base, self.origin, self.rate_hz)
        covers = Covers(covered_samples(self.plan, self.rate_hz), slack)
        chunks = pcm.covered_chunks(
            decode_blocks(self.media, self.index),
            self.target,
            self.source_codec,
            covers,
            self.origin,
            pcm.chunk_samples(stream),
        )
        for packet, covered in pcm.encode(stream, chunks, self.target, self.origin):
            self.counts.samples_covered += covered
            yield packet


def render_audio(media: MediaFile, index: int, plan: SoundPlan, origin: Fraction, container: str) -> AudioOut:
    """Decides how stream `index` is rendered into `container` (a name of the manifest).

    `origin` is when 0 ms of the manifest is, in seconds of the file's clock. Raises `MediaError` for a codec that the
    container cannot hold (naming one that can) and for sound that cannot be covered exactly.
    """
    fitting = fit(media, index, container)
    codec, header = fitting.codec, fitting.header
    with demux(media) as source:
        stream = audio_stream(source, index)
        rate_hz, layout, channels = stream.sample_rate, stream.layout.name, stream.channels

    def out(how: How, why: str, config: AacConfig | None = None, target: pcm.Target | None = None) -> AudioOut:
        return AudioOut(
            media,
            index,
            plan,
            origin,
            container,
            how,
            why,
            codec,
            target.codec if target else codec,
            target.rate_hz if target else rate_hz,
            channels,
            target.layout if target else layout,
            None if target else header,
            config,
            target,
        )

    refusal = fitting.refusal(not plan.covers_nothing, unless=", or remove the ranges")
    if refusal is not None:
        raise MediaError(refusal)
    if plan.covers_nothing and fitting.holders:
        return out("copied", "no range")
    config = plain_config(media, index, header) if codec == "aac" and fitting.copies else None
    if config is not None and not plan.covers_nothing:
        return out("replaced", "the packets that touch a range are constant ones", config=config)
    first = next(decode_blocks(media, index))
    target = pcm.choose_target(container, codec, first)
    return out("re-encoded", "without loss" if fitting.holders else "no container holds its codec", target=target)


def _timed(container: InputContainer, stream: AudioStream, out: AudioOut) -> Iterator[SoundPacket]:
    """The presented packets as the output takes them: no ADTS headers, no rounded clock, no priming it would play."""
    frame = stream.codec_context.frame_size
    packets = presented_packets(container, stream)
    if out.header is not None and not stream.codec_context.extradata:
        packets = without_adts(packets, out.header)
    if frame:
        packets = steady_packets(packets, stream.sample_rate, frame)
    streams = sum(s.type in {"audio", "video"} and not is_cover_art(s) for s in container.streams)
    may_move = streams == 1 and out.plan.covers_nothing
    return increasing_packets(_without_audible_priming(packets, out.container, stream.sample_rate, may_move))


def _with_mp3_delay(packets: Iterator[SoundPacket], target: str) -> Iterator[SoundPacket]:
    """Every note tells the priming where the muxer is MP3's, which believes the last note it sees."""
    skip = 0
    for packet in packets:
        skip = packet.skip or skip
        yield replace(packet, skip=skip) if target == "mp3" and packet.note is not None else packet


def _without_audible_priming(
    packets: Iterator[SoundPacket], target: str, rate_hz: int, may_move: bool
) -> Iterator[SoundPacket]:
    """Hides priming as far as the output can.

    An edit list hides only what lies before 0: priming at 0 moves there where the sound `may_move`, being alone in
    its file, and is left out elsewhere. Matroska hides what its header says; Vorbis has priming without saying so.
    """
    shift = Fraction(0)
    skip = 0
    for number, packet in enumerate(packets):
        skip = packet.skip if number == 0 else skip
        length = packet.duration * packet.time_base * rate_hz
        if target in _EDIT_LISTS and skip and number == 0 and packet.pts == 0 and may_move:
            shift, skip = Fraction(skip, rate_hz), 0
        if target in _EDIT_LISTS and skip >= length > 0 and packet.pts >= 0:
            skip -= int(length)
            continue
        if target == "mkv" and number == 0 and not skip and packet.pts < 0:
            packet = replace(packet, pts=0)  # the first packet of Vorbis decodes to nothing
        skip = 0
        yield replace(packet, pts=packet.pts - int(shift // packet.time_base)) if shift else packet


def _add_copy(output: OutputContainer, out: AudioOut, source: AudioStream) -> AudioStream:
    """A stream with the parameters of the source, and with its priming where only the stream can say it (Matroska)."""
    template = source
    skip = out.priming() if out.container == "mkv" else 0
    if skip:
        template = template_with_delay(source, out.header, skip) or source
    stream = output.add_stream_from_template(template)
    if out.header is not None and not stream.codec_context.extradata:
        stream.codec_context.extradata = out.header
    stream.codec_context.layout = layout_name(source.layout.name, source.channels)
    return stream
