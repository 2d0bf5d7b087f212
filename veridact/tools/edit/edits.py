"""What each edit does to a manifest, as a table from verb to pure function; `apply_all` does all of them or none.

Every edit keeps the record: what a person touched is `accepted`, `edited`, `added` or `rejected`, with the reviewer
and the reason that were given. Nothing is ever deleted and no id is used twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from veridact.errors import ManifestError, UsageError
from veridact.schema import reader, rules
from veridact.schema.ids import next_id
from veridact.schema.manifest import AudioRange, Manifest, Track
from veridact.schema.plan.segments import end_frame, first_frame
from veridact.schema.timeline import Clocks
from veridact.tools.edit import effect_syntax
from veridact.tools.edit.add import added
from veridact.tools.edit.operations import Operation
from veridact.tools.edit.query import Item
from veridact.tools.edit.reshape import cut, moved, resized, retimed_item, united
from veridact.tools.edit.times import instant, milliseconds


@dataclass(frozen=True)
class Desk:
    """What an edit has besides the manifest: the clocks, and who does it and why."""

    clocks: Clocks
    reviewer: str | None = None
    reason: str | None = None

    def for_one(self, signed: Mapping[str, str]) -> "Desk":
        """The desk for an edit that says itself who does it or why."""
        return Desk(self.clocks, signed.get("reviewer", self.reviewer), signed.get("reason", self.reason))

    def signed(self) -> dict[str, str]:
        """The fields that say who and why, as far as they were given."""
        given = {"reviewer": self.reviewer, "reason": self.reason}
        return {k: v for k, v in given.items() if v is not None}


def _update(item: Item, **fields: Any) -> Item:
    return item.model_copy(update=fields)


def _edited(item: Item, desk: Desk, **fields: Any) -> Item:
    """An item that a person changed: one that a person added stays `added`."""
    review = "added" if item.review == "added" else "edited"
    return _update(item, review=review, **desk.signed(), **fields)


def _with_items(manifest: Manifest, changed: Mapping[str, Item], new: Iterable[Item] = ()) -> Manifest:
    fresh = list(new)
    tracks = [changed.get(t.id, t) for t in manifest.tracks] + [i for i in fresh if isinstance(i, Track)]
    audio = [changed.get(a.id, a) for a in manifest.audio] + [i for i in fresh if isinstance(i, AudioRange)]
    return manifest.model_copy(update={"tracks": tuple(tracks), "audio": tuple(audio)})


def selected(manifest: Manifest, operation: Operation, clocks: Clocks) -> list[Item]:
    """The items that an edit is for, in the manifest's order; raises `UsageError` when there is none."""
    items: list[Item] = [*manifest.tracks, *manifest.audio]
    if operation.test is not None:
        found = [i for i in items if operation.test(i, clocks)]
        if not found:
            raise UsageError(f"{operation.place}: no item is selected by where; see `veridact lint`")
        return found
    by_id = {i.id: i for i in items}
    for wanted in operation.ids:
        if wanted not in by_id:
            raise UsageError(f"{operation.place}: there is no item {wanted} in the manifest")
    return [by_id[wanted] for wanted in dict.fromkeys(operation.ids)]


def _live(manifest: Manifest, operation: Operation, desk: Desk) -> list[Item]:
    """The items that an edit changes; a rejected one covers nothing and is first to be accepted again."""
    items = selected(manifest, operation, desk.clocks)
    for item in items:
        if item.review == "rejected":
            raise UsageError(
                f"{operation.place}: {item.id} is rejected; accept it first, or add `and review != rejected`"
            )
    return items


def _no_words(operation: Operation, words: Sequence[str]) -> None:
    if words:
        raise UsageError(f"{operation.place}: {operation.verb} does not understand {words[0]!r}")


