"""The tracks and ranges of a manifest over time, as SVG for a browser or a printer."""

from collections.abc import Iterator
from fractions import Fraction
from html import escape

from veridact.errors import UsageError
from veridact.schema.manifest import AudioRange, AudioStream, Manifest, Track
from veridact.schema.timeline import Clocks
from veridact.tools.draw.overlay import COLOURS
from veridact.tools.edit.times import clock_text

LEFT, WIDTH, ROW, TOP = 190, 1000, 16, 40
"""The left margin, the width of the time axis, the height of a row and the top margin, in pixels."""
_TICK_SECONDS = (Fraction(1, 10), Fraction(1, 2), 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)


def _duration(manifest: Manifest, clocks: Clocks) -> Fraction:
    """The end of the longest stream in seconds; raises `UsageError` for a still."""
    ends = [c.seconds_of(c.frames) or Fraction(0) for c in clocks.values()]
    ends += [Fraction(s.duration_ms, 1000) for s in manifest.source.streams if isinstance(s, AudioStream)]
    duration = max(ends, default=Fraction(0))
    if duration <= 0:
        raise UsageError("a still has no timeline; use --frame 0")
    return duration


def _intervals(item: Track | AudioRange, clocks: Clocks) -> Iterator[tuple[Fraction, Fraction]]:
    """The half-open intervals that an item covers, in seconds."""
    if isinstance(item, AudioRange):
        yield Fraction(item.start_ms, 1000), Fraction(item.end_ms, 1000)
        return
    clock = clocks[item.stream].assumed()
    for segment in item.segments:
        yield clock.seconds_of(segment.keys[0].frame) or Fraction(0), clock.seconds_of(segment.end) or Fraction(0)


def _axis(duration: Fraction, height: int) -> Iterator[str]:
    step = next((s for s in _TICK_SECONDS if duration / s <= 12), _TICK_SECONDS[-1])
    for number in range(int(duration // step) + 1):
        x = LEFT + round(number * step * WIDTH / duration)
        yield f'<line x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{height}" stroke="#ccc"/>'
        yield f'<text x="{x}" y="{TOP - 10}" text-anchor="middle">{clock_text(Fraction(number * step))[:-2]}</text>'


def _row(number: int, item: Track | AudioRange, clocks: Clocks, duration: Fraction) -> Iterator[str]:
    y = TOP + number * ROW
    colour = COLOURS[item.review]
    where = "sound" if isinstance(item, AudioRange) else "picture"
    stream = "all" if item.stream is None else item.stream
    words = f"{item.id}: {item.review}, {where} of stream {stream}" + (f", {item.reason}" if item.reason else "")
    yield f"<g><title>{escape(words)}</title>"
    yield f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(item.id)}</text>'
    for start, end in _intervals(item, clocks):
        x = LEFT + round(start * WIDTH / duration)
        wide = max(1, round((end - start) * WIDTH / duration))
        hatch = ' fill-opacity="0.35"' if item.review == "rejected" else ""
        round_ends = ' rx="5"' if where == "sound" else ""
        yield f'<rect x="{x}" y="{y + 2}" width="{wide}" height="{ROW - 4}" fill="{colour}"{hatch}{round_ends}/>'
    yield "</g>"


def draw(manifest: Manifest, clocks: Clocks) -> bytes:
    """The timeline as SVG: a row for each item, with square bars for tracks and round ones for ranges of sound."""
    duration = _duration(manifest, clocks)
    items: list[Track | AudioRange] = [*manifest.tracks, *manifest.audio]
    height = TOP + len(items) * ROW + 8
    body = [line for number, item in enumerate(items) for line in _row(number, item, clocks, duration)]
    legend = "".join(
        f'<rect x="{LEFT + 100 * n}" y="{height + 4}" width="12" height="12" fill="{colour}"/>'
        f'<text x="{LEFT + 100 * n + 18}" y="{height + 14}">{state}</text>'
        for n, (state, colour) in enumerate(COLOURS.items())
    )
    size = f"{LEFT + WIDTH + 40} {height + 24}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif" font-size="11">'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, paper, *_axis(duration, height), *body, legend, "</svg>", ""]).encode()
