"""The tracker: joins the detections on single frames into tracklets, by association with predicted boxes.

Each active tracklet has a Kalman filter, which predicts its box on the next frame. Strong detections are associated
first, weak ones with the tracklets that remain (two thresholds, as in ByteTrack, Zhang et al. 2022). A weak detection
continues a tracklet, in either direction of time, but a tracklet that never had a strong one is dropped. The cost of a
pair is buffered intersection over union (as in C-BIoU, Yang et al. 2023), so that small and fast objects keep their
tracklet. A tracklet without detections stays active for the track buffer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from veridact.locate.detectors.base import Detection
from veridact.locate.video.camera_motion import camera_path
from veridact.locate.video.detections import FrameDetections
from veridact.locate.video.kalman import KalmanState, buffered_iou, initiate
from veridact.locate.video.thresholds import Thresholds
from veridact.locate.video.tracklets import Observation, Observations, Tracklet
from veridact.sandbox.heartbeat import beat

TRACK_BUFFER_SECONDS = 1.0
"""A tracklet that was not observed for longer than this ends."""

MIN_BUFFERED_IOU = 0.1
MIN_BUFFERED_IOU_AFTER_GAP = 0.25
GAP_SECONDS = 0.2
"""The least overlap of a detection with a predicted box, and that for a tracklet not observed for this long."""

MOTION_BLURRED_START = 0.5
MIN_OBSERVATIONS_BELOW_START = 2
"""Motion-blurred objects score lower: on such a frame this fraction of the start threshold starts a tracklet, which is
kept if it has at least this many observations."""


@dataclass
class _ActiveTracklet:
    """A tracklet that may still be continued, with the state of its Kalman filter at its last observation."""

    label: str
    state: KalmanState
    observed_seconds: float
    observations: Observations


def _associate(
    active: Sequence[_ActiveTracklet], detections: Sequence[Detection], seconds: float
) -> list[tuple[int, int]]:
    """Pairs of a tracklet and a detection, as indexes: greedy, the greatest overlap first, each used once."""
    candidates: list[tuple[float, int, int]] = []
    boxes = [d.cxcywh for d in detections]
    for i, tracklet in enumerate(active):
        gap = seconds - tracklet.observed_seconds
        predicted = tracklet.state.predict(gap).position
        least = MIN_BUFFERED_IOU if gap <= GAP_SECONDS else MIN_BUFFERED_IOU_AFTER_GAP
        for j, d in enumerate(detections):
            if d.label == tracklet.label and (overlap := buffered_iou(predicted, boxes[j])) >= least:
                candidates.append((overlap, i, j))
    used_i: set[int] = set()
    used_j: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for _, i, j in sorted(candidates, key=lambda c: (-c[0], c[1], c[2])):
        if i not in used_i and j not in used_j:
            used_i.add(i)
            used_j.add(j)
            pairs.append((i, j))
    return pairs


def _continue(
    active: list[_ActiveTracklet], detections: Sequence[Detection], frame: int, seconds: float, strong: bool
) -> tuple[set[int], set[int]]:
    """Continues tracklets with the detections associated with them; returns the indexes of both that were used."""
    pairs = _associate(active, detections, seconds)
    for i, j in pairs:
        tracklet = active[i]
        tracklet.state = tracklet.state.predict(seconds - tracklet.observed_seconds).update(detections[j].cxcywh)
        tracklet.observed_seconds = seconds
        tracklet.observations.append(Observation(frame, detections[j], strong))
    return {i for i, _ in pairs}, {j for _, j in pairs}


def _by_strength(
    frame: FrameDetections, detections: Sequence[Detection], thresholds: Mapping[str, Thresholds]
) -> tuple[list[Detection], list[Detection]]:
    """Strong detections, which may start a tracklet, and weak ones, which may only continue one; others are dropped."""
    fraction = MOTION_BLURRED_START if frame.motion_blurred else 1.0
    linked = [d for d in detections if d.score >= thresholds[d.label].link]
    strong = [d.score >= thresholds[d.label].start * fraction for d in linked]
    pairs = list(zip(linked, strong, strict=True))
    return [d for d, is_strong in pairs if is_strong], [d for d, is_strong in pairs if not is_strong]


def _is_confirmed(tracklet: Tracklet, limits: Thresholds) -> bool:
    """Whether a tracklet is kept: a strong observation, and the start threshold reached or several observations."""
    strong = any(o.strong for o in tracklet.observations)
    several = len(tracklet.observations) >= MIN_OBSERVATIONS_BELOW_START
    return strong and (several or tracklet.best.score >= limits.start)


def track(
    frames: Sequence[FrameDetections], seconds_per_pts: float, thresholds: Mapping[str, Thresholds]
) -> list[Tracklet]:
    """The tracklets of one shot, in the order of their first observation.

    Boxes are in the coordinates of the shot's first frame: the camera's motion is subtracted before association.
    """
    active: list[_ActiveTracklet] = []
    ended: list[_ActiveTracklet] = []
    for frame, (right, down) in zip(frames, camera_path([f.shift_px for f in frames]).tolist(), strict=True):
        beat()
        seconds = frame.pts * seconds_per_pts
        detections = [d.shifted(-right, -down) for d in frame.detections]
        ended += [t for t in active if seconds - t.observed_seconds > TRACK_BUFFER_SECONDS]
        active = [t for t in active if seconds - t.observed_seconds <= TRACK_BUFFER_SECONDS]
        strong, weak = _by_strength(frame, detections, thresholds)
        continued, used_strong = _continue(active, strong, frame.frame, seconds, True)
        remaining = [t for i, t in enumerate(active) if i not in continued]
        _, used_weak = _continue(remaining, weak, frame.frame, seconds, False)
        new = [(d, True) for j, d in enumerate(strong) if j not in used_strong]
        new += [(d, False) for j, d in enumerate(weak) if j not in used_weak]
        for d, is_strong in new:
            first = Observations([Observation(frame.frame, d, is_strong)])
            active.append(_ActiveTracklet(d.label, initiate(d.cxcywh), seconds, first))
    tracklets = [Tracklet(t.label, t.observations) for t in (*ended, *active)]
    confirmed = [t for t in tracklets if _is_confirmed(t, thresholds[t.label])]
    return sorted(confirmed, key=lambda t: (t.observations[0].frame, t.best.top, t.best.left))
