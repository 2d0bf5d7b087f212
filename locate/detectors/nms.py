"""Overlapping detections: intersection over union, non-maximum suppression, and merging."""

from dataclasses import replace

from veridact.locate.detectors.base import Detection


def iou(a: Detection, b: Detection) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.area + b.area - width * height)


def nms(detections: list[Detection], max_iou: float = 0.4) -> list[Detection]:
    """Non-maximum suppression: of boxes of one label that overlap by more than `max_iou`, the one that scores best.

    Greedy, in descending order of score; equal scores are ordered by their edges, so that the result is reproducible.
    """
    kept: list[Detection] = []
    for d in sorted(detections, key=lambda d: (-d.score, d.top, d.left, d.right, d.bottom)):
        if not any(k.label == d.label and iou(k, d) > max_iou for k in kept):
            kept.append(d)
    return kept


def merge_overlapping(detections: list[Detection], max_iou: float = 0.4) -> list[Detection]:
    """Non-maximum suppression that enlarges each box that is kept to the union with those it suppresses.

    For the results of several input sizes or models, of which one may detect only a part of an object.
    """
    groups = [
        (best, [d for d in detections if d.label == best.label and iou(d, best) > max_iou])
        for best in nms(detections, max_iou)
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
