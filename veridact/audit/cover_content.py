"""Whether every cover of an output is painted: its decoded samples are compared with what its effect can produce.

A solid is black, a mosaic flat within its cells, a blur a straight line between cell centres. What an encoder adds to
that is bounded; detail is not, so that a cover that is missing, shifted or painted too weakly is found.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from veridact.audit.checks import Finding
from veridact.audit.effect_model import modelled
from veridact.audit.picture_encoding import Encode, bounds
from veridact.render.video.planes import Plane
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Manifest, PictureStream, Solid, VideoStream
from veridact.schema.plan import visibility
from veridact.schema.plan.video import EVERYTHING, Cover, Raster, StreamPlan

TOLERANCE = {"h264": 28, "lossless": 0, "jpeg": 40, "webp": 48, "gif": 24, "png": 0, "tiff": 0, "bmp": 0}
"""How far a sample of 8 bits may be from what its effect produces, by profile or picture container."""

STRAY_PERMILLE = 30
"""How many in a thousand samples of a cover may be further off than that: an encoder's ringing along an edge."""

ROUNDING = 1
"""Effects are rounded to whole values, so that a sample may be off by one without any encoder."""

SUBSAMPLED = frozenset({"jpeg", "webp"})
"""Picture containers whose encoder stores colours at half the resolution."""


Painted = Iterator[tuple[int, list[Plane], Raster]]
"""The number, planes and raster of each frame of an output, in order."""


def check_covers(
    painted: Painted,
    manifest: Manifest,
    record: VideoStream | PictureStream,
    pts: Sequence[int],
    encode: Encode | None = None,
) -> Finding:
    """Compares every cover of every frame with what its effect can produce."""
    kind = manifest.output.profile or manifest.output.container
    plan: StreamPlan | None = None
    checked = 0
    for number, planes, raster in painted:
        with patience():
            plan = plan or StreamPlan(manifest, record, pts, raster)
        for cover, owned in visibility.owned(plan.at(number), raster.picture):
            checked += 1
            with patience():
                stray = _stray_permille(cover, owned, planes, TOLERANCE[kind])
                if stray > STRAY_PERMILLE and encode is not None:
                    stray = _stray_beyond_encoding(cover, owned, planes, TOLERANCE[kind], encode)
            if stray > STRAY_PERMILLE:
                everything = cover.track == EVERYTHING
                name = "everything but what is kept" if everything else manifest.tracks[cover.track].id
                return Finding(
                    f"stream {record.index} covers",
                    False,
                    f"{name} is not covered on frame {number} ({stray} in 1000 samples)",
                )
    return Finding(f"stream {record.index} covers", True, f"{checked} covers on the frames they are listed for")


def _stray_permille(cover: Cover, owned: NDArray[np.bool_], planes: Sequence[Plane], tolerance: int) -> int:
    """The worst plane's share of samples that are further from the effect than the tolerance."""
    worst = 0
    for plane in planes:
        if plane.opaque:
            continue
        here = owned[:: plane.step_y, :: plane.step_x]
        rows, columns = np.nonzero(here)
        samples = plane.samples[rows, columns].astype(np.float64)
        allowed = tolerance * plane.quantum // 8
        rounding = 0 if isinstance(cover.effect, Solid) else ROUNDING
        off = np.abs(samples - modelled(cover, plane, rows, columns, samples)) - rounding
        worst = max(worst, int(1000 * np.count_nonzero(off > allowed) // max(1, off.size)))
    return worst


def _stray_beyond_encoding(
    cover: Cover, owned: NDArray[np.bool_], planes: Sequence[Plane], tolerance: int, encode: Encode
) -> int:
    """`_stray_permille` for a picture whose encoder lets colours bleed over a cover's edge, which is allowed as far."""
    pixels = np.stack([plane.samples for plane in planes], axis=2)
    model = pixels.copy()
    rows, columns = np.nonzero(owned)
    for band, plane in enumerate(planes):
        if not plane.opaque:
            samples = plane.samples[rows, columns].astype(np.float64)
            model[rows, columns, band] = modelled(cover, plane, rows, columns, samples).round().clip(0, 255)
    least, greatest = bounds(pixels, owned, model, encode)
    off = np.maximum(pixels.astype(np.int64) - greatest, least.astype(np.int64) - pixels)[owned]
    shown = [not plane.opaque for plane in planes]
    return int((1000 * np.count_nonzero(off > tolerance, axis=0) // max(1, len(rows)))[shown].max())
