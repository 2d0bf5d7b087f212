"""Joining what was found on single frames into things that last: association by overlap with predicted motion.

Strong detections are matched first, weak ones to what is left (two thresholds, as in ByteTrack, Zhang et al. 2022).
A weak detection continues a track, in either direction of time, but a track that never had a strong one is dropped.
Overlap is taken of boxes grown on all sides (as in C-BIoU, Yang et al. 2023), so that small and fast things hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from veridact.locate.detectors.base import Detection
from veridact.locate.video.camera_motion import path
from veridact.locate.video.detections import Look
from veridact.locate.video.kalman import Motion, begin, likeness
from veridact.locate.video.thresholds import Thresholds
from veridact.locate.video.tracklets import Sighting, Sightings, Trail
from veridact.sandbox.heartbeat import beat

LOST_SECONDS = 1.0
LEAST_OVERLAP = 0.1
LEAST_OVERLAP_AFTER_GAP = 0.25
GAP_SECONDS = 0.2

SMEARED_START = 0.5
LEAST_SMEARED = 2
"""Smeared things score less: this part of the start threshold starts a track of what is seen so often at least."""


@dataclass
class _Live:
    """A trail that is being made."""

    label: str
    motion: Motion
    seen_seconds: float
    sightings: Sightings


def _pairs(live: Sequence[_Live], found: Sequence[Detection], seconds: float) -> list[tuple[int, int]]:
    """Which live trail each detection continues, the likeliest pair first; each is used once."""
    candidates: list[tuple[float, int, int]] = []
    measured = [d.place for d in found]
    for i, trail in enumerate(live):
        gap = seconds - trail.seen_seconds
        predicted = trail.motion.after(gap).place
        least = LEAST_OVERLAP if gap <= GAP_SECONDS else LEAST_OVERLAP_AFTER_GAP
        for j, d in enumerate(found):
            if d.label == trail.label and (alike := likeness(predicted, measured[j])) >= least:
                candidates.append((alike, i, j))
    taken_i: set[int] = set()
    taken_j: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for _, i, j in sorted(candidates, key=lambda c: (-c[0], c[1], c[2])):
        if i not in taken_i and j not in taken_j:
            taken_i.add(i)
            taken_j.add(j)
            pairs.append((i, j))
    return pairs


def _continue(
    live: list[_Live], found: Sequence[Detection], frame: int, seconds: float, strong: bool
) -> tuple[set[int], set[int]]:
    """Continues trails with detections; returns the indexes of both that were used."""
    pairs = _pairs(live, found, seconds)
    for i, j in pairs:
        trail = live[i]
        trail.motion = trail.motion.after(seconds - trail.seen_seconds).corrected(found[j].place)
        trail.seen_seconds = seconds
        trail.sightings.append(Sighting(frame, found[j], strong))
    return {i for i, _ in pairs}, {j for _, j in pairs}


def _by_strength(
    look: Look, seen: Sequence[Detection], thresholds: Mapping[str, Thresholds]
) -> tuple[list[Detection], list[Detection]]:
    """What may start a track and what may only continue one; what is less than that is left out."""
    part = SMEARED_START if look.smeared else 1.0
    linked = [d for d in seen if d.score >= thresholds[d.label].link]
    strong = [d.score >= thresholds[d.label].start * part for d in linked]
    pairs = list(zip(linked, strong, strict=True))
    return [d for d, sure in pairs if sure], [d for d, sure in pairs if not sure]


def _is_sure(trail: Trail, limits: Thresholds) -> bool:
    """Whether a trail is of a thing: seen well once, or smeared more than once."""
    strong = any(s.strong for s in trail.sightings)
    return strong and (trail.best.score >= limits.start or len(trail.sightings) >= LEAST_SMEARED)


def track(looks: Sequence[Look], seconds_per_pts: float, thresholds: Mapping[str, Thresholds]) -> list[Trail]:
    """The trails of one shot, in the order of their first sighting.

    Places are those of the shot's first frame: the camera's own motion is taken out before anything is matched.
    """
    live: list[_Live] = []
    ended: list[_Live] = []
    for look, (right, down) in zip(looks, path([look.shift_px for look in looks]).tolist(), strict=True):
        beat()
        seconds = look.pts * seconds_per_pts
        seen = [d.shifted(-right, -down) for d in look.detections]
        ended += [t for t in live if seconds - t.seen_seconds > LOST_SECONDS]
        live = [t for t in live if seconds - t.seen_seconds <= LOST_SECONDS]
        strong, weak = _by_strength(look, seen, thresholds)
        used, started = _continue(live, strong, look.frame, seconds, True)
        idle = [t for i, t in enumerate(live) if i not in used]
        _, continued = _continue(idle, weak, look.frame, seconds, False)
        new = [(d, True) for j, d in enumerate(strong) if j not in started]
        new += [(d, False) for j, d in enumerate(weak) if j not in continued]
        live += [_Live(d.label, begin(d.place), seconds, Sightings([Sighting(look.frame, d, sure)])) for d, sure in new]
    trails = [Trail(t.label, t.sightings) for t in (*ended, *live)]
    kept = [t for t in trails if _is_sure(t, thresholds[t.label])]
    return sorted(kept, key=lambda t: (t.sightings[0].frame, t.best.top, t.best.left))
