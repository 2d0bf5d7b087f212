"""The redaction log that goes with a disclosure: time, kind, redaction, reason and reviewer, never the content.

Only what is covered or left out is listed. Notes are not: they may describe the content. Nor are digests: with one a
reader could test guesses of the content.
"""

import csv
import io
from dataclasses import dataclass
from fractions import Fraction
from html import escape

from veridact.schema.manifest import AudioRange, AudioStream, Manifest, OtherStream, Track
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.schema.plan.effects import counts, effect_of
from veridact.schema.timeline import Clocks
from veridact.tools.edit.times import clock_text

COLUMNS = ("start", "end", "stream", "medium", "kind", "redaction", "reason", "reviewer", "review", "id")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class _Row:
    order: tuple[int, Fraction, str]
    cells: tuple[str, ...]


def _frames(item: Track, clocks: Clocks) -> tuple[str, str, Fraction]:
    clock = clocks[item.stream]
    first, end = item.segments[0].keys[0].frame, item.segments[-1].end
    if clock.frames == 1:
        return "", "", Fraction(0)
    start_s, end_s = clock.seconds_of(first), clock.seconds_of(end)
    if start_s is None or end_s is None:
        return f"frame {first}", f"frame {end}", Fraction(first)
    return clock_text(start_s), clock_text(end_s), start_s


def _items(manifest: Manifest, clocks: Clocks) -> list[_Row]:
    rows = []
    for track in manifest.tracks:
        if counts(track):
            start, end, order = _frames(track, clocks)
            rows.append(_row(track, order, start, end, str(track.stream), "picture", manifest))
    for item in manifest.audio:
        if counts(item):
            start, end = (clock_text(Fraction(ms, 1000)) for ms in (item.start_ms, item.end_ms))
            stream = "all" if item.stream is None else str(item.stream)
            rows.append(_row(item, Fraction(item.start_ms, 1000), start, end, stream, "sound", manifest))
    return rows


def _row(
    item: Track | AudioRange, order: Fraction, start: str, end: str, stream: str, medium: str, manifest: Manifest
) -> _Row:
    effect = effect_of(item, manifest)
    redaction = "kept" if effect is None else effect.effect
    record = (item.reason or "", item.reviewer or "", item.review)
    return _Row((1, order, item.id), (start, end, stream, medium, item.label, redaction, *record, item.id))


def _throughout(manifest: Manifest) -> list[_Row]:
    """Rows for what is covered or left out over the whole duration: scope `everything`, and dropped streams."""
    entries: list[tuple[str, str, str, str]] = []
    if manifest.scope == "everything":
        entries.append(("all", "picture and sound", "everything", "hidden"))
    rendered = rendered_indexes(manifest)
    for stream in manifest.source.streams:
        if isinstance(stream, OtherStream) or stream.index not in rendered:
            medium = "sound" if isinstance(stream, AudioStream) else stream.type
            entries.append((str(stream.index), medium, "whole stream", "left out"))
    blank = ("", "", "", "")
    return [_Row((0, Fraction(0), s), ("", "", s, medium, kind, how, *blank)) for s, medium, kind, how in entries]


def rows(manifest: Manifest, clocks: Clocks) -> list[tuple[str, ...]]:
    """The lines of the log under `COLUMNS`: whole streams first, then items by time."""
    return [r.cells for r in sorted([*_throughout(manifest), *_items(manifest, clocks)], key=lambda r: r.order)]


def _without_formula(cell: str) -> str:
    """A cell that a spreadsheet shows as text: an apostrophe goes before the first character of a formula."""
    return "'" + cell if cell.startswith(_FORMULA) else cell


def as_csv(manifest: Manifest, clocks: Clocks) -> bytes:
    """The log as CSV (RFC 4180, UTF-8)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_without_formula(c) for c in row] for row in rows(manifest, clocks))
    return text.getvalue().encode()


_STYLE = """
body { font: 11pt/1.4 sans-serif; margin: 2em; color: #000; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #888; padding: .25em .5em; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eee }
@page { size: A4 landscape; margin: 15mm }
@media print { body { margin: 0; font-size: 9pt } thead { display: table-header-group } tr { break-inside: avoid } }
"""


def as_html(manifest: Manifest, clocks: Clocks) -> bytes:
    """The log as one HTML page to print, without scripts and external resources."""
    lines = rows(manifest, clocks)
    head = "".join(f'<th scope="col">{c}</th>' for c in COLUMNS)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in lines)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Redaction log</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>Redaction log</h1><p>{len(lines)} entries. Times are hours, "
        "minutes and seconds from the start as a player shows them.</p>\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></body></html>\n"
    ).encode()
