"""Upgrading an older manifest to the current major version: one pure step for each major.

A step turns the plain JSON values of one major into those of the next, without reading files and without guessing.
Major 0 was never released; its step tests the mechanism from end to end and is the pattern for the next:

    veridact.manifest/0    a track has `id stream label status score end` and `keys`, an object {"FRAME": [x, y, w, h]};
                           `status` is "open", "kept" or "removed"; there are no segments, no sound and no `ext`
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from veridact.errors import ManifestError, UsageError
from veridact.schema import reader, rules, strict_json
from veridact.schema.manifest import MAJOR, Manifest

Tree = dict[str, Any]
_SCHEMA = re.compile(r"veridact\.manifest/([0-9]{1,6})")
_STATUS = {"open": "proposed", "kept": "accepted", "removed": "rejected"}


def _only(tree: Mapping[str, Any], fields: frozenset[str], path: str) -> None:
    """Raises `ManifestError` for an unknown field: dropping it could uncover a face."""
    for name in tree:
        if name not in fields:
            raise ManifestError("schema", strict_json.member_path(path, name), "unknown field")


def _track_from_0(track: Mapping[str, Any], path: str) -> Tree:
    """A track of major 0 as one of major 1."""
    _only(track, frozenset({"id", "stream", "label", "status", "score", "end", "keys"}), path)
    keys = [{"frame": int(frame), "box": box} for frame, box in track["keys"].items()]
    by, score = ("hand", {}) if track["score"] is None else ("p0", {"score": track["score"]})
    return {
        "id": track["id"],
        "stream": track["stream"],
        "label": track["label"],
        "review": _STATUS[track["status"]],
        "origin": {"by": by, **score},
        "segments": [{"end": track["end"], "keys": sorted(keys, key=lambda k: k["frame"])}],
    }


def _from_0(tree: Tree) -> Tree:
    """A manifest of major 0 as one of major 1."""
    _only(tree, frozenset({"schema", "source", "output", "effects", "tracks"}), "$")
    producer = {"id": "p0", "kind": "tool", "name": "veridact.manifest/0", "settings": {}}
    return {
        "schema": "veridact.manifest/1",
        "source": tree["source"],
        "producers": [producer],
        "output": tree["output"],
        "scope": "listed",
        "effects": tree["effects"],
        "tracks": [_track_from_0(t, f"$.tracks[{i}]") for i, t in enumerate(tree["tracks"])],
        "audio": [],
        "ext": {},
    }


STEPS: dict[int, Callable[[Tree], Tree]] = {0: _from_0}
"""For each older major, the step to the next."""


def major_of(tree: Any) -> int:
    """The major version in the `schema` field; raises `ManifestError` when there is none."""
    match = _SCHEMA.fullmatch(str(tree.get("schema"))) if isinstance(tree, dict) else None
    if match is None:
        raise ManifestError("schema", "$.schema", "this is no veridact manifest")
    return int(match[1])


def upgrade(raw: bytes) -> Manifest:
    """The manifest in `raw`, of any major up to the current one, upgraded to that and validated.

    Raises `ManifestError` for an invalid manifest, `UsageError` for one of a later major.
    """
    tree = strict_json.loads(raw)
    major = major_of(tree)
    if major > MAJOR:
        raise UsageError(f"this is veridact.manifest/{major}, made by a later version of veridact; install that one")
    for step in range(major, MAJOR):
        try:
            tree = STEPS[step](tree)
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise ManifestError("schema", "$", f"not a whole veridact.manifest/{step}: {e!s:.80}") from None
    manifest = reader.validate(tree)
    rules.check(manifest)
    return manifest
