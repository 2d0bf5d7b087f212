"""Ancillary data of a stream's packets: found before anything is written, and zeroed while the packets are copied."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from veridact.render.audio.ancillary import codecs
from veridact.render.audio.ancillary.fixed import as_they_are
from veridact.render.audio.packets import AudioPacket
from veridact.sandbox.heartbeat import beat


@dataclass(frozen=True)
class Survey:
    """Which packets of a stream hold ancillary data: one byte a packet, 0 for none; empty where no packet can."""

    codec: str
    header: bytes | None
    marks: bytes

    @property
    def found(self) -> bool:
        """Whether any packet holds some."""
        return any(self.marks)


def survey(codec: str, header: bytes | None, packets: Iterator[AudioPacket]) -> Survey:
    """Reads every packet of a stream whose `header` is canonical; raises `UnreadableError` where one is not read."""
    marks = bytearray()
    if codecs.syntax(codec).clean is as_they_are:
        return Survey(codec, header, b"")
    for _, changed in codecs.clean(codec, header, (p.data for p in packets)):
        beat()
        marks.append(changed > 0)
    return Survey(codec, header, bytes(marks))


def cleaned(found: Survey, packets: Iterator[AudioPacket]) -> Iterator[AudioPacket]:
    """The surveyed packets with their ancillary data zeroed, and the number of those bytes in `ancillary_bytes`."""
    if not found.found:
        yield from packets
    elif not codecs.syntax(found.codec).independent:
        yield from _cleaned(found, packets)
    else:
        for packet, mark in zip(packets, found.marks, strict=True):
            yield from _cleaned(found, iter([packet])) if mark else [packet]


def _cleaned(found: Survey, packets: Iterator[AudioPacket]) -> Iterator[AudioPacket]:
    """Every packet read and cleaned; the codec's reader may be some packets ahead of what it gives out."""
    ahead: deque[AudioPacket] = deque()

    def taken() -> Iterator[bytes]:
        for packet in packets:
            ahead.append(packet)
            yield packet.data

    for data, changed in codecs.clean(found.codec, found.header, taken()):
        yield replace(ahead.popleft(), data=data, ancillary_bytes=changed)
