"""COCO JSON for one picture: `bbox` is [x, y, width, height] in pixels of the picture as displayed, origin top left."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any, NoReturn

from veridact.errors import BindingError, UsageError
from veridact.schema.geometry import Box, to_displayed
from veridact.schema.manifest import Manifest, PictureStream
from veridact.tools.formats import common
from veridact.tools.formats.common import Exported, Imported


def write(manifest: Manifest) -> Exported:
    """All tracks of a still, rejected ones included, with their review records as `attributes`.

    Raises `UsageError` for video and animations.
    """
    lost = common.common_losses(manifest, record=True, sound=False)
    stream = common.picture_stream(manifest, lost)
    if manifest.source.kind != "picture" or stream.frames != 1:
        raise UsageError("COCO holds single pictures; for video and animations use cvat or mot")
    labels = list(dict.fromkeys(t.label for t in manifest.tracks))
    annotations = []
    for number, track in enumerate(manifest.tracks, 1):
        x, y, w, h = track.segments[0].keys[0].box
        annotations.append(
            {
                "id": number,
                "image_id": 1,
                "category_id": labels.index(track.label) + 1,
                "bbox": [x, y, w, h],
                "area": w * h,
                "iscrowd": 0,
                "attributes": common.record_of(track),
            }
        )
    picture = {"id": 1, "file_name": f"picture.{stream.codec}", "width": stream.width, "height": stream.height}
    categories = [{"id": n, "name": label} for n, label in enumerate(labels, 1)]
    tree = {"images": [picture], "annotations": annotations, "categories": categories}
    return Exported((json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode(), lost)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _image(tree: dict[str, Any], stream: PictureStream) -> tuple[Any, int]:
    """The id of the image that the source is, and the EXIF orientation still to apply to its boxes.

    An image of the stored size has boxes in the stored picture, one of the displayed size in the displayed picture.
    Raises `BindingError` unless exactly one image has either size.
    """
    upright, stored = (stream.width, stream.height), (stream.coded_width, stream.coded_height)
    fits = [i for i in tree["images"] if (i["width"], i["height"]) in {upright, stored}]
    if len(fits) != 1:
        sizes = ", ".join(f"{i['width']}x{i['height']}" for i in tree["images"][:5])
        raise BindingError(
            f"{len(fits)} images have the size {stream.width}x{stream.height} of the source (sizes: {sizes}); "
            "leave just the one in the file"
        )
    turned = (fits[0]["width"], fits[0]["height"]) != upright
    return fits[0]["id"], stream.orientation if turned else 1


def _box(values: list[Any], orientation: int, stream: PictureStream) -> Box:
    x, y, w, h = (Fraction(v) for v in values)
    box = common.outward(x, y, x + w, y + h)
    return to_displayed(box, orientation, stream.coded_width, stream.coded_height)


def read(raw: bytes, stream: PictureStream) -> Imported:
    """The boxes of a COCO file on a still; raises `UsageError` for another format, `BindingError` for another image."""
    imported = Imported(searched=frozenset({0}))
    try:
        tree = json.loads(raw, parse_float=Decimal, parse_constant=_no_constant)
        names = {c["id"]: str(c["name"]) for c in tree["categories"]}
        image, orientation = _image(tree, stream)
        for annotation in tree["annotations"]:
            if annotation["image_id"] != image:
                continue
            label = common.known_label(names[annotation["category_id"]], None, imported.lost)
            given = annotation.get("attributes", {})
            attributes = {k: v for k, v in given.items() if isinstance(v, str)} if isinstance(given, dict) else {}
            box = _box(annotation["bbox"], orientation, stream)
            imported.tracks.append({**common.item_fields(attributes, 0, label), "boxes": {0: box}})
            if annotation.get("segmentation"):
                imported.lost.append(f"the outline of annotation {annotation.get('id')}: its bounding box is used")
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as e:
        raise UsageError(f"not a COCO file: {type(e).__name__}: {str(e)[:80]}") from None
    return imported
