"""Attacks on a render and its receipt, and the levels of `verify` that catch each.

The table in docs/receipt.md is made from what happens here: VERIDACT_WRITE_DOCS=1 writes it, otherwise it is compared.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from veridact.schema import receipt, writer
from veridact.schema.manifest import AudioRange, Key, Origin

LEVELS = ("chain", "anchor", "files", "content", "rerun")
DOCUMENT = Path(__file__).parents[2] / "docs" / "receipt.md"
BEGIN, END = "<!-- attacks begin -->\n", "<!-- attacks end -->"

Scene = dict[str, Path]


FINE = {"fflags": "+bitexact", "movie_timescale": "14112000"}


def lines_of(s: Scene) -> list[bytes]:
    return s["audit"].read_bytes().splitlines(keepends=True)


def rewrite(s: Scene, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrites the receipt whole, so that its chain holds again."""
    _, entries = receipt.read(s["audit"].read_bytes())
    bodies = [(e.type, e.body) for e in entries[:-1]]
    change(dict(bodies))
    s["audit"].write_bytes(receipt.chain(bodies))


def forge(s: Scene, command: Any, change: Callable[[dict[str, Any]], None]) -> None:
    """Renders a changed manifest, then passes its output off as that of the real one, receipt and all."""
    tree = json.loads(s["manifest"].read_text())
    change(tree)
    other, out = s["manifest"].with_name("forged.json"), s["output"].with_name(f"forged{s['output'].suffix}")
    other.write_text(json.dumps(tree))
    assert command("render", s["input"], other, out)[0] == 0
    shutil.copy(out, s["output"])
    made = receipt.bodies(receipt.read(Path(f"{out}.audit.jsonl").read_bytes())[1], "output")[0]
    rewrite(s, lambda b: b["output"].update(made))


def account_for(s: Scene) -> None:
    """Writes the digest of a tampered output into a rewritten receipt."""
    data = s["output"].read_bytes()
    rewrite(s, lambda b: b["output"].update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)))


def edit_an_entry(s: Scene, _: Any) -> None:
    s["audit"].write_bytes(s["audit"].read_bytes().replace(b'"frames":', b'"frameS":', 1))


def drop_an_entry(s: Scene, _: Any) -> None:
    lines = lines_of(s)
    s["audit"].write_bytes(b"".join(lines[:3] + lines[4:]))


def insert_an_entry(s: Scene, _: Any) -> None:
    lines = lines_of(s)
    s["audit"].write_bytes(b"".join([*lines[:4], lines[3], *lines[4:]]))


def reorder_two_entries(s: Scene, _: Any) -> None:
    lines = lines_of(s)
    s["audit"].write_bytes(b"".join([*lines[:3], lines[4], lines[3], *lines[5:]]))


def truncate_the_receipt(s: Scene, _: Any) -> None:
    s["audit"].write_bytes(b"".join(lines_of(s)[:-1]))


def concatenate_two_receipts(s: Scene, _: Any) -> None:
    s["audit"].write_bytes(s["audit"].read_bytes() * 2)


def rewrite_the_whole_receipt(s: Scene, _: Any) -> None:
    rewrite(s, lambda b: b["track"].update(pixels=1))


def claim_another_toolchain(s: Scene, _: Any) -> None:
    rewrite(s, lambda b: b["genesis"]["toolchain"][1].update(version="17.0.0"))


def claim_another_toolchain_and_edit_an_entry(s: Scene, _: Any) -> None:
    claim_another_toolchain(s, _)
    rewrite(s, lambda b: b["track"].update(pixels=1))


def swap_two_outputs(s: Scene, command: Any) -> None:
    forge(s, command, lambda m: m["tracks"][1].update(review="rejected"))
    shutil.copy(s["kept audit"], s["audit"])


def encode_the_output_again(s: Scene, _: Any) -> None:
    again = s["output"].with_name("again.mp4")
    with av.open(str(s["output"])) as source, av.open(str(again), "w") as target:
        picture, sound = source.streams.video[0], source.streams.audio[0]
        new = target.add_stream("libx264", rate=25, options={"crf": "30", "bf": "0"})
        new.width, new.height, new.pix_fmt = picture.width, picture.height, picture.pix_fmt
        new.time_base = new.codec_context.time_base = picture.time_base
        copied = target.add_stream_from_template(sound)
        for packet in source.demux(picture, sound):
            if packet.stream is sound and packet.size:
                packet.stream = copied
                target.mux(packet)
            for frame in packet.decode() if packet.stream is picture else ():
                frame.pict_type = 0
                target.mux(new.encode(frame))
        target.mux(new.encode(None))
    again.replace(s["output"])


def add_a_subtitle_track(s: Scene, _: Any) -> None:
    again = s["output"].with_name("again.mp4")
    with av.open(str(s["output"])) as source, av.open(str(again), "w") as target:
        streams = {i.index: target.add_stream_from_template(i) for i in source.streams}
        words = target.add_mux_stream("mov_text")
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
        text = av.Packet(b"\x00\x04Jane")
        text.stream, text.pts, text.dts, text.duration = words, 0, 0, 10
        target.mux(text)
    again.replace(s["output"])
    account_for(s)


