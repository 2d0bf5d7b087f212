"""A contact sheet: a grid of captioned frames with a warning above and a legend below."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from veridact.tools.draw.overlay import CAPTION, COLOURS, COLUMNS, TILE_WIDTH, _banner, font


@dataclass(frozen=True)
class Tile:
    """One frame of a contact sheet, at most two lines of caption, and whether lint has a finding on it."""

    picture: Image.Image
    captions: tuple[str, ...]
    risky: bool


def _legend(draw: ImageDraw.ImageDraw, top: int) -> None:
    x = 8
    for state, colour in COLOURS.items():
        draw.rectangle((x, top + 6, x + 12, top + 18), fill=colour)
        draw.text((x + 18, top + 12), state, fill="#ffffff", font=font(12), anchor="lm")
        x += 92
    draw.text((x, top + 12), "thick: the box, thin: the cover", fill="#cccccc", font=font(12), anchor="lm")


def sheet(tiles: Sequence[Tile]) -> Image.Image:
    """The tiles in rows of `COLUMNS`, with warning and legend; the caption of a lint finding is red."""
    columns = min(COLUMNS, len(tiles))
    height = max(t.picture.height for t in tiles) + CAPTION
    rows = -(-len(tiles) // columns)
    size = (max(columns * TILE_WIDTH, 720), 24 + rows * height + 26)
    canvas = Image.new("RGB", size, "#202020")
    draw = ImageDraw.Draw(canvas)
    _banner(draw, size[0], 22)
    for number, tile in enumerate(tiles):
        x, y = number % columns * TILE_WIDTH, 24 + number // columns * height
        canvas.paste(tile.picture, (x, y))
        for line, caption in enumerate(tile.captions[:2]):
            colour = "#ff6b6b" if tile.risky and line else "#ffffff"
            at = (x + 4, y + tile.picture.height + 2 + 15 * line)
            draw.text(at, _fitted(caption, TILE_WIDTH - 8), fill=colour, font=font(12))
    _legend(draw, 24 + rows * height)
    return canvas


def _fitted(text: str, width: int) -> str:
    """The text, cut short with a full stop where it is wider than `width` pixels."""
    while text and font(12).getlength(text) > width:
        text = text[:-2].rstrip(".") + "."
    return text
