"""A new search merged with a manifest that people have worked on: what they decided always survives."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from veridact.errors import BindingError, ManifestError, UsageError
from veridact.schema import reader, rules
from veridact.schema.geometry import Box
from veridact.schema.ids import next_id
from veridact.schema.manifest import AudioRange, Manifest, Producer, Segment, Track
from veridact.schema.plan import audibility
from veridact.schema.plan.segments import end_frame, first_frame, walk
from veridact.schema.timeline import Clocks, from_manifest
from veridact.tools.edit.query import Item

SAME_PERMILLE = 500
"""A new box is one that is known when at least this share of it lies inside a known one of the same label."""


@dataclass(frozen=True)
class Combined:
    """The merged manifest, and how many items of the new search were new, in part or whole, and how many known."""

    manifest: Manifest
    new: int
    known: int


def _known_box(box: Box, old: Box) -> bool:
    x, y, w, h = box
    ox, oy, ow, oh = old
    width, height = min(x + w, ox + ow) - max(x, ox), min(y + h, oy + oh) - max(y, oy)
    return 1000 * max(0, width) * max(0, height) >= SAME_PERMILLE * w * h


def _unknown_frames(new: Track, reviewed: Manifest, clocks: Clocks) -> set[int]:
    """The frames on which no track of the reviewed manifest, whatever its state, is about where the new one is."""
    clock = clocks[new.stream].assumed()
    boxes = dict(walk(new.segments, clock))
    for old in reviewed.tracks:
        alike = (new.stream, new.label) == (old.stream, old.label)
        if alike and first_frame(old) < end_frame(new) and first_frame(new) < end_frame(old):
            for frame, box in walk(old.segments, clock):
                if frame in boxes and _known_box(boxes[frame], box):
                    del boxes[frame]
    return set(boxes)


def _rest_of_segment(segment: Segment, frames: set[int]) -> Iterator[Segment]:
    """The stretches of a segment that hold any of the frames, widened to its keys, so that no box is computed anew."""
    bounds = [k.frame for k in segment.keys] + [segment.end]
    wanted = [any(f in frames for f in range(a, b)) for a, b in pairwise(bounds)]
    at = 0
    while at < len(wanted):
        last = at
        while last < len(wanted) and wanted[last]:
            last += 1
        if last > at:
            to_the_end = last == len(segment.keys)
            keys = segment.keys[at:] if to_the_end else segment.keys[at : last + 1]
            yield Segment(end=segment.end if to_the_end else keys[-1].frame + 1, keys=keys)
        at = last + 1


def _rest_of_track(new: Track, reviewed: Manifest, clocks: Clocks) -> list[Item]:
    frames = _unknown_frames(new, reviewed, clocks)
    segments = tuple(part for s in new.segments for part in _rest_of_segment(s, frames))
    return [new.model_copy(update={"segments": segments})] if segments else []


def _rest_of_range(new: AudioRange, reviewed: Manifest) -> list[Item]:
    alike = [r for r in reviewed.audio if r.label == new.label and r.stream in (None, new.stream)]
    parts = audibility.without([(new.start_ms, new.end_ms)], [(r.start_ms, r.end_ms) for r in alike])
    return [new.model_copy(update={"start_ms": start, "end_ms": end}) for start, end in parts]


def _producers(reviewed: Manifest, new: Manifest) -> tuple[tuple[Producer, ...], dict[str, str]]:
    """The producers of both, and what those of the new search are now called."""
    merged = list(reviewed.producers)
    taken = {p.id for p in merged} | {t.id for t in reviewed.tracks} | {a.id for a in reviewed.audio}
    names = {"hand": "hand"}
    for producer in new.producers:
        twin = next((p for p in merged if p.model_copy(update={"id": producer.id}) == producer), None)
        if twin is None:
            name, number = producer.id, 2
            while name in taken:
                name, number = f"{producer.id[:36]}-{number}", number + 1
            twin = producer.model_copy(update={"id": name})
            merged.append(twin)
            taken.add(name)
        names[producer.id] = twin.id
    return tuple(merged), names


def _check(reviewed: Manifest, new: Manifest) -> None:
    if reviewed.source.sha256 != new.source.sha256:
        raise BindingError("the two manifests are for different files; combine runs on one and the same")
    if [s.model_copy(update={"searched": None}) for s in reviewed.source.streams] != [
        s.model_copy(update={"searched": None}) for s in new.source.streams
    ]:  # fmt: skip
        raise BindingError("the two manifests disagree about the streams of the file; run locate again")
    if reviewed.scope != new.scope:
        raise UsageError("the two manifests differ in scope; change one with `veridact edit M scope ...` first")


def combine(reviewed: Manifest, new: Manifest) -> Combined:
    """`reviewed` with what `new` found besides: every item of `reviewed` stays as it is, whatever its state.

    Of an item of `new` only the frames (or milliseconds) are taken that no item of the same label in `reviewed` is
    about; where one is, the decision that stands there stands. Output, effects and `ext` are those of `reviewed`.
    """
    _check(reviewed, new)
    producers, names = _producers(reviewed, new)
    clocks = from_manifest(reviewed)
    tracks, audio = list(reviewed.tracks), list(reviewed.audio)
    made = Counter[str]()
    known = 0
    rests: list[tuple[Item, list[Item]]] = [(t, _rest_of_track(t, reviewed, clocks)) for t in new.tracks]
    rests += [(r, _rest_of_range(r, reviewed)) for r in new.audio]
    for item, parts in rests:
        known += not parts
        origin = item.origin.model_copy(update={"by": names[item.origin.by]})
        for part in parts:
            fresh = part.model_copy(update={"id": next_id(reviewed, item.label, made[item.label]), "origin": origin})
            made[item.label] += 1
            if isinstance(fresh, Track):
                tracks.append(fresh)
            else:
                audio.append(fresh)
    merged = reviewed.model_copy(update={"tracks": tuple(tracks), "audio": tuple(audio), "producers": producers})
    try:
        merged = reader.validate(merged.document())
        rules.check(merged)
    except ManifestError as e:
        raise UsageError(f"the two cannot be combined: {e.path}: {e.reason}") from None
    return Combined(merged, sum(made.values()), known)
