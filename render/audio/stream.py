"""One audio stream of the input as one audio stream of the output: copied, replaced packet by packet, or re-encoded.

out = render_audio(media, index, plan, origin, "mp4")     decides; raises where the output cannot be exact
stream = out.add_to(output)                               before the output's header is written
for packet in out.packets(stream): output.mux(packet)     packets are made one at a time; out.counts is then complete
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from veridact.errors import MediaError
from veridact.media.containers import LOSSLESS_OF, audio_stream, fit, kept_layout
from veridact.media.video import MediaFile, demux, fraction, is_cover_art
from veridact.render.audio import pcm
from veridact.render.audio.aac_splice import AacConfig, aac_lc_config, splice_packets, strip_adts
from veridact.render.audio.ancillary import codecs
from veridact.render.audio.ancillary.bits import UnreadableError
from veridact.render.audio.ancillary.packets import Survey, cleaned, survey
from veridact.render.audio.codec_delay import stream_with_codec_delay
from veridact.render.audio.decode import decode_blocks
from veridact.render.audio.packets import (
    AudioPacket,
    AvAudioPacket,
    monotonic_packets,
    packet_start,
    presented_packets,
    retimed_packets,
)
from veridact.schema.plan.audio import Covers, SoundPlan, covered_samples, position_slack

_EDIT_LISTS = frozenset({"mp4", "mov", "m4a"})
Disposition = Literal["copied", "replaced", "re-encoded"]


@dataclass
class Counts:
    """Counts of what was written, for the receipt; complete once all packets have been consumed.

    `silent_from` is the presentation time of the first packet in seconds, if that packet was replaced: the constant
    access unit is presented even where the original packet decoded to nothing.
    """

    packets: int = 0
    packets_replaced: int = 0
    samples_covered: int = 0
    ancillary_bytes_zeroed: int = 0
    silent_from: Fraction | None = None


@dataclass(frozen=True)
class AudioOutput:
    """An audio stream of the output, its disposition decided, its packets made on demand.

    `codec`, `rate_hz` and `layout` are the output's; `reason` is the receipt's phrase for the disposition. `header`
    (written anew) and `ancillary` are set for copied and spliced streams, `config` for spliced, `encoding` for
    re-encoded ones. `origin` is 0 ms of the manifest in seconds of the file's clock.
    """

    media: MediaFile
    index: int
    plan: SoundPlan
    origin: Fraction
    container: str
    disposition: Disposition
    reason: str
    source_codec: str
    codec: str
    rate_hz: int
    channels: int
    layout: str
    header: bytes | None
    config: AacConfig | None
    encoding: pcm.AudioEncoding | None
    strips_adts: bool = False
    ancillary: Survey | None = None
    counts: Counts = field(default_factory=Counts, compare=False)

    def add_to(self, output: OutputContainer) -> AudioStream:
        """Adds the stream to an output whose header is not yet written."""
        if self.encoding is not None:
            return pcm.add_encoder(output, self.encoding)
        with demux(self.media) as container:
            return _add_copy(output, self, audio_stream(container, self.index))

    def priming(self) -> int:
        """The number of samples that a player skips at the start of a copied stream."""
        with demux(self.media) as container:
            return next(_output_packets(container, audio_stream(container, self.index), self)).skip

    def muxer_options(self) -> dict[str, str]:
        """Muxer options that this stream needs in an audio-only file, besides the bit-exact flags."""
        if self.container == "wav":
            return {"rf64": "auto"}
        if self.container == "mp3":
            # The Xing header always claims 529 samples of priming, so a stream without priming goes without it.
            return {"id3v2_version": "0", "write_xing": str(int(self.priming() > 0))}
        return {}

    def packets(self, stream: AudioStream) -> Iterator[AvAudioPacket]:
        """The packets in order, ready to mux into the stream that `add_to` returned; raises `MediaError` for damage."""
        for packet in self._encoded(stream) if self.encoding is not None else self._copied():
            packet.stream = stream
            self.counts.packets += packet.size > 0
            yield packet

    def _copied(self) -> Iterator[AvAudioPacket]:
        """The source's packets, replaced where the stream is spliced."""
        with demux(self.media) as container:
            source = audio_stream(container, self.index)
            packets = _output_packets(container, source, self)
            if self.ancillary is not None:
                packets = cleaned(self.ancillary, packets)
            if self.config is None:
                for packet in _with_mp3_delay(packets, self.container):
                    self.counts.ancillary_bytes_zeroed += packet.ancillary_bytes
                    yield packet.to_av()
                return
            rate_hz = self.config.rate_hz
            slack = position_slack(fraction(source.time_base), self.origin, rate_hz)
            covers = Covers(covered_samples(self.plan, rate_hz), slack)
            for packet, covered in splice_packets(packets, self.config, covers, self.origin):
                if covered >= 0 and not self.counts.packets:
                    self.counts.silent_from = packet_start(packet, rate_hz)
                self.counts.packets_replaced += covered >= 0
                self.counts.samples_covered += max(0, covered)
                self.counts.ancillary_bytes_zeroed += packet.ancillary_bytes if covered < 0 else 0
                yield packet.to_av()

    def _encoded(self, stream: AudioStream) -> Iterator[AvAudioPacket]:
        """The packets of the decoded, covered and re-encoded stream."""
        if self.encoding is None:
            return
        with demux(self.media) as container:
            time_base = fraction(audio_stream(container, self.index).time_base)
        slack = position_slack(time_base, self.origin, self.rate_hz)
        covers = Covers(covered_samples(self.plan, self.rate_hz), slack)
        chunks = pcm.covered_chunks(
            decode_blocks(self.media, self.index),
            self.encoding,
            self.source_codec,
            covers,
            self.origin,
            pcm.chunk_samples(stream),
        )
        for packet, covered in pcm.encode(stream, chunks, self.encoding, self.origin):
            self.counts.samples_covered += covered
            yield packet


