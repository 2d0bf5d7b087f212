"""How good a manifest is, measured against one that is true: what was found, what was missed, what stays visible.

Matching is per frame and label, the pair with the largest overlap first, each box used once. Whether an object stays
visible is another question than whether it was matched: it is *exposed* on a frame when less than nine tenths of its
box are hidden by the covers, of any label and padded and rounded as `render` would (see `plan.visibility`). In scope
`everything` all is hidden but what a `keep` leaves open, and a stream that is dropped is hidden throughout. Rejected
items do not count on either side.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise

from veridact.errors import BindingError
from veridact.schema.geometry import Edges, clip, edges
from veridact.schema.manifest import Manifest, PictureStream, VideoStream
from veridact.schema.plan import visibility
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.schema.plan.effects import counted_tracks
from veridact.schema.plan.segments import walk
from veridact.schema.plan.video import FramePlan, StreamPlan
from veridact.schema.timeline import Clock, Clocks

COVERED_PERCENT = 90


@dataclass(frozen=True)
class TrackBox:
    """The box of a track on a frame as displayed, without padding and cut to the picture."""

    track: str
    label: str
    box: Edges


@dataclass
class Tally:
    """Counts for one label; everything else is worked out from them. Areas and overlaps are summed over boxes.

    Where the timeline is not known, not `timed`, every frame counts as one second.
    """

    true_boxes: int = 0
    found_boxes: int = 0
    matched: int = 0
    overlap: float = 0.0
    covered_part: float = 0.0
    exposed: int = 0
    true_tracks: int = 0
    interruptions: int = 0
    switches: int = 0
    exposed_seconds: Fraction = Fraction(0)
    seconds: Fraction = Fraction(0)
    timed: bool = True

    def ratios(self) -> dict[str, float | None]:
        """The usual measures; None where there is nothing to measure."""
        precision = self.matched / self.found_boxes if self.found_boxes else None
        recall = self.matched / self.true_boxes if self.true_boxes else None
        boxes = self.true_boxes + self.found_boxes
        return {
            "precision": precision,
            "recall": recall,
            "f1": 2 * self.matched / boxes if boxes else None,
            "mean_iou": self.overlap / self.matched if self.matched else None,
            "coverage": self.covered_part / self.true_boxes if self.true_boxes else None,
            "exposed_part": self.exposed / self.true_boxes if self.true_boxes else None,
            "interruptions_per_track": self.interruptions / self.true_tracks if self.true_tracks else None,
            "exposed_seconds_per_hour": float(self.exposed_seconds / self.seconds * 3600) if self.seconds else None,
        }

    def document(self) -> dict[str, float | int | None]:
        """Counts and ratios as plain JSON values."""
        plain = asdict(self)
        timed = plain.pop("timed")
        for name in ("exposed_seconds", "seconds"):
            plain[name] = float(plain[name]) if timed else None
        return {**plain, **self.ratios()}


def boxes_by_frame(
    manifest: Manifest, stream: VideoStream | PictureStream, clock: Clock, beyond: bool = False
) -> dict[int, list[TrackBox]]:
    """Every box of a stream by frame; one wholly off the picture is left out or, with `beyond`, empty."""
    found: dict[int, list[TrackBox]] = defaultdict(list)
    for _, track, effect in counted_tracks(manifest, stream.index):
        if effect is not None:
            for frame, box in walk(track.segments, clock):
                inside = clip(edges(box), stream.width, stream.height)
                if beyond or not inside.empty:
                    found[frame].append(TrackBox(track.id, track.label, inside))
    return found


def iou(a: Edges, b: Edges) -> float:
    """Intersection over union."""
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.width * a.height + b.width * b.height - width * height)


def covered_part(box: Edges, covered: FramePlan | None) -> float:
    """The part of a box on the picture whose pixels are hidden; all of it where the stream is dropped (None)."""
    return 1.0 if covered is None else float(visibility.hidden(covered, box).mean())


def matches(true: Sequence[TrackBox], found: Sequence[TrackBox], least_iou: float) -> dict[int, tuple[int, float]]:
    """For each true box that is matched, the index of the found one and their intersection over union."""
    pairs = [
        (overlap, i, j)
        for i, t in enumerate(true)
        for j, f in enumerate(found)
        if t.label == f.label and (overlap := iou(t.box, f.box)) >= least_iou
    ]
    taken: dict[int, tuple[int, float]] = {}
    used: set[int] = set()
    for overlap, i, j in sorted(pairs, key=lambda p: (-p[0], p[1], p[2])):
        if i not in taken and j not in used:
            taken[i] = (j, overlap)
            used.add(j)
    return taken


class _StreamTally:
    """The tallies of one stream, added up frame by frame."""

    def __init__(self, least_iou: float, tallies: dict[str, Tally]) -> None:
        self._least_iou = least_iou
        self._tallies = tallies
        self._hidden: dict[str, list[bool]] = defaultdict(list)
        self._matched: dict[str, str] = {}
        self._labels: dict[str, str] = {}

    def add_frame(
        self,
        true: Sequence[TrackBox],
        found: Sequence[TrackBox],
        ignored: Sequence[TrackBox],
        covered: FramePlan | None,
        lasts: Fraction,
    ) -> None:
        """Adds one frame that lasts so many seconds, with what is covered on it (see `covered_part`)."""
        pairs = matches(true, found, self._least_iou)
        self._add_found(found, {j for j, _ in pairs.values()}, ignored)
        exposed_labels: set[str] = set()
        for i, t in enumerate(true):
            tally = self._tallies[t.label]
            tally.true_boxes += 1
            if i in pairs:
                j, overlap = pairs[i]
                tally.matched += 1
                tally.overlap += overlap
                tally.switches += self._matched.get(t.track, found[j].track) != found[j].track
                self._matched[t.track] = found[j].track
            part = covered_part(t.box, covered)
            tally.covered_part += part
            hidden = part * 100 >= COVERED_PERCENT
            tally.exposed += not hidden
            if not hidden:
                exposed_labels.add(t.label)
            self._hidden[t.track].append(hidden)
            self._labels[t.track] = t.label
        for label in exposed_labels:
            self._tallies[label].exposed_seconds += lasts

    def _add_found(self, found: Sequence[TrackBox], matched: set[int], ignored: Sequence[TrackBox]) -> None:
        """Counts the found boxes that are matched, and the others on the picture that overlap no ignored box."""
        for j, f in enumerate(found):
            aside = any(iou(f.box, i.box) >= self._least_iou / 2 for i in ignored)
            if j in matched or not (aside or f.box.empty):
                self._tallies[f.label].found_boxes += 1

    def end(self) -> None:
        """Counts the tracks and their interruptions, once all frames are added."""
        for track, hidden in self._hidden.items():
            tally = self._tallies[self._labels[track]]
            tally.true_tracks += 1
            tally.interruptions += _interruptions(hidden)


def _interruptions(hidden: Sequence[bool]) -> int:
    """How often an object that was hidden becomes visible and is hidden again."""
    ends = [i for i, h in enumerate(hidden) if h]
    inner = hidden[ends[0] : ends[-1]] if ends else []
    return sum(1 for before, now in pairwise(inner) if before and not now)


def score(
    found: Manifest, truth: Manifest, clocks: Clocks, least_iou: float = 0.5, ignored: Manifest | None = None
) -> dict[str, Tally]:
    """The tallies by label; what overlaps a box of `ignored` counts neither for nor against.

    Raises `BindingError` when the two manifests are not of the same file.
    """
    _check_same(found, truth)
    tallies: dict[str, Tally] = defaultdict(Tally)
    length, all_timed = Fraction(0), True
    for stream in truth.source.streams:
        if not isinstance(stream, VideoStream | PictureStream):
            continue
        clock = clocks[stream.index].assumed()
        true = boxes_by_frame(truth, stream, clock)
        got = boxes_by_frame(found, stream, clock, beyond=True)
        aside = boxes_by_frame(ignored, stream, clock) if ignored else {}
        plan = StreamPlan.displayed(found, stream, clock) if stream.index in rendered_indexes(found) else None
        tally = _StreamTally(least_iou, tallies)
        timed = clocks[stream.index].pts is not None
        seconds = [_seconds(clock, n) if timed else Fraction(n) for n in range(stream.frames + 1)]
        for frame in range(stream.frames):
            lasts = seconds[frame + 1] - seconds[frame]
            covered = plan.at(frame) if plan is not None and frame in true else None
            tally.add_frame(true.get(frame, ()), got.get(frame, ()), aside.get(frame, ()), covered, lasts)
        tally.end()
        length, all_timed = length + seconds[-1] - seconds[0], all_timed and timed
    for each in tallies.values():
        each.seconds, each.timed = length, all_timed
    return dict(tallies)


def _check_same(found: Manifest, truth: Manifest) -> None:
    """Raises `BindingError` unless the truth is of the same file, and of streams that are the same in both."""
    if found.source.sha256 != truth.source.sha256:
        raise BindingError("the two manifests are not of the same file; score compares manifests of one file")
    known = {_timeline(s) for s in found.source.streams if isinstance(s, VideoStream | PictureStream)}
    for stream in truth.source.streams:
        if isinstance(stream, VideoStream | PictureStream) and _timeline(stream) not in known:
            raise BindingError(
                f"the two manifests disagree about the size or the frames of stream {stream.index}; locate it again"
            )


def _timeline(stream: VideoStream | PictureStream) -> tuple[object, ...]:
    return stream.index, stream.width, stream.height, stream.frames, stream.pts_sha256


def _seconds(clock: Clock, frame: int) -> Fraction:
    return clock.seconds_of(frame) or Fraction(0)


def report(tallies: Mapping[str, Tally]) -> str:
    """The scores as a table for people."""
    lines = []
    for label, tally in sorted(tallies.items()):
        lines.append(f"{label}: {tally.true_boxes} true boxes, {tally.found_boxes} found, {tally.matched} matched")
        for name, value in tally.ratios().items():
            lines.append(f"  {name.replace('_', ' '):26} {'-' if value is None else f'{value:.3f}'}")
        for name, count in (("exposed frames", tally.exposed), ("interruptions", tally.interruptions)):
            lines.append(f"  {name:26} {count}")
        lines.append(f"  {'id switches':26} {tally.switches}")
    return "\n".join(lines) + "\n" if lines else "nothing to score: both manifests are empty\n"
