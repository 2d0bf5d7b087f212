"""The density and pixel shape of scans are kept, in every format that holds them."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from veridact.audit.content import check_content
from veridact.media.density import Density, density_of, with_density
from veridact.media.pictures import open_picture
from veridact.media.video import open_media

BOX = (10, 8, 20, 12)
SUFFIXES = {"jpeg": "jpg", "png": "png", "tiff": "tif", "bmp": "bmp", "webp": "webp"}
FAX = Density(Fraction(204), Fraction(98), "inch")
SCAN = Density(Fraction(300), Fraction(300), "inch")
ANAMORPHIC = Density(Fraction(12), Fraction(11), "none")
METRIC = Density(Fraction(118), Fraction(118), "centimetre")


def density_in(path: Path) -> Density | None:
    with open_media(path) as media, open_picture(media) as image:
        return density_of(image)


def made(path: Path, density: Density, container: str, **options: Any) -> Path:
    """A small picture with a density, JPEG, PNG and BMP as `with_density` writes them."""
    if container == "tiff":
        units = {"none": 1, "inch": 2, "centimetre": 3}
        options |= {"x_resolution": float(density.across), "y_resolution": float(density.down),
                    "resolution_unit": units[density.unit]}  # fmt: skip
    Image.new("RGB", (60, 44), "olive").save(path, **options)
    path.write_bytes(with_density(path.read_bytes(), density, container))
    return path


@pytest.mark.parametrize("density", [FAX, SCAN, ANAMORPHIC, METRIC], ids=lambda d: f"{d.across} {d.down} {d.unit}")
@pytest.mark.parametrize("source", ["jpeg", "png", "tiff", "bmp"])
@pytest.mark.parametrize("container", ["jpeg", "png", "tiff", "bmp"])
def test_the_density_is_kept(
    source: str, container: str, density: Density, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    path = made(tmp_path / f"in.{SUFFIXES[source]}", density, source)
    out = tmp_path / f"out.{SUFFIXES[container]}"
    manifest = make_manifest(path, (make_track(1, BOX, 1),), container=container)
    code, _, err = command("render", path, saved(manifest), out)
    assert code == 0, err
    found = density_in(out)
    assert found is not None
    if "none" in {density.unit, found.unit}:
        assert abs(found.across / found.down / (density.across / density.down) - 1) < Fraction(
            1, 200
        )  # BMP has no ratio, and JPEG whole numbers
    else:
        for value, wanted in zip(found.per("inch"), density.per("inch"), strict=True):
            assert abs(value - wanted) < Fraction(6, 10)  # JPEG has whole numbers
    with open_media(out) as media:
        assert all(finding.holds for finding in check_content(media, manifest))
    assert '"density":"' in Path(f"{out}.audit.jsonl").read_text()


@pytest.mark.parametrize(("suffix", "container"), [("jpg", "jpeg"), ("png", "png"), ("tif", "tiff")])
def test_a_turned_picture_turns_its_density(
    suffix: str, container: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path, out = made(tmp_path / f"in.{suffix}", FAX, container, exif=exif), tmp_path / "out.png"
    manifest = make_manifest(path, (make_track(1, BOX, 1),), container="png")
    assert command("render", path, saved(manifest), out)[0] == 0
    found = density_in(out)
    assert found is not None
    assert [round(v) for v in found.per("inch")] == [98, 204]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_nothing_is_written_where_there_is_none(
    suffix: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    path, out = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    Image.new("RGB", (60, 44), "olive").save(path)
    assert command("render", path, saved(make_manifest(path, (make_track(1, BOX, 1),))), out)[0] == 0
    assert density_in(out) is None
    assert "density" not in Path(f"{out}.audit.jsonl").read_text()


def test_the_density_of_exif_counts_where_jfif_has_none(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 300.0, 2
    Image.new("RGB", (60, 44)).save(tmp_path / "in.jpg", exif=exif)
    assert density_in(tmp_path / "in.jpg") == SCAN


@pytest.mark.parametrize("values", [(0.0, 300.0), (1e9, 300.0)])
def test_an_absurd_density_is_none(values: tuple[float, float], tmp_path: Path) -> None:
    Image.new("RGB", (60, 44)).save(tmp_path / "in.tif", x_resolution=values[0], y_resolution=values[1])
    assert density_in(tmp_path / "in.tif") is None


PANORAMA = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:ProjectionType="equirectangular"/>
</rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif"])
@pytest.mark.parametrize(("packet", "warned"), [(PANORAMA, True), (PANORAMA.replace(b"photos", b"other"), False)])
def test_a_panorama_is_warned_of(
    packet: bytes, warned: bool, suffix: str, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    path, out = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    options = {"tiffinfo": {700: packet}} if suffix == "tif" else {"xmp": packet}
    Image.new("RGB", (60, 44), "olive").save(path, **options)
    assert command("render", path, saved(make_manifest(path, (make_track(1, BOX, 1),))), out)[0] == 0
    assert ("panorama" in Path(f"{out}.audit.jsonl").read_text()) is warned
    assert b"GPano" not in out.read_bytes()