def write_into_a_sound_packet(s: Scene, _: Any) -> None:
    """A data element in the first packet of AAC, which no player shows."""
    again = s["output"].with_name("again.mp4")
    element = b"\x80\x04Jane"
    with av.open(str(s["output"])) as source, av.open(str(again), "w", format="mp4", options=FINE) as target:
        streams = {i.index: target.add_stream_from_template(i) for i in source.streams}
        written = False
        for packet in source.demux():
            if not packet.size:
                continue
            copy = packet
            if packet.stream.type == "audio" and not written:
                copy = av.Packet(element + bytes(packet))
                copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
                copy.time_base, written = packet.time_base, True
            copy.stream = streams[packet.stream_index]
            target.mux(copy)
    again.replace(s["output"])
    account_for(s)


def add_an_exif_block(s: Scene, _: Any) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretMake"
    with Image.open(s["output"]) as image:
        buffer = io.BytesIO()
        image.save(buffer, "PNG", exif=exif)
    s["output"].write_bytes(buffer.getvalue())
    account_for(s)


def hide_a_picture_behind_it(s: Scene, _: Any) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "JPEG")
    s["output"].write_bytes(s["output"].read_bytes() + buffer.getvalue())
    account_for(s)


def uncover_one_frame(s: Scene, command: Any) -> None:
    def change(m: dict[str, Any]) -> None:
        whole = m["tracks"][0]["segments"][0]
        box = whole["keys"][0]["box"]
        m["tracks"][0]["segments"] = [
            {"end": 12, "keys": [{"frame": 0, "box": box}]},
            {"end": whole["end"], "keys": [{"frame": 13, "box": box}]},
        ]

    forge(s, command, change)


def shift_a_cover_by_16_pixels(s: Scene, command: Any) -> None:
    def change(m: dict[str, Any]) -> None:
        m["tracks"][0]["segments"][0]["keys"][0]["box"][0] += 16

    forge(s, command, change)


def weaken_an_effect(s: Scene, command: Any) -> None:
    weaker = {"effect": "mosaic", "shape": "box", "cells": 8, "pad_permille": 0}
    forge(s, command, lambda m: m["tracks"][0].update(effect=weaker))


def unmute_200_ms(s: Scene, command: Any) -> None:
    forge(s, command, lambda m: m["audio"][0].update(start_ms=m["audio"][0]["start_ms"] + 200))


def change_a_note(s: Scene, _: Any) -> None:
    tree = json.loads(s["manifest"].read_text())
    tree["tracks"][0]["note"] = "seen by two people"
    s["manifest"].write_text(json.dumps(tree))


def use_another_manifest_with_the_same_plan(s: Scene, _: Any) -> None:
    tree = json.loads(s["manifest"].read_text())
    tree["tracks"][0].update(id="custom-0077", reviewer="nobody")
    s["manifest"].write_text(json.dumps(tree, indent=4))


def sign_with_another_key(s: Scene, command: Any) -> None:
    other = s["output"].with_name("other-key")
    assert command("keygen", "-o", other)[0] == 0
    out = s["output"].with_name("signed-by-other.mp4" if s["output"].suffix == ".mp4" else "signed-by-other.png")
    s["attestation"].unlink()
    arguments = [s["input"], s["manifest"], out, "--attest", s["attestation"], "--sign", other]
    assert command("render", *arguments)[0] == 0


def replay_an_attestation_on_another_output(s: Scene, command: Any) -> None:
    tree = json.loads(s["manifest"].read_text())
    tree["tracks"][0]["segments"][0]["keys"][0]["box"][1] += 2
    s["manifest"].write_text(json.dumps(tree))
    assert command("render", s["input"], s["manifest"], s["output"], "--force")[0] == 0
    s["head"].write_text(receipt.head(receipt.read(s["audit"].read_bytes())[1]))


VIDEO_ATTACKS: list[tuple[Callable[[Scene, Any], None], set[str]]] = [
    (edit_an_entry, {"chain"}),
    (drop_an_entry, {"chain"}),
    (insert_an_entry, {"chain"}),
    (reorder_two_entries, {"chain"}),
    (truncate_the_receipt, {"chain"}),
    (concatenate_two_receipts, {"chain"}),
    (rewrite_the_whole_receipt, {"anchor", "rerun"}),
    (claim_another_toolchain, {"anchor"}),
    (claim_another_toolchain_and_edit_an_entry, {"anchor", "rerun"}),
    (swap_two_outputs, {"files", "content"}),
    (encode_the_output_again, {"files"}),
    (add_a_subtitle_track, {"anchor", "content", "rerun"}),
    (write_into_a_sound_packet, {"anchor", "content", "rerun"}),
    (uncover_one_frame, {"anchor", "content", "rerun"}),
    (shift_a_cover_by_16_pixels, {"anchor", "content", "rerun"}),
    (weaken_an_effect, {"anchor", "content", "rerun"}),
    (unmute_200_ms, {"anchor", "content", "rerun"}),
    (change_a_note, {"files", "rerun"}),
    (use_another_manifest_with_the_same_plan, {"files", "rerun"}),
    (sign_with_another_key, {"anchor"}),
    (replay_an_attestation_on_another_output, {"anchor"}),
]
PICTURE_ATTACKS: list[tuple[Callable[[Scene, Any], None], set[str]]] = [
    (add_an_exif_block, {"anchor", "content", "rerun"}),
    (hide_a_picture_behind_it, {"anchor", "content", "rerun"}),
]