def _accept(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    _no_words(operation, operation.words)
    changed = {}
    for item in selected(manifest, operation, desk.clocks):
        review = item.review if item.review in {"edited", "added"} else "accepted"
        changed[item.id] = _update(item, review=review, **desk.signed())
    return _with_items(manifest, changed)


def _reject(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    _no_words(operation, operation.words)
    items = selected(manifest, operation, desk.clocks)
    return _with_items(manifest, {i.id: _update(i, review="rejected", **desk.signed()) for i in items})


def _add(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    item = added(manifest, operation.words, desk.clocks, operation.place)
    return _with_items(manifest, {}, [_update(item, **desk.signed())])


def _reshape(shape: Callable[[Item, Sequence[str], Clocks, str], Item]) -> "Edit":
    """An edit that changes each selected item for itself."""

    def edit(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
        changed: dict[str, Item] = {}
        for item in _live(manifest, operation, desk):
            changed[item.id] = _edited(shape(item, operation.words, desk.clocks, operation.place), desk)
        return _with_items(manifest, changed)

    return edit


def _split(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    words = [w for w in operation.words if w != "at"]
    items = _live(manifest, operation, desk)
    if len(words) != 1 or len(items) != 1:
        raise UsageError(f"{operation.place}: write split ITEM at TIME")
    item, at = items[0], instant(words[0])
    second = next_id(manifest, item.label)
    if isinstance(item, AudioRange):
        ms = milliseconds(at, up=False)
        if not item.start_ms < ms < item.end_ms:
            raise UsageError(f"{operation.place}: {item.id} does not go on before and after {words[0]}")
        parts = [_edited(item, desk, end_ms=ms), _edited(item, desk, id=second, start_ms=ms)]
    else:
        clock = desk.clocks[item.stream]
        left, right = cut(item.segments, clock.frame_of(at, up=False), clock, item.label == "keep")
        if not left or not right:
            raise UsageError(f"{operation.place}: {item.id} does not go on before and after {words[0]}")
        parts = [_edited(item, desk, segments=left), _edited(item, desk, id=second, segments=right)]
    return _with_items(manifest, {item.id: parts[0]}, [parts[1]])


def _together(operation: Operation, kept: Item, other: Item, desk: Desk) -> Item:
    if isinstance(kept, AudioRange) and isinstance(other, AudioRange):
        apart = kept.end_ms < other.start_ms or other.end_ms < kept.start_ms
        if kept.label == "keep" and apart:
            raise UsageError(f"{operation.place}: the sound between two keeps is not kept; they cannot be merged")
        return _update(kept, start_ms=min(kept.start_ms, other.start_ms), end_ms=max(kept.end_ms, other.end_ms))
    if not isinstance(kept, Track) or not isinstance(other, Track):
        raise UsageError(f"{operation.place}: a track and a range of sound cannot be merged")
    meet = first_frame(kept) < end_frame(other) and first_frame(other) < end_frame(kept)
    if kept.label == "keep" and meet:
        raise UsageError(f"{operation.place}: a box around two keeps would show what lies between; retime one first")
    return _update(kept, segments=united(kept.segments, other.segments, desk.clocks[kept.stream]))


def _merge(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    _no_words(operation, operation.words)
    items = _live(manifest, operation, desk)
    if len(items) < 2:
        raise UsageError(f"{operation.place}: write merge ITEM ITEM...")
    kept = items[0]
    changed: dict[str, Item] = {}
    for other in items[1:]:
        if (other.stream, other.label) != (kept.stream, kept.label):
            raise UsageError(f"{operation.place}: {other.id} has another label or stream than {items[0].id}")
        if other.effect != kept.effect:
            raise UsageError(
                f"{operation.place}: {other.id} has another effect than {items[0].id}; make them equal first"
            )
        kept = _together(operation, kept, other, desk)
        note = f"merged into {kept.id}"
        changed[other.id] = _update(other, review="rejected", note=note, **desk.signed())
    return _with_items(manifest, {**changed, kept.id: _edited(kept, desk)})


def _relabel(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    """The item goes on under an id of the new label (SPEC §1.1 rule 7); the old one stays as a rejected record."""
    if len(operation.words) != 1:
        raise UsageError(f"{operation.place}: write relabel ITEMS LABEL")
    label = operation.words[0]
    for item in _live(manifest, operation, desk):
        if item.label != label:
            renamed = _edited(item, desk, id=next_id(manifest, label), label=label)
            old = _update(item, review="rejected", note=f"relabelled as {renamed.id}", **desk.signed())
            manifest = _with_items(manifest, {item.id: old}, [renamed])
    return manifest


def _effect(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    words = list(operation.words)
    if words and words[0].startswith("label="):
        return effect_syntax.of_label(manifest, words[0].removeprefix("label="), words[1:], operation.place)
    changed: dict[str, Item] = {}
    for item in _live(manifest, operation, desk):
        tree = _edited(item, desk).model_dump(mode="json", exclude_unset=True)
        tree.pop("effect", None)
        chosen = effect_syntax.parse(words, isinstance(item, AudioRange), operation.place)
        changed[item.id] = type(item).model_validate(tree | ({"effect": chosen} if chosen else {}))
    return _with_items(manifest, changed)


def _stream(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    words = operation.words
    if len(words) != 2 or not words[0].isdecimal() or words[1] not in {"render", "drop"}:
        raise UsageError(f"{operation.place}: write stream N render, or stream N drop")
    index, tree = int(words[0]), manifest.document()
    entries = [e for e in tree["output"].get("streams", []) if e["index"] != index]
    entries.append({"index": index, "disposition": words[1]})
    tree["output"]["streams"] = sorted(entries, key=lambda e: e["index"])
    return reader.validate(tree)


def _scope(manifest: Manifest, operation: Operation, desk: Desk) -> Manifest:
    if operation.words not in {("listed",), ("everything",)}:
        raise UsageError(f"{operation.place}: write scope listed, or scope everything")
    return manifest.model_copy(update={"scope": operation.words[0]})


Edit = Callable[[Manifest, Operation, Desk], Manifest]
EDITS: dict[str, Edit] = {
    "accept": _accept,
    "reject": _reject,
    "add": _add,
    "move": _reshape(moved),
    "resize": _reshape(resized),
    "retime": _reshape(retimed_item),
    "split": _split,
    "merge": _merge,
    "relabel": _relabel,
    "effect": _effect,
    "stream": _stream,
    "scope": _scope,
}


def apply_all(manifest: Manifest, operations: Sequence[Operation], desk: Desk) -> Manifest:
    """The manifest after all edits, in order; raises `UsageError` for the first that cannot be done, and does none."""
    for operation in operations:
        try:
            manifest = EDITS[operation.verb](manifest, operation, desk.for_one(operation.signed))
        except ValidationError as e:
            first = e.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(step) for step in first["loc"])
            raise UsageError(f"{operation.place}: would make the manifest invalid: {field}: {first['msg']}") from None
    try:
        manifest = reader.validate(manifest.document())
        rules.check(manifest)
    except ManifestError as e:
        raise UsageError(f"the edit would make the manifest invalid: {e.path}: {e.reason}") from None
    return manifest