def render_audio(media: MediaFile, index: int, plan: SoundPlan, origin: Fraction, container: str) -> AudioOutput:
    """Decides how audio stream `index` is rendered into `container` (the manifest's name for it).

    `origin` is 0 ms of the manifest in seconds of the file's clock. Raises `MediaError` for a codec that the container
    cannot store (naming one that can) and for audio that cannot be covered exactly.
    """
    fitting = fit(media, index, container)
    refusal = fitting.refusal(not plan.covers_nothing, alternative=", or remove the ranges")
    with demux(media) as source:
        stream = audio_stream(source, index)
        copy = AudioOutput(
            media=media,
            index=index,
            plan=plan,
            origin=origin,
            container=container,
            disposition="copied",
            reason="no range",
            source_codec=fitting.codec,
            codec=fitting.codec,
            rate_hz=stream.sample_rate,
            channels=stream.channels,
            layout=stream.layout.name,
            header=fitting.header,
            config=None,
            encoding=None,
        )
    if refusal is not None:
        raise MediaError(refusal)
    splices = fitting.codec == "aac" and fitting.copies and not plan.covers_nothing
    config = aac_lc_config(media, index, fitting.header) if splices else None
    why = "without loss" if fitting.holders else "no container holds its codec"
    if config is not None:
        reason = "the packets that touch a range are constant ones"
        copy = replace(copy, disposition="replaced", reason=reason, config=config)
    if config is not None or (plan.covers_nothing and fitting.holders):
        try:
            return _sound_alone(copy)
        except UnreadableError as e:
            why = f"without loss: {e}"
    return _re_encoded(copy, why)


