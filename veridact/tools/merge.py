"""Adding what a new run of `locate` found to a reviewed manifest, without changing any reviewed item."""

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

KNOWN_PERMILLE = 500
"""A new box is known when at least this share of its area lies inside one reviewed box of the same label."""


@dataclass(frozen=True)
class Combined:
    """The merged manifest, how many items were added, and how many of the new manifest were known entirely."""

    manifest: Manifest
    new: int
    known: int


def _is_known(box: Box, old: Box) -> bool:
    """Whether enough of the area of `box` lies inside `old`."""
    x, y, w, h = box
    ox, oy, ow, oh = old
    width, height = min(x + w, ox + ow) - max(x, ox), min(y + h, oy + oh) - max(y, oy)
    return 1000 * max(0, width) * max(0, height) >= KNOWN_PERMILLE * w * h


def _unknown_frames(new: Track, reviewed: Manifest, clocks: Clocks) -> set[int]:
    """The frames of a new track on which no reviewed track of its label, in whatever state, has a box over its own."""
    clock = clocks[new.stream].assumed()
    boxes = dict(walk(new.segments, clock))
    for old in reviewed.tracks:
        alike = (new.stream, new.label) == (old.stream, old.label)
        if alike and first_frame(old) < end_frame(new) and first_frame(new) < end_frame(old):
            for frame, box in walk(old.segments, clock):
                if frame in boxes and _is_known(boxes[frame], box):
                    del boxes[frame]
    return set(boxes)


def _parts_with(segment: Segment, frames: set[int]) -> Iterator[Segment]:
    """The parts of a segment, from key to key, that contain any of the frames; no box is interpolated for them."""
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


def _new_part_of_track(new: Track, reviewed: Manifest, clocks: Clocks) -> list[Item]:
    frames = _unknown_frames(new, reviewed, clocks)
    segments = tuple(part for s in new.segments for part in _parts_with(s, frames))
    return [new.model_copy(update={"segments": segments})] if segments else []


def _new_parts_of_range(new: AudioRange, reviewed: Manifest) -> list[Item]:
    same_label = [r for r in reviewed.audio if r.label == new.label and r.stream in (None, new.stream)]
    parts = audibility.without([(new.start_ms, new.end_ms)], [(r.start_ms, r.end_ms) for r in same_label])
    return [new.model_copy(update={"start_ms": start, "end_ms": end}) for start, end in parts]


def _producers(reviewed: Manifest, new: Manifest) -> tuple[tuple[Producer, ...], dict[str, str]]:
    """The producers of both manifests, and the new id of each producer of the new one, which may have been taken."""
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
        raise BindingError("the two manifests are for different files; combine manifests of the same file")
    if [s.model_copy(update={"searched": None}) for s in reviewed.source.streams] != [
        s.model_copy(update={"searched": None}) for s in new.source.streams
    ]:  # fmt: skip
        raise BindingError("the two manifests disagree about the streams of the file; run locate again")
    if reviewed.scope != new.scope:
        raise UsageError("the two manifests differ in scope; change one with `veridact edit M scope ...` first")


def combine(reviewed: Manifest, new: Manifest) -> Combined:
    """`reviewed`, unchanged, with the items of `new` that it does not have, under new ids.

    Of an item of `new` only the frames or milliseconds are added on which no item of the same label in `reviewed`, in
    whatever state, covers the same place: a decision already made there is kept. Output, effects and `ext` are those of
    `reviewed`. Raises `BindingError` for manifests of different files, `UsageError` for different scopes.
    """
    _check(reviewed, new)
    producers, names = _producers(reviewed, new)
    clocks = from_manifest(reviewed)
    tracks, audio = list(reviewed.tracks), list(reviewed.audio)
    added = Counter[str]()
    known = 0
    parts_of: list[tuple[Item, list[Item]]] = [(t, _new_part_of_track(t, reviewed, clocks)) for t in new.tracks]
    parts_of += [(r, _new_parts_of_range(r, reviewed)) for r in new.audio]
    for item, parts in parts_of:
        known += not parts
        origin = item.origin.model_copy(update={"by": names[item.origin.by]})
        for part in parts:
            fresh = part.model_copy(update={"id": next_id(reviewed, item.label, added[item.label]), "origin": origin})
            added[item.label] += 1
            if isinstance(fresh, Track):
                tracks.append(fresh)
            else:
                audio.append(fresh)
    merged = reviewed.model_copy(update={"tracks": tuple(tracks), "audio": tuple(audio), "producers": producers})
    try:
        merged = reader.validate(merged.document())
        rules.check(merged)
    except ManifestError as e:
        raise UsageError(f"the combined manifest would be invalid: {e.path}: {e.reason}") from None
    return Combined(merged, sum(added.values()), known)
