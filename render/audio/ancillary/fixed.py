"""Codecs whose packets have no room for anything but sound: PCM, ADPCM, GSM, and AMR, whose frames have known sizes."""

from collections.abc import Iterator

from veridact.render.audio.ancillary.bits import UnreadableError, changed_bytes

_MS_COEFFICIENTS = bytes.fromhex("0700 00010000 000200ff 00000000 c0004000 f0000000 cc0130ff 880118ff")
"""wNumCoef and the seven standard pairs of Microsoft ADPCM, which every decoder has built in."""

_AMR_BYTES = {
    "amr_nb": (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1),
    "amr_wb": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1),
}
"""The bytes of a frame by its type, with the byte that names it (RFC 4867 §5.3); 0 for types that do not exist."""


def no_configuration(header: bytes | None) -> None:
    """No header: the container's own fields say how to decode."""


def adpcm_configuration(header: bytes | None) -> bytes | None:
    """The samples of a block, with the standard coefficients where there are any; raises `UnreadableError` for more."""
    if not header:
        return None
    if len(header) >= 2 + len(_MS_COEFFICIENTS) and header[2:].startswith(_MS_COEFFICIENTS):
        return header[: 2 + len(_MS_COEFFICIENTS)]
    if len(header) >= 2 and not any(header[2:]):
        return header[:2]
    raise UnreadableError("the header of its ADPCM is not known")


def as_they_are(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet as it is."""
    for packet in packets:
        yield packet, 0


def clean_amr_nb(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet of AMR with zeros for what follows its frames, and how many bytes that changed."""
    return _clean_amr(_AMR_BYTES["amr_nb"], packets)


def clean_amr_wb(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """The same for AMR-WB."""
    return _clean_amr(_AMR_BYTES["amr_wb"], packets)


def _clean_amr(sizes: tuple[int, ...], packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    for packet in packets:
        size = sizes[packet[0] >> 3 & 15] if packet else 0
        if not size or size > len(packet):
            raise UnreadableError("an AMR packet is no frame of a known type")
        data = packet[:size] + bytes(len(packet) - size)
        yield data, changed_bytes(packet, data)
