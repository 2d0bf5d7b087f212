"""From speech to a hidden number: located by the embedded recogniser, rendered, and transcribed again.

stream 1    "my card number is" ████ card ████
stream 2 L  ████ phone ████                         distinct channels, transcribed separately
         R  a sentence without a number
"""

import re
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from veridact.locate.speech.pipeline import SpeechOptions, locate_speech
from veridact.locate.speech.ranges import overlap_ms
from veridact.media.containers import codec_header
from veridact.media.probe import codec_name
from veridact.media.video import demux, open_media
from veridact.render.audio.ancillary import codecs
from veridact.tools import manifest_file

RATE_HZ = 44100
CARD = "five one zero five, one zero five one, zero five one zero, five one zero zero"
PHONE = "six four six, nine three one, seven zero two eight"
NUMBERS = "phone_number,credit_card,iban,id_number"
PACKET_MS = 1024 * 1000 // RATE_HZ + 1
Spans = list[tuple[int, int]]


def write_film(path: Path, tracks: list[np.ndarray]) -> Path:
    """An MP4 of grey pictures, with (channels, samples) as streams of AAC."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as out:
        video = out.add_stream("libx264", rate=5, width=64, height=48, pix_fmt="yuv420p")
        sounds = []
        for samples in tracks:
            layout = "mono" if len(samples) == 1 else "stereo"
            sounds.append((out.add_stream("aac", rate=RATE_HZ, layout=layout), samples, layout))
        for number in range(max(s.shape[1] for s in tracks) * 5 // RATE_HZ):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for stream, samples, layout in sounds:
            frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), "s16", layout)
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
            resampler = av.AudioResampler("fltp", layout, RATE_HZ, 1024)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                out.mux(stream.encode(part))
            out.mux(stream.encode(None))
    return path


def packets(path: Path, index: int) -> dict[int, bytes]:
    """The packets of a stream by the millisecond at which they are shown."""
    with av.open(str(path)) as container:
        stream = container.streams[index]
        return {round(p.pts * p.time_base * 1000): bytes(p) for p in container.demux(stream) if p.size}


def cleaned(path: Path, index: int) -> dict[int, bytes]:
    """As `packets`, with zeros for what is no sound: so they are copied."""
    with open_media(path) as media, demux(media) as container:
        header, codec = codec_header(media, index), codec_name(container.streams[index])
    before = packets(path, index)
    return dict(zip(before, (data for data, _ in codecs.clean(codec, header, iter(before.values()))), strict=True))


def samples(path: Path, index: int) -> np.ndarray:
    """(channels, samples) in ±1."""
    with av.open(str(path)) as container:
        return np.concatenate([f.to_ndarray() for f in container.decode(container.streams[index])], axis=1)


def found(path: Path, index: int) -> Spans:
    with open_media(path) as media:
        options = SpeechOptions(labels=tuple(NUMBERS.split(",")))
        ranges = locate_speech(media, options, lambda *progress: None).ranges
    return [(r.start_ms, r.end_ms) for r in ranges if r.stream == index]


@pytest.fixture(scope="module")
def film(synthesize, tmp_path_factory) -> tuple[Path, dict[int, tuple[int, int]]]:
    """The film, and the half-open milliseconds of the number in each of its streams."""
    texts = ("my card number is", CARD, PHONE, "we walked along the river until it rained")
    lead, card, phone, rest = (np.repeat(synthesize(t), 2) for t in texts)
    length = min(len(phone), len(rest))
    second = np.stack([phone, np.concatenate([rest[:length], np.zeros(len(phone) - length, np.int16)])])
    first = np.concatenate([lead, card, np.repeat(synthesize("thank you very much for your help"), 2)])
    path = write_film(tmp_path_factory.mktemp("film") / "call.mp4", [first[None], second])
    ms = [len(part) * 1000 // RATE_HZ for part in (lead, card, phone)]
    return path, {1: (ms[0], ms[0] + ms[1]), 2: (0, ms[2] - 500)}


SPOKEN = ("5105", "510 5", "646", "9317", "five one", "six four", "river", "rained", "thank")
"""What must stand in nothing that is written: the numbers as digits and as words, and words from around them."""


def assert_hidden(out: Path, index: int, covered: Spans, effect: str) -> None:
    """Every channel is silent, or beeps alike, wherever a range is."""
    sound = samples(out, index)
    for a, b in covered:
        inside = sound[:, a * RATE_HZ // 1000 : min(b * RATE_HZ // 1000, sound.shape[1])]
        if effect == "silence":
            assert np.abs(inside).max() < 1e-4
        else:
            assert np.abs(inside - inside[:1]).max() < 1e-4
            middle = np.abs(np.fft.rfft(inside[0] * np.hanning(inside.shape[1])))
            peak = int(middle.argmax())
            assert (middle[max(0, peak - 8) : peak + 9] ** 2).sum() > 0.999 * (middle**2).sum()


@pytest.mark.parametrize("effect", ["silence", "beep"])
def test_located_numbers_are_gone_and_the_rest_is_untouched(effect, film, command, tmp_path, monkeypatch):
    path, numbers = film
    manifest, out = tmp_path / "m.json", tmp_path / "out.mp4"
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    effects = [argument for label in NUMBERS.split(",") for argument in ("--effect", f"{label}={effect}")]
    assert command("locate", "--labels", NUMBERS, *effects, "--quiet", path, "-o", manifest) == (0, "", "")
    ranges = manifest_file.read_path(manifest).manifest.audio
    code, _, err = command("render", path, manifest, out)
    assert code == 0, err
    written = err + manifest.read_text() + Path(f"{out}.audit.jsonl").read_text()
    assert not [text for text in SPOKEN if text in re.sub("[0-9a-f]{32,}", "digest", written)]
    assert list(temporary.iterdir()) == []
    for index, (start, end) in numbers.items():
        covered = [(r.start_ms, r.end_ms) for r in ranges if r.stream == index]
        assert overlap_ms([(start, end)], covered) >= 0.95 * (end - start)
        assert_hidden(out, index, covered, effect)
        before, after = cleaned(path, index), packets(out, index)
        hidden = [(a - 80 - 3 * PACKET_MS, b + 80 + 3 * PACKET_MS) for a, b in covered]
        outside = [ms for ms in before if overlap_ms([(ms, ms + PACKET_MS)], hidden) == 0]
        assert len(outside) > 10 or index == 2
        assert all(after[ms] == before[ms] for ms in outside)
        assert overlap_ms(found(out, index), covered) == 0
