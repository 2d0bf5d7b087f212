"""The other side of `veridact.api`: `python -m veridact.api.worker` does one call, as the command of its name does.

Each function imports what it needs, so that rendering loads no model. Arguments and results are JSON values.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from veridact.errors import UsageError
from veridact.progress import ReportProgress
from veridact.sandbox import interpreter
from veridact.schema.manifest import Manifest


def locate(
    report: ReportProgress, *, media: str, labels: list[str] | None, thresholds: dict[str, float],
    effects: dict[str, str], stride: int | None, searched: dict[str, Any], heard: dict[str, Any],
    heard_files: dict[str, str | None],
) -> dict[str, Any]:  # fmt: skip
    """The manifest of a media file as text, and the remarks on it."""
    from veridact.locate import isolation
    from veridact.locate import options as asked
    from veridact.locate.speech.pipeline import SpeechOptions

    searched["detectors"] = tuple(searched["detectors"])
    options = asked.Options(
        labels=asked.DEFAULT_LABELS if labels is None else asked.parse_labels(",".join(labels)),
        thresholds=dict(asked.parse_threshold(f"{label}={score}") for label, score in thresholds.items()),
        effects=dict(asked.parse_effect(f"{label}={effect}") for label, effect in effects.items()),
        stride=stride,
        workers=len(os.sched_getaffinity(0)),
        speech=SpeechOptions(**heard, **{name: _path(given) for name, given in heard_files.items()}),  # type: ignore[arg-type]  # its paths, by name
        **searched,
    )
    manifest, remarks = isolation.locate_in_child(Path(media), options, report)
    return {"manifest": manifest.decode(), "remarks": remarks}


def render(
    report: ReportProgress, *, media: str, manifest: str, out: str, audit: str | None, attest: str | None,
    sign: str | None, jobs: int | None, options: dict[str, Any],
) -> dict[str, str]:  # fmt: skip
    """Where the receipt of a render is, and its head."""
    from veridact.audit import signed_render
    from veridact.render.pipeline import Options
    from veridact.schema import reader

    target, read = Path(out), reader.read(manifest.encode())
    receipt = _path(audit) or signed_render.receipt_path(target)
    settings = Options(jobs=jobs or len(os.sched_getaffinity(0)), **options)
    done = signed_render.render(Path(media), read, target, receipt, settings, report, _path(attest), _path(sign))
    return {"audit": os.fspath(receipt), "head": done.head}


def verify(
    report: ReportProgress, *, audit: str, files: dict[str, str | None], head: str | None, content: bool, rerun: bool,
    salt_file: str | None,
) -> list[dict[str, str]]:  # fmt: skip
    """The checks of a receipt."""
    from veridact.audit.disclosure import read_salt
    from veridact.audit.verify import Asked
    from veridact.audit.verify import verify as verify_receipt

    if (files["key"] is None) != (files["attestation"] is None):
        raise UsageError("--key and --attestation go together")
    given = {name: _path(path) for name, path in files.items()}
    salt = read_salt(Path(salt_file)) if salt_file else None
    asked = Asked(Path(audit), head=head, content=content, rerun=rerun, salt=salt, **given)
    return [asdict(check) for check in verify_receipt(asked)]


def edit(
    report: ReportProgress, *, manifest: str, media: str, script: str, where: str | None, reviewer: str | None,
    reason: str | None,
) -> str:  # fmt: skip
    """A manifest after edits at times that the media file tells."""
    from veridact.schema import reader, writer

    before = reader.read(manifest.encode()).manifest
    return writer.write(edited(before, script, where, reviewer, reason, Path(media))).decode()


def edited(
    before: Manifest, script: str, where: str | None, reviewer: str | None, reason: str | None,
    media: Path | None = None,
) -> Manifest:  # fmt: skip
    """A manifest after the edits of a script; with `media`, only in a process without other threads."""
    from veridact.schema.timeline import from_manifest
    from veridact.tools.edit import edits, operations, query

    todo = operations.from_script(script, None if where is None else query.parse(where))
    if media is None:
        clocks = from_manifest(before)
    else:
        from veridact.media.timeline import from_media

        clocks = from_media(before, media)
    return edits.apply_all(before, todo, edits.EditContext(clocks, reviewer, reason))


def _path(path: str | None) -> Path | None:
    return None if path is None else Path(path)


CALLS: dict[str, Callable[..., Any]] = {"locate": locate, "render": render, "verify": verify, "edit": edit}

if __name__ == "__main__":
    interpreter.serve(CALLS)