def _sound_alone(copy: AudioOutput) -> AudioOutput:
    """A copied or spliced stream with its header written anew and its packets surveyed; raises `UnreadableError`."""
    with demux(copy.media) as container:
        source = audio_stream(container, copy.index)
        header = codecs.configuration(copy.codec, copy.header)
        adts = copy.codec == "aac" and not source.codec_context.extradata
        copy = replace(copy, header=header, strips_adts=adts)
        return replace(copy, ancillary=survey(copy.codec, header, _output_packets(container, source, copy)))


def _re_encoded(copy: AudioOutput, reason: str) -> AudioOutput:
    """The stream decoded and encoded without loss; raises `MediaError` where the container has no such codec."""
    if copy.plan.covers_nothing and copy.container not in LOSSLESS_OF:
        what = reason.removeprefix("without loss: ")
        raise MediaError(
            f"the {copy.codec} of stream {copy.index} cannot be copied ({what}); set output.container to flac"
        )
    encoding = pcm.choose_encoding(copy.container, copy.codec, next(decode_blocks(copy.media, copy.index)))
    return replace(
        copy,
        disposition="re-encoded",
        reason=reason,
        codec=encoding.codec,
        rate_hz=encoding.rate_hz,
        layout=encoding.layout,
        header=None,
        config=None,
        encoding=encoding,
    )


def _output_packets(container: InputContainer, stream: AudioStream, out: AudioOutput) -> Iterator[AudioPacket]:
    """The presented packets as the output needs them: without ADTS headers, rounded pts or audible priming."""
    frame = stream.codec_context.frame_size
    packets = presented_packets(container, stream)
    if out.strips_adts and out.header is not None:
        packets = strip_adts(packets, out.header)
    if frame:
        packets = retimed_packets(packets, stream.sample_rate, frame)
    streams = sum(s.type in {"audio", "video"} and not is_cover_art(s) for s in container.streams)
    may_move = streams == 1 and out.plan.covers_nothing
    return monotonic_packets(_without_audible_priming(packets, out.container, stream.sample_rate, may_move))


def _with_mp3_delay(packets: Iterator[AudioPacket], container: str) -> Iterator[AudioPacket]:
    """Repeats the priming in the side data of every packet for the MP3 muxer, which uses the last one it receives."""
    skip = 0
    for packet in packets:
        skip = packet.skip or skip
        yield replace(packet, skip=skip) if container == "mp3" and packet.skip_side_data is not None else packet


def _without_audible_priming(
    packets: Iterator[AudioPacket], container: str, rate_hz: int, may_move: bool
) -> Iterator[AudioPacket]:
    """Hides priming as far as the container allows.

    An edit list hides only samples before 0: priming at 0 is moved there when the stream `may_move` because it is alone
    in its file, and is dropped otherwise. Matroska hides the codec delay in its header; Vorbis has priming that is
    declared nowhere.
    """
    shift = Fraction(0)
    skip = 0
    for number, packet in enumerate(packets):
        skip = packet.skip if number == 0 else skip
        length = packet.duration * packet.time_base * rate_hz
        if container in _EDIT_LISTS and skip and number == 0 and packet.pts == 0 and may_move:
            shift, skip = Fraction(skip, rate_hz), 0
        if container in _EDIT_LISTS and skip >= length > 0 and packet.pts >= 0:
            skip -= int(length)
            continue
        if container == "mkv" and number == 0 and not skip and packet.pts < 0:
            packet = replace(packet, pts=0)  # the first packet of Vorbis decodes to nothing
        skip = 0
        yield replace(packet, pts=packet.pts - int(shift // packet.time_base)) if shift else packet


def _add_copy(output: OutputContainer, out: AudioOutput, source: AudioStream) -> AudioStream:
    """Adds a stream with the source's parameters, and its priming where only the track header stores it (Matroska)."""
    template = source
    skip = out.priming() if out.container == "mkv" else 0
    if skip:
        template = stream_with_codec_delay(source, out.header, skip) or source
    stream = output.add_stream_from_template(template)
    stream.codec_context.extradata = out.header
    stream.codec_context.layout = kept_layout(source.layout.name, source.channels)
    return stream
