"""Overlapping detections: intersection over union, non-maximum suppression, and merging."""

from dataclasses import replace

from veridact.locate.detectors.base import Detection


def iou(a: Detection, b: Detection) -> float:
    """Intersection over union."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.area + b.area - width * height)


def without_doubles(found: list[Detection], overlap: float = 0.4) -> list[Detection]:
    """The best of each group of boxes of one label that overlap by more than `overlap` (non-maximum suppression)."""
    kept: list[Detection] = []
    for d in sorted(found, key=lambda d: (-d.score, d.top, d.left, d.right, d.bottom)):
        if not any(k.label == d.label and iou(k, d) > overlap for k in kept):
            kept.append(d)
    return kept


def united(found: list[Detection], overlap: float = 0.4) -> list[Detection]:
    """What several looks or models found, doubles as one box that holds them all: one may see but a part of a thing."""
    groups = [
        (best, [d for d in found if d.label == best.label and iou(d, best) > overlap])
        for best in without_doubles(found, overlap)
    ]
    return [
        replace(
            best,
            left=min(d.left for d in same),
            top=min(d.top for d in same),
            right=max(d.right for d in same),
            bottom=max(d.bottom for d in same),
        )
        for best, same in groups
    ]