def arranged(folder: Path, media: Path, manifest: Any, command: Any) -> Scene:
    """One signed render of a file."""
    suffix = ".mp4" if media.suffix == ".mp4" else ".png"
    s = {"input": media, "manifest": folder / "m.json", "output": folder / f"out{suffix}"}
    s |= {n: folder / n for n in ("key", "attestation", "head", "kept audit")}
    s["audit"] = folder / f"out{suffix}.audit.jsonl"
    s["manifest"].write_bytes(writer.write(manifest))
    assert command("keygen", "-o", s["key"])[0] == 0
    arguments = [s["input"], s["manifest"], s["output"], "--attest", s["attestation"], "--sign", s["key"]]
    assert command("render", *arguments)[0] == 0
    s["head"].write_text(receipt.head(receipt.read(s["audit"].read_bytes())[1]))
    shutil.copy(s["audit"], s["kept audit"])
    return s


@pytest.fixture
def footage(clip: Any, make_manifest: Any, make_track: Any, command: Any, tmp_path: Path) -> Scene:
    media = clip("in.mp4", frames=30, size=(96, 64), audio="aac")
    tracks = (
        make_track(1, (8, 8, 40, 32), 30, keys=(Key(frame=0, box=(8, 8, 40, 32)),)),
        make_track(2, (56, 20, 32, 32), 20),
    )
    spoken = AudioRange(
        id="speech-0001",
        stream=None,
        label="speech",
        review="added",
        origin=Origin(by="hand"),
        start_ms=300,
        end_ms=800,
    )
    return arranged(tmp_path, media, make_manifest(media, tracks, audio=(spoken,)), command)


@pytest.fixture
def still(picture: Any, make_manifest: Any, make_track: Any, command: Any, tmp_path: Path) -> Scene:
    media = picture("in.png")
    return arranged(tmp_path, media, make_manifest(media, (make_track(1, (8, 8, 30, 20), 1),)), command)


def caught_by(s: Scene, command: Any) -> set[str]:
    """The levels at which a check fails, all of them asked for."""
    files = [f"--{name}={s[name]}" for name in ("input", "manifest", "output", "attestation")]
    asked = [*files, f"--key={s['key']}.pub", f"--head={s['head'].read_text()}", "--content", "--rerun", "--json"]
    code, out, err = command("verify", s["audit"], *asked)
    failed = {c["level"] for c in json.loads(out)["checks"] if c["status"] == "fail"}
    assert (code == 0) == (not failed), err
    return failed


def test_nothing_fails_where_nothing_was_done(footage: Scene, command: Any) -> None:
    assert caught_by(footage, command) == set()


def test_nothing_fails_on_an_untouched_picture(still: Scene, command: Any) -> None:
    assert caught_by(still, command) == set()


@pytest.mark.parametrize(("attack", "levels"), VIDEO_ATTACKS, ids=[a.__name__ for a, _ in VIDEO_ATTACKS])
def test_an_attack_on_footage_is_caught(attack: Any, levels: set[str], footage: Scene, command: Any) -> None:
    attack(footage, command)
    assert caught_by(footage, command) == levels


@pytest.mark.parametrize(("attack", "levels"), PICTURE_ATTACKS, ids=[a.__name__ for a, _ in PICTURE_ATTACKS])
def test_an_attack_on_a_picture_is_caught(attack: Any, levels: set[str], still: Scene, command: Any) -> None:
    attack(still, command)
    assert caught_by(still, command) == levels


@pytest.mark.parametrize("kept", range(1, 10))
def test_truncation_at_any_line_is_caught(kept: int, footage: Scene, command: Any) -> None:
    footage["audit"].write_bytes(b"".join(lines_of(footage)[:kept]))
    assert "chain" in caught_by(footage, command)


def table() -> str:
    """The attacks and the levels that catch them, as Markdown."""
    rows = ["| attack | " + " | ".join(LEVELS) + " |", "|---" * (len(LEVELS) + 1) + "|"]
    for attack, levels in VIDEO_ATTACKS + PICTURE_ATTACKS:
        cells = ["caught" if level in levels else "" for level in LEVELS]
        rows.append(f"| {attack.__name__.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def test_the_table_in_the_documents_is_this_one() -> None:
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    fresh = before + BEGIN + table() + END + after
    if os.environ.get("VERIDACT_WRITE_DOCS") == "1":
        DOCUMENT.write_text(fresh)
    assert text == fresh, "run this test once with VERIDACT_WRITE_DOCS=1"
