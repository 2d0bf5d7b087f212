"""What each verb does to a manifest, as a table of pure functions; `apply_all` applies all operations or none.

Every edit keeps the review record: an item that a person changed is `accepted`, `edited`, `added` or `rejected`, with
the reviewer and the reason given. No item is ever deleted and no id is used twice.
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
from veridact.tools.edit.add import new_item
from veridact.tools.edit.operations import Operation
from veridact.tools.edit.query import Item
from veridact.tools.edit.reshape import moved, resized, retimed_item, split_at, union
from veridact.tools.edit.times import instant, milliseconds


@dataclass(frozen=True)
class EditContext:
    """What operations need besides the manifest: the clocks of its streams, and the reviewer and reason to record."""

    clocks: Clocks
    reviewer: str | None = None
    reason: str | None = None

    def for_operation(self, attribution: Mapping[str, str]) -> "EditContext":
        """The same context with the reviewer and the reason that one operation gives itself."""
        reviewer = attribution.get("reviewer", self.reviewer)
        return EditContext(self.clocks, reviewer, attribution.get("reason", self.reason))

    def attribution(self) -> dict[str, str]:
        """The fields `reviewer` and `reason` of an item, each as far as it was given."""
        given = {"reviewer": self.reviewer, "reason": self.reason}
        return {k: v for k, v in given.items() if v is not None}


def _update(item: Item, **fields: Any) -> Item:
    return item.model_copy(update=fields)


def _edited(item: Item, context: EditContext, **fields: Any) -> Item:
    """An item that a person changed: one that a person added stays `added`."""
    review = "added" if item.review == "added" else "edited"
    return _update(item, review=review, **context.attribution(), **fields)


def _with_items(manifest: Manifest, changed: Mapping[str, Item], new: Iterable[Item] = ()) -> Manifest:
    fresh = list(new)
    tracks = [changed.get(t.id, t) for t in manifest.tracks] + [i for i in fresh if isinstance(i, Track)]
    audio = [changed.get(a.id, a) for a in manifest.audio] + [i for i in fresh if isinstance(i, AudioRange)]
    return manifest.model_copy(update={"tracks": tuple(tracks), "audio": tuple(audio)})


def selected(manifest: Manifest, operation: Operation, clocks: Clocks) -> list[Item]:
    """The items that an operation changes: by predicate in the manifest's order, by id in the order given.

    Raises `UsageError` when there is none.
    """
    items: list[Item] = [*manifest.tracks, *manifest.audio]
    if operation.predicate is not None:
        found = [i for i in items if operation.predicate(i, clocks)]
        if not found:
            raise UsageError(f"{operation.location}: where selects no item; `veridact lint` lists the ids")
        return found
    by_id = {i.id: i for i in items}
    for wanted in operation.ids:
        if wanted not in by_id:
            raise UsageError(f"{operation.location}: there is no item {wanted} in the manifest")
    return [by_id[wanted] for wanted in dict.fromkeys(operation.ids)]


def _changeable(manifest: Manifest, operation: Operation, context: EditContext) -> list[Item]:
    """As `selected`; raises `UsageError` for a rejected item, which covers nothing until it is accepted again."""
    items = selected(manifest, operation, context.clocks)
    for item in items:
        if item.review == "rejected":
            raise UsageError(
                f"{operation.location}: {item.id} is rejected; accept it first, or add `and review != rejected`"
            )
    return items


def _no_arguments(operation: Operation) -> None:
    if operation.arguments:
        raise UsageError(f"{operation.location}: {operation.verb} does not understand {operation.arguments[0]!r}")


def _accept(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    _no_arguments(operation)
    changed = {}
    for item in selected(manifest, operation, context.clocks):
        review = item.review if item.review in {"edited", "added"} else "accepted"
        changed[item.id] = _update(item, review=review, **context.attribution())
    return _with_items(manifest, changed)


def _reject(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    _no_arguments(operation)
    items = selected(manifest, operation, context.clocks)
    return _with_items(manifest, {i.id: _update(i, review="rejected", **context.attribution()) for i in items})


def _add(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    item = new_item(manifest, operation.arguments, context.clocks, operation.location)
    return _with_items(manifest, {}, [_update(item, **context.attribution())])


def _reshape(shape: Callable[[Item, Sequence[str], Clocks, str], Item]) -> "Edit":
    """An edit that applies `shape` to each selected item separately."""

    def edit(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
        changed: dict[str, Item] = {}
        for item in _changeable(manifest, operation, context):
            changed[item.id] = _edited(shape(item, operation.arguments, context.clocks, operation.location), context)
        return _with_items(manifest, changed)

    return edit


def _split(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    words = [w for w in operation.arguments if w != "at"]
    items = _changeable(manifest, operation, context)
    if len(words) != 1 or len(items) != 1:
        raise UsageError(f"{operation.location}: write split ITEM at TIME")
    item, at = items[0], instant(words[0])
    second = next_id(manifest, item.label)
    if isinstance(item, AudioRange):
        ms = milliseconds(at, up=False)
        if not item.start_ms < ms < item.end_ms:
            raise UsageError(f"{operation.location}: {item.id} lies on one side of {words[0]}; give a time within it")
        parts = [_edited(item, context, end_ms=ms), _edited(item, context, id=second, start_ms=ms)]
    else:
        clock = context.clocks[item.stream]
        left, right = split_at(item.segments, clock.frame_of(at, up=False), clock, item.label == "keep")
        if not left or not right:
            raise UsageError(f"{operation.location}: {item.id} lies on one side of {words[0]}; give a time within it")
        parts = [_edited(item, context, segments=left), _edited(item, context, id=second, segments=right)]
    return _with_items(manifest, {item.id: parts[0]}, [parts[1]])


def _merged(operation: Operation, kept: Item, other: Item, context: EditContext) -> Item:
    """`kept` extended to cover what `other` covers too; raises `UsageError` where that would show more of a `keep`."""
    if isinstance(kept, AudioRange) and isinstance(other, AudioRange):
        apart = kept.end_ms < other.start_ms or other.end_ms < kept.start_ms
        if kept.label == "keep" and apart:
            raise UsageError(
                f"{operation.location}: the sound between two keeps is not kept; retime one until they meet"
            )
        return _update(kept, start_ms=min(kept.start_ms, other.start_ms), end_ms=max(kept.end_ms, other.end_ms))
    if not isinstance(kept, Track) or not isinstance(other, Track):
        raise UsageError(f"{operation.location}: a track and a range of sound cannot be merged; name items of one kind")
    meet = first_frame(kept) < end_frame(other) and first_frame(other) < end_frame(kept)
    if kept.label == "keep" and meet:
        raise UsageError(f"{operation.location}: a box around two keeps would show what lies between; retime one first")
    return _update(kept, segments=union(kept.segments, other.segments, context.clocks[kept.stream]))


def _merge(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    _no_arguments(operation)
    items = _changeable(manifest, operation, context)
    if len(items) < 2:
        raise UsageError(f"{operation.location}: write merge ITEM ITEM...")
    kept = items[0]
    changed: dict[str, Item] = {}
    for other in items[1:]:
        if (other.stream, other.label) != (kept.stream, kept.label):
            raise UsageError(f"{operation.location}: {other.id} has another label or stream than {items[0].id}")
        if other.effect != kept.effect:
            raise UsageError(
                f"{operation.location}: {other.id} has another effect than {items[0].id}; make them equal first"
            )
        kept = _merged(operation, kept, other, context)
        note = f"merged into {kept.id}"
        changed[other.id] = _update(other, review="rejected", note=note, **context.attribution())
    return _with_items(manifest, {**changed, kept.id: _edited(kept, context)})


def _relabel(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    """A copy under the next id of the new label (SPEC §1.1 rule 7); the old item stays as a rejected record."""
    if len(operation.arguments) != 1:
        raise UsageError(f"{operation.location}: write relabel ITEMS LABEL")
    label = operation.arguments[0]
    for item in _changeable(manifest, operation, context):
        if item.label != label:
            renamed = _edited(item, context, id=next_id(manifest, label), label=label)
            old = _update(item, review="rejected", note=f"relabelled as {renamed.id}", **context.attribution())
            manifest = _with_items(manifest, {item.id: old}, [renamed])
    return manifest


def _effect(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    words = list(operation.arguments)
    if words and words[0].startswith("label="):
        return effect_syntax.of_label(manifest, words[0].removeprefix("label="), words[1:], operation.location)
    changed: dict[str, Item] = {}
    for item in _changeable(manifest, operation, context):
        tree = _edited(item, context).model_dump(mode="json", exclude_unset=True)
        tree.pop("effect", None)
        chosen = effect_syntax.parse(words, isinstance(item, AudioRange), operation.location)
        changed[item.id] = type(item).model_validate(tree | ({"effect": chosen} if chosen else {}))
    return _with_items(manifest, changed)


def _stream(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    words = operation.arguments
    if len(words) != 2 or not words[0].isdecimal() or words[1] not in {"render", "drop"}:
        raise UsageError(f"{operation.location}: write stream N render, or stream N drop")
    index, tree = int(words[0]), manifest.document()
    entries = [e for e in tree["output"].get("streams", []) if e["index"] != index]
    entries.append({"index": index, "disposition": words[1]})
    tree["output"]["streams"] = sorted(entries, key=lambda e: e["index"])
    return reader.validate(tree)


def _scope(manifest: Manifest, operation: Operation, context: EditContext) -> Manifest:
    if operation.arguments not in {("listed",), ("everything",)}:
        raise UsageError(f"{operation.location}: write scope listed, or scope everything")
    return manifest.model_copy(update={"scope": operation.arguments[0]})


Edit = Callable[[Manifest, Operation, EditContext], Manifest]
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


def apply_all(manifest: Manifest, operations: Sequence[Operation], context: EditContext) -> Manifest:
    """The manifest after all operations, in order; raises `UsageError` for the first that cannot be done."""
    for operation in operations:
        try:
            manifest = EDITS[operation.verb](manifest, operation, context.for_operation(operation.attribution))
        except ValidationError as e:
            first = e.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(step) for step in first["loc"])
            raise UsageError(
                f"{operation.location}: would make the manifest invalid: {field}: {first['msg']}"
            ) from None
    try:
        manifest = reader.validate(manifest.document())
        rules.check(manifest)
    except ManifestError as e:
        raise UsageError(f"the edit would make the manifest invalid: {e.path}: {e.reason}") from None
    return manifest
