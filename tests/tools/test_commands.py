"""The commands over the tools: what goes to stdout and stderr, what is written, and how each ends."""

import io
import json
import shlex
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.parsers import expat

import av
import pytest
from PIL import Image

from veridact.cli import main, runner
from veridact.media import timeline
from veridact.schema import reader, writer
from veridact.schema.manifest import Manifest
from veridact.tools import manifest_file
from veridact.tools.draw import overlay

Run = Callable[..., tuple[int, bytes, str]]
Clip = Callable[[str], Path]
Make = Callable[[Path, list[dict[str, Any]], list[dict[str, Any]]], Manifest]
TRACK = {
    "id": "face-0001", "stream": 0, "label": "face", "review": "proposed", "origin": {"by": "hand"},
    "segments": [{"end": 20, "keys": [{"frame": 4, "box": [30, 20, 20, 24]}]}],
}  # fmt: skip


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs `veridact` with arguments; gives exit code, stdout and stderr."""

    def veridact(*arguments: object, stdin: bytes = b"") -> tuple[int, bytes, str]:
        monkeypatch.setattr(sys, "argv", ["veridact", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = runner.run(main.veridact, "veridact")
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return veridact


@pytest.fixture
def street(tmp_path: Path, manifests: Path) -> Path:
    """A copy of the street scene that may be changed."""
    path = tmp_path / "m.json"
    path.write_bytes((manifests / "valid-street.json").read_bytes())
    return path


@pytest.fixture
def footage(tmp_path: Path, clip: Clip, manifest_for: Make) -> Callable[[str], tuple[Path, Path]]:
    """A clip by name, and a manifest for it with one track."""

    def made(name: str) -> tuple[Path, Path]:
        media = clip(name)
        path = tmp_path / f"{name}.json"
        path.write_bytes(writer.write(manifest_for(media, [TRACK], [])))
        return media, path

    return made


def test_validate_prints_the_three_digests(run: Run, street: Path) -> None:
    code, out, _ = run("validate", street)
    assert code == 0
    assert [line.split()[0] for line in out.decode().splitlines()] == ["file_sha256", "manifest_sha256", "plan_sha256"]


def test_validate_names_what_is_wrong(run: Run, manifests: Path) -> None:
    code, out, err = run("validate", manifests / "invalid-misspelt-field.json")
    assert (code, out, err) == (3, b"", "error: invalid manifest (schema) at $.scoep: unknown field\n")


def test_a_missing_manifest_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    code, _, err = run("validate", tmp_path / "none.json")
    assert code == 2
    assert err.count("\n") == 1


def test_edit_writes_to_stdout_and_leaves_the_file(run: Run, street: Path) -> None:
    before = street.read_bytes()
    code, out, err = run("edit", street, "accept", "person-name-0001", "--reviewer", "r9")
    changed = [line for line in out.splitlines() if line not in before.splitlines()]
    assert (code, err) == (0, "1 changed\n")
    assert changed == [b'      "reviewer": "r9",']
    assert street.read_bytes() == before


def test_edit_reads_standard_input(run: Run, street: Path) -> None:
    code, out, _ = run("edit", "-", "reject", "--where", "label == face", stdin=street.read_bytes())
    assert code == 0
    assert [t.review for t in reader.read(out).manifest.tracks[:2]] == ["rejected", "rejected"]


def test_edit_in_place_keeps_the_mode(run: Run, street: Path) -> None:
    street.chmod(0o640)
    code, out, _ = run("edit", street, "move", "face-0001", "-5,10", "--in-place")
    assert (code, out) == (0, b"")
    assert stat.S_IMODE(street.stat().st_mode) == 0o640
    assert manifest_file.read_path(street).manifest.tracks[0].segments[0].keys[0].box == (407, 106, 64, 80)
    assert [p.name for p in street.parent.iterdir()] == ["m.json"]


def test_edit_never_writes_over_a_file(run: Run, street: Path) -> None:
    other = street.with_name("other.json")
    other.write_text("mine")
    code, _, err = run("edit", street, "accept", "face-0001", "-o", other)
    assert code == 6
    assert "exists" in err
    assert other.read_text() == "mine"


def test_edit_in_place_follows_no_link(run: Run, street: Path) -> None:
    link = street.with_name("link.json")
    link.symlink_to(street)
    assert run("edit", link, "accept", "face-0001", "--in-place")[0] == 6


def test_a_dry_run_says_what_a_viewer_would_see_and_writes_nothing(run: Run, street: Path) -> None:
    before = street.read_bytes()
    code, out, _ = run("edit", street, "reject", "face-0001", "--in-place", "--dry-run")
    assert code == 0
    assert out.decode().startswith("! face-0001: face in stream 0 is newly visible")
    assert street.read_bytes() == before


def test_a_script_is_done_whole_or_not_at_all(run: Run, street: Path, tmp_path: Path) -> None:
    script = tmp_path / "edits"
    before = street.read_bytes()
    script.write_text("accept face-0001\nreject face-0009  # a typo\n")
    code, _, err = run("edit", street, "--script", script, "--in-place")
    assert (code, err) == (2, "error: script line 2: there is no item face-0009 in the manifest\n")
    assert street.read_bytes() == before
    script.write_text('accept face-0001\nmove plate-0001 3,3 12s-13s\nreject where reason == "a poster"\n')
    assert run("edit", street, "--script", script, "--in-place")[0] == 0


WRONG_EDITS: dict[str, tuple[str, ...]] = {
    "no edit": (),
    "an option that there is not": ("accept", "face-0001", "--resaon", "x"),
    "a where that nothing uses": ("accept", "face-0001", "--where", "score > 1"),
    "a where that says nothing": ("accept", "--where", "score >"),
    "two places to write": ("accept", "face-0001", "--in-place", "-o", "x.json"),
    "an edit and a script": ("accept", "face-0001", "--script", "-"),
    "a long reviewer": ("accept", "face-0001", "--reviewer", "x" * 281),
}


@pytest.mark.parametrize("case", WRONG_EDITS)
def test_a_wrong_edit_ends_with_one_line(case: str, run: Run, street: Path) -> None:
    code, out, err = run("edit", street, *WRONG_EDITS[case])
    assert (code, out, err.count("\n")) == (2, b"", 1)


def test_seconds_on_a_variable_rate_need_the_footage(run: Run, footage: Callable[[str], tuple[Path, Path]]) -> None:
    media, path = footage("variable")
    code, _, err = run("edit", path, "retime", "face-0001", "0.5s-1.2s")
    assert code == 2
    assert "--media" in err
    code, out, _ = run("edit", path, "retime", "face-0001", "0.5s-1.2s", "--media", media)
    segment = reader.read(out).manifest.tracks[0].segments[0]
    times = [(i * i + 3 * i) / 100 for i in range(30)]
    assert times[segment.keys[0].frame] <= 0.5 < times[segment.keys[0].frame + 1]
    assert times[segment.end - 1] < 1.2 <= times[segment.end]


def test_footage_of_another_manifest_is_refused(run: Run, street: Path, clip: Clip) -> None:
    assert run("edit", street, "accept", "face-0001", "--media", clip("steady"))[0] == 5
    assert run("lint", street, clip("steady"))[0] == 5
    assert run("show", clip("steady"), street, "-o", street.with_name("x.png"))[0] == 5


def test_a_timeline_that_is_not_the_manifest_s_is_refused(
    run: Run, footage: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    media, path = footage("variable")
    tree = json.loads(path.read_bytes())
    tree["source"]["streams"][0]["pts_sha256"] = "0" * 64
    path.write_bytes(json.dumps(tree).encode())
    code, _, err = run("show", media, path, "-o", tmp_path / "x.png")
    assert code == 5
    assert "on another timeline" in err


def test_files_that_are_missing_or_too_large_are_wrong_usage(run: Run, clip: Clip, tmp_path: Path) -> None:
    giant = tmp_path / "gt.txt"
    with giant.open("wb") as file:
        file.truncate((64 << 20) + 1)
    code, _, err = run("import", clip("steady"), giant, "--format", "mot")
    assert (code, err) == (2, f"error: {giant}: a mot file of more than 64 MiB; split it\n")
    missing = tmp_path / "none.txt"
    code, _, err = run("import", clip("steady"), missing, "--format", "mot")
    assert (code, err) == (2, f"error: {missing}: no such mot file\n")


def test_diff_exits_1_when_anything_is_revealed(run: Run, street: Path, tmp_path: Path) -> None:
    after = tmp_path / "after.json"
    assert run("edit", street, "reject", "face-0001", "-o", after)[0] == 0
    code, out, _ = run("diff", street, after, "--json")
    tree = json.loads(out)
    assert (code, tree["reveals"], tree["changes"][0]["item"]) == (1, True, "face-0001")
    assert run("diff", after, street)[0] == 0
    assert run("diff", street, street)[1].startswith(b"nothing changes")


def test_lint_exits_1_when_there_is_a_finding(run: Run, street: Path, tmp_path: Path, manifests: Path) -> None:
    code, out, _ = run("lint", street, "--json")
    tree = json.loads(out)
    assert code == 1
    assert {"gap", "proposed", "vanishes"} <= {f["rule"] for f in tree["findings"]}
    assert tree["not_run"] == ["cut-word"]
    clean = tmp_path / "clean.json"
    arguments = ("effect", "label=default", "solid", "pad=150")
    run("edit", manifests / "valid-minimal.json", *arguments, "-o", clean)
    assert run("lint", clean)[:2] == (0, b"no findings\n")


def test_lint_reports_a_manifest_that_breaks_rules(run: Run, manifests: Path) -> None:
    code, out, _ = run("lint", manifests / "invalid-end-after-clip.json")
    assert code == 1
    assert out.startswith(b"100 invalid: $.tracks[0].segments[0].end")
    assert run("lint", manifests / "invalid-fraction.json")[0] == 3


def test_lint_hears_ranges_that_cut_a_tone(run: Run, clip: Clip, manifest_for: Make, tmp_path: Path) -> None:
    media = clip("sounding")
    audio = {"id": "date-0001", "stream": 1, "label": "date", "review": "accepted", "origin": {"by": "hand"},
             "start_ms": 500, "end_ms": 900}  # fmt: skip
    path = tmp_path / "heard.json"
    path.write_bytes(writer.write(manifest_for(media, [], [audio])))
    _, out, _ = run("lint", path, media, "--json")
    tree = json.loads(out)
    assert tree["not_run"] == []
    assert [f["start"] for f in tree["findings"] if f["rule"] == "cut-word"] == [500, 900]


def _shown(run: Run, media: Path, path: Path, out: Path, *options: object) -> Path:
    code, _, err = run("show", media, path, *options, "-o", out)
    assert code == 0, err
    return out


def test_one_frame_shows_the_outline_where_the_box_is(
    run: Run, footage: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    media, path = footage("steady")
    with Image.open(_shown(run, media, path, tmp_path / "f.png", "--frame", "0.4s")) as picture:
        shown = picture.convert("RGB")
        band = shown.height - 64
        orange = tuple(bytes.fromhex(overlay.COLOURS["proposed"][1:]))
        assert shown.size == (96, 64 + band)
        assert [shown.getpixel((x, 43 + band)) for x in (29, 30, 49, 50)].count(orange) == 2
        assert shown.getpixel((30, 43 + band)) == shown.getpixel((49, 43 + band)) == orange


def test_a_sheet_is_private_and_says_what_it_is(
    run: Run, footage: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    media, path = footage("variable")
    out = _shown(run, media, path, tmp_path / "s.png", "--sheet")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with Image.open(out) as picture:
        assert picture.convert("RGB").getpixel((picture.width - 2, 2)) == (0xB0, 0, 0x20)
        assert picture.width == 3 * overlay.TILE_WIDTH


@pytest.mark.parametrize("name", ["steady", "variable"])
def test_the_review_video_is_private_silent_and_in_time(
    name: str, run: Run, footage: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    media, path = footage(name)
    out = _shown(run, media, path, tmp_path / "review.mp4", "--video")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with av.open(str(out)) as video:
        assert video.metadata["title"] == overlay.WARNING
        assert [s.type for s in video.streams] == ["video"]
        times = [f.pts * f.time_base for f in video.decode(video=0)]
    known = timeline.from_media(manifest_file.read_path(path).manifest, media)[0]
    assert times == [known.seconds_of(n) for n in range(known.frames)]


def test_a_still_is_shown_as_displayed(run: Run, still: Path, manifest_for: Make, tmp_path: Path) -> None:
    track = {**TRACK, "segments": [{"end": 1, "keys": [{"frame": 0, "box": [2, 3, 10, 10]}]}]}
    path = tmp_path / "still.json"
    path.write_bytes(writer.write(manifest_for(still, [track], [])))
    with Image.open(_shown(run, still, path, tmp_path / "f.png", "--frame", "0")) as picture:
        assert picture.width == 40
        assert picture.height > 60
    code, _, err = run("show", still, path, "--timeline", "-o", tmp_path / "t.svg")
    assert code == 2
    assert "a still has no timeline" in err


def test_the_timeline_has_a_bar_for_each_interval(
    run: Run, footage: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    media, path = footage("steady")
    svg = _shown(run, media, path, tmp_path / "t.svg", "--timeline").read_text()
    expat.ParserCreate().Parse(svg, True)
    assert svg.count("<title>") == 1
    assert '<rect x="270" y="42" width="320" height="12" fill="#ff9f1c"/>' in svg


NOT_SHOWN: dict[str, tuple[str, ...]] = {
    "a frame after the end": ("--frame", "50"),
    "a time that is none": ("--frame", "soon"),
    "a stream that shows nothing": ("--stream", "3"),
    "a frame and a video": ("--frame", "1", "--video"),
    "a video without a container": ("--video",),
}


@pytest.mark.parametrize("case", NOT_SHOWN)
def test_what_cannot_be_shown_leaves_no_file(
    case: str, run: Run, footage: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    media, path = footage("steady")
    code, _, err = run("show", media, path, *NOT_SHOWN[case], "-o", tmp_path / "x.png")
    assert (code, err.count("\n")) == (2, 1)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_show_never_writes_over_the_footage(run: Run, footage: Callable[[str], tuple[Path, Path]]) -> None:
    media, path = footage("steady")
    before = media.read_bytes()
    assert run("show", media, path, "--video", "-o", media)[0] == 6
    assert media.read_bytes() == before


def test_export_lists_what_is_lost_on_stderr(run: Run, street: Path) -> None:
    code, out, err = run("export", street, "--format", "audacity")
    assert code == 0
    assert out.startswith(b"12.340000\t12.910000\tperson_name")
    assert "audacity does not hold: 4 tracks of the picture\n" in err


def test_import_makes_a_manifest_and_lists_what_is_lost(run: Run, clip: Clip, tmp_path: Path) -> None:
    boxes = tmp_path / "gt.txt"
    boxes.write_text("3,1,11,21,30,20,0.9,-1,-1,-1\n4,1,12,21,30,20,0.9,-1,-1,-1\n")
    code, out, err = run("import", clip("sounding"), boxes, "--format", "mot", "--label", "plate")
    manifest = reader.read(out).manifest
    assert code == 0
    assert (manifest.tracks[0].id, manifest.tracks[0].segments[0].end) == ("plate-0001", 4)
    assert manifest.tracks[0].segments[0].keys[0].box == (10, 20, 30, 20)
    assert "not imported: confidences" in err
    assert "stream 1: audio that mot does not annotate; it is kept as it is\n" in err
    assert [getattr(s, "searched", None) for s in manifest.source.streams] == [True, False]


def test_combine_says_what_was_new(run: Run, street: Path) -> None:
    code, out, err = run("combine", street, street)
    assert (code, out, err) == (0, street.read_bytes(), "0 new, 6 already known\n")


def test_upgrade_of_today_s_major_changes_nothing(run: Run, street: Path) -> None:
    assert run("upgrade", street) == (0, street.read_bytes(), "")


def test_the_commands_in_the_document_work(run: Run, street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("veridact ") and "in.mp4" not in line]
    assert len(lines) >= 5
    monkeypatch.chdir(street.parent)
    codes = {line.split()[1]: run(*shlex.split(line)[1:])[0] for line in lines}
    assert codes == {"edit": 0, "diff": 1}
    assert manifest_file.read_path(street).manifest.tracks[0].reviewer == "r7"


def test_help_names_every_edit(run: Run) -> None:
    code, out, _ = run("edit", "--help")
    assert code == 0
    for verb in ("accept", "reject", "add", "move", "resize", "retime", "split", "merge", "relabel", "effect"):
        assert verb in out.decode()
