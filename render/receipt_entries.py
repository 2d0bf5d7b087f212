"""The bodies of a receipt's entries, from what a render did: pure, deterministic, and without any value of metadata."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from veridact import __version__
from veridact.schema import digests
from veridact.schema.manifest import Manifest
from veridact.schema.plan import effects
from veridact.schema.reader import LoadedManifest
from veridact.schema.receipt import EntryType

KNOWN_TAGS = frozenset(
    """
    album album_artist artist author comment compatible_brands composer copyright creation_time date description disc
    duration encoder encoded_by genre handler_name keywords language location location-eng lyrics major_brand
    minor_version model make publisher performer rating software sortname synopsis title timecode track vendor_id
    com.apple.quicktime.location.iso6709 com.apple.quicktime.make com.apple.quicktime.model
    com.apple.quicktime.software com.apple.quicktime.creationdate com.android.version com.android.capture.fps
    chapters captions
    exif xmp icc_profile iptc photoshop dpi jfif mpf adobe thumbnail gamma chromaticity srgb cicp phys transparency loop
    background version timestamp compression resolution default_image
    """.split()
)
"""Names of metadata that may stand in a receipt; any other name is counted as `other`, since a name can be personal."""


@dataclass(frozen=True)
class StreamOutcome:
    """What became of one input stream: copied, re-encoded, replaced or dropped, and why.

    `ancillary_bytes_zeroed` counts the bytes of copied sound that held no sound.
    """

    index: int
    type: str
    codec: str
    disposition: str
    reason: str
    dropped: Sequence[str] = ()
    ancillary_bytes_zeroed: int = 0


@dataclass(frozen=True)
class OutputStreamRecord:
    """One stream of the output: its packets and the digest of what it decodes to."""

    type: str
    codec: str
    packets: int
    content_sha256: str


@dataclass(frozen=True)
class RenderResult:
    """Everything a renderer reports: nothing in it depends on the machine, the clock or the number of workers.

    `begins` is how many seconds after 0 ms of the manifest the earliest stream of the output begins: more than 0 only
    where an earlier one was dropped.
    """

    encoder: Mapping[str, str]
    streams: Sequence[StreamOutcome]
    outputs: Sequence[OutputStreamRecord]
    covered: Mapping[int, tuple[int, int]]
    ranges: Mapping[int, Sequence[Mapping[str, int]]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    begins: Fraction = Fraction(0)


def safe_names(names: Sequence[str]) -> list[str]:
    """Names of metadata as a receipt may hold them: known ones in lower case, sorted, then `other` for all others."""
    lowered = {name.lower() for name in names}
    known = sorted(lowered & KNOWN_TAGS)
    return known + (["other"] if lowered - KNOWN_TAGS else [])


def _timelines(manifest: Manifest) -> list[dict[str, Any]]:
    records = [s.model_dump(mode="json", exclude_none=True) for s in manifest.source.streams]
    return [{k: r[k] for k in ("index", "frames", "pts_sha256") if k in r} for r in records if "pts_sha256" in r]


def _items(read: LoadedManifest, rendered: RenderResult) -> Iterator[tuple[EntryType, dict[str, Any]]]:
    manifest = read.manifest
    for number, track in enumerate(manifest.tracks):
        frames, pixels = rendered.covered.get(number, (0, 0))
        effect = effects.effect_of(track, manifest)
        yield (
            "track",
            {
                "id": track.id,
                "stream": track.stream,
                "label": track.label,
                "review": track.review,
                "effect": effect.model_dump(mode="json") if effect else None,
                "frames": frames,
                "pixels": pixels,
            },
        )
    for number, item in enumerate(manifest.audio):
        effect = effects.effect_of(item, manifest)
        yield (
            "audio",
            {
                "id": item.id,
                "label": item.label,
                "review": item.review,
                "effect": effect.model_dump(mode="json") if effect else None,
                "start_ms": item.start_ms,
                "end_ms": item.end_ms,
                "streams": [dict(r) for r in rendered.ranges.get(number, ())],
            },
        )


def bodies(
    read: LoadedManifest, rendered: RenderResult, toolchain: list[dict[str, str]], output: Mapping[str, Any]
) -> Iterator[tuple[EntryType, dict[str, Any]]]:
    """The entries of the receipt before its seal, in the order of SPEC §4; `output` has the file's sha256 and bytes."""
    manifest = read.manifest
    yield (
        "genesis",
        {
            "tool": {"name": "veridact", "version": __version__},
            "profile": manifest.output.profile or manifest.source.kind,
            "encoder": dict(rendered.encoder),
            "toolchain": toolchain,
        },
    )
    yield (
        "input",
        {"sha256": manifest.source.sha256, "bytes": manifest.source.bytes, "timelines": _timelines(manifest)},
    )
    yield (
        "manifest",
        {
            "file_sha256": digests.sha256_hex(read.raw),
            "manifest_sha256": digests.manifest_sha256(manifest),
            "plan_sha256": digests.plan_sha256(manifest),
        },
    )
    for s in rendered.streams:
        body = {"index": s.index, "type": s.type, "codec": s.codec, "disposition": s.disposition, "why": s.reason}
        zeroed = {"ancillary_bytes_zeroed": s.ancillary_bytes_zeroed} if s.ancillary_bytes_zeroed else {}
        yield "stream", {**body, "metadata_dropped": list(s.dropped), **zeroed}
    yield from _items(read, rendered)
    for text in rendered.warnings:
        yield "warning", {"text": text}
    yield (
        "output",
        {
            **output,
            **({"begins": list(rendered.begins.as_integer_ratio())} if rendered.begins else {}),
            "container": manifest.output.container,
            "streams": [
                {"type": o.type, "codec": o.codec, "packets": o.packets, "content_sha256": o.content_sha256}
                for o in rendered.outputs
            ],
        },
    )
