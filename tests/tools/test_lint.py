"""Each rule of lint finds its case, and only there."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.media.video import open_media
from veridact.schema import reader, timeline
from veridact.schema.manifest import AudioRange, Manifest
from veridact.tools import lint, lint_audio
from veridact.tools.edit import edits, operations

Document = Callable[[str], dict[str, Any]]
Example = Callable[[str], Manifest]


def _findings(manifest: Manifest) -> list[lint.Finding]:
    return lint.inspect(lint.Subject(manifest, timeline.from_manifest(manifest)))


def _edit(manifest: Manifest, text: str) -> Manifest:
    todo = operations.from_script(text.replace(" then ", "\n"), None)
    return edits.apply_all(manifest, todo, edits.EditContext(timeline.from_manifest(manifest)))


def test_a_clean_manifest_has_no_findings(example: Example) -> None:
    clean = _edit(example("minimal"), "effect label=default solid pad=150")
    assert _findings(clean) == []


CASES = {
    "a gap": ("street", "accept face-0001", ("gap", "face-0001", 181, 196)),
    "a proposed range": ("street", "accept face-0001", ("proposed", "person-name-0001", 12340, 12910)),
    "a short track": ("street", "add face 5-8 1,1,30,40", ("short", "face-0003", 5, 8)),
    "a track that ends in the middle": ("street", "accept face-0001", ("vanishes", "face-0001", 259, 260)),
    "a box cut by the edge": ("street", "accept face-0001", ("edge", "plate-0001", 400, 401)),
    "a box off the picture": ("street", "add face 5-20 900,1,30,40", ("edge", "face-0003", 5, 6)),
    "a jump": ("street", "move plate-0001 400,100,90,24 at 361", ("jump", "plate-0001", 360, 362)),
    "a blur": ("street", "accept face-0001", ("weak-effect", "person-0001", 810, 900)),
    "many cells": ("street", "effect face-0001 mosaic cells=7", ("weak-effect", "face-0001", 120, 260)),
    "little padding": ("street", "effect plate-0001 solid pad=99", ("weak-effect", "plate-0001", 300, 420)),
    "a beep close to the word": ("street", "effect person-name-0001 beep pad=10",
                                 ("weak-effect", "person-name-0001", 12340, 12910)),
    "a range after the end": ("street", "add email 100s-101s", ("outside", "email-0001", 100000, 101000)),
    "a proposed keep": ("everything-but-one-person", "accept keep-0001", ("proposed", "face-0001", 240, 330)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_rule_finds_its_case(case: str, example: Example) -> None:
    name, text, expected = CASES[case]
    assert expected in [(f.rule, f.item, f.start, f.end) for f in _findings(_edit(example(name), text))]


NOT_FOUND = {
    "a gap of a second": ("street", "retime face-0001 -181", "gap"),
    "a rejected item": ("street", "reject where score >= 0", "proposed"),
    "a track that leaves over the edge": ("street", "reject face-0001 then reject person-0001", "vanishes"),
    "a track that goes on to the end": ("minimal", "accept face-0001", "vanishes"),
    "a long track": ("street", "accept face-0001", "short"),
    "a slow move": ("street", "accept face-0001", "jump"),
    "a solid cover": ("minimal", "effect face-0001 solid", "weak-effect"),
}


@pytest.mark.parametrize("case", NOT_FOUND)
def test_a_rule_leaves_alone_what_is_fine(case: str, example: Example) -> None:
    name, text, rule = NOT_FOUND[case]
    assert rule not in {f.rule for f in _findings(_edit(example(name), text))}


def test_every_broken_rule_of_a_manifest_is_reported(document: Document) -> None:
    tree = document("street")
    tree["tracks"][0]["segments"][1]["end"] = 5000
    tree["audio"][0]["end_ms"] = 0
    findings = _findings(reader.validate(tree))
    assert [f.rule for f in findings[:2]] == ["invalid", "invalid"]
    assert "the source has 1394 frames" in findings[0].words + findings[1].words


def test_low_scores_and_unsearched_streams(document: Document) -> None:
    tree = document("hospital-interview")
    tree["tracks"][0]["origin"]["score"] = 499
    tree["output"]["streams"][2]["disposition"] = "render"
    found = {f.rule: f for f in _findings(reader.validate(tree))}
    assert found["low-score"].item == "face-0001"
    assert (found["unsearched"].stream, found["unsearched"].risk) == (2, 90)


SHARES = {
    "some": (211, "accept person-name-0001", [
        (1, 50, "stream 1: 22 % of the speech was not understood; listen to it")]),
    "nothing was understood": (1000, "accept person-name-0001", [
        (1, 90, "stream 1: 100 % of the speech was not understood; listen to it")]),
    "all was understood": (0, "accept person-name-0001", []),
    "all speech is covered": (211, "add speech 0s-20s stream=1", []),
    "all speech was to be covered": (211, "add speech 0s-20s stream=1 then reject speech-0001", [
        (1, 50, "stream 1: 22 % of the speech was not understood; listen to it")]),
}  # fmt: skip


@pytest.mark.parametrize(("share", "text", "expected"), SHARES.values(), ids=SHARES.keys())
def test_speech_that_was_not_understood(share: int, text: str, expected: list[Any], document: Document) -> None:
    tree = document("street")
    tree["producers"][1]["settings"]["stream_1_not_understood_permille"] = share
    found = _findings(_edit(reader.validate(tree), text))
    assert [(f.stream, f.risk, f.words) for f in found if f.rule == "not-understood"] == expected


def test_nothing_covered_is_the_greatest_risk_but_one(example: Example) -> None:
    first = _findings(_edit(example("minimal"), "reject face-0001"))[0]
    assert first.rule == "uncovered"


def test_the_queue_is_ordered_by_risk(example: Example) -> None:
    risks = [f.risk for f in _findings(example("street"))]
    assert risks == sorted(risks, reverse=True)
    assert len(set(risks)) > 3


def _loudness(*parts: tuple[int, float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.concatenate([np.full(ms // lint_audio.STEP_MS, level) for ms, level in parts])


CUTS = {
    "silence on both sides": (((200, 0.0), (300, 0.2), (200, 0.0)), (False, False)),
    "a word that began before": (((200, 0.2), (300, 0.2), (200, 0.0)), (True, False)),
    "a word that goes on": (((200, 0.0), (300, 0.2), (200, 0.15)), (False, True)),
    "a dip at both ends": (((160, 0.2), (40, 0.01), (300, 0.2), (40, 0.01), (160, 0.2)), (False, False)),
    "noise throughout": (((700, 0.001),), (False, False)),
}


@pytest.mark.parametrize("case", CUTS)
def test_a_cut_word_is_loud_on_both_sides(case: str) -> None:
    parts, expected = CUTS[case]
    assert lint_audio.cut_ends(_loudness(*parts), 200, 500) == expected


def test_a_range_over_the_whole_sound_cuts_nothing() -> None:
    assert lint_audio.cut_ends(_loudness((500, 0.2)), 0, 500) == (False, False)


OVERLAPS = {
    "one range in the sound": ([(400, 600)], [("a", 400), ("a", 600)]),
    "a name within a number": ([(100, 900), (400, 600)], [("a", 100), ("a", 900)]),
    "two that overlap": ([(100, 500), (400, 900)], [("a", 100), ("b", 900)]),
    "two that meet": ([(100, 500), (500, 900)], [("a", 100), ("b", 900)]),
    "two apart": ([(100, 400), (500, 900)], [("a", 100), ("a", 400), ("b", 500), ("b", 900)]),
}


@pytest.mark.parametrize("case", OVERLAPS)
def test_what_another_range_covers_cuts_no_word(case: str, document: Document) -> None:
    """A tone throughout: whatever begins or ends in it and is not itself covered is reported."""
    ends, expected = OVERLAPS[case]
    given = document("street")["audio"][0]
    items = [
        AudioRange.model_validate({**given, "id": f"person-name-{n:04}", "start_ms": a, "end_ms": b})
        for n, (a, b) in enumerate(ends, 1)
    ]
    names = {item.id: letter for item, letter in zip(items, "abc", strict=False)}
    found = lint_audio.cut_words(items, 1, _loudness((1000, 0.2)))
    assert [(names[f.item or ""], f.start) for f in found] == expected


def test_sound_is_heard_in_a_real_file(tmp_path: Path, document: Document) -> None:
    """A tone from 1 s to 2 s: a range that begins in it cuts, one around it does not."""
    rate = 8000
    t = np.arange(3 * rate) / rate
    tone = (np.sin(2 * np.pi * 300 * t) * 12000 * ((t >= 1) & (t < 2))).astype(np.int16)
    path = tmp_path / "tone.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_media(path) as media:
        loud = lint_audio.loudness(media, 0, Fraction(0))
    assert lint_audio.cut_ends(loud, 1500, 2500) == (True, False)
    assert lint_audio.cut_ends(loud, 900, 2100) == (False, False)
    assert lint_audio.cut_ends(loud, 900, 1500) == (False, True)
