"""For random manifests: what `render` silences, what `diff` calls silent, what the receipt and `verify` say is one set.

Each is compared with an oracle that asks the contract about single samples (`oracle.is_hidden`).
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plan import oracle
from veridact.audit.audio_content import EDGE_MS, audible_spans
from veridact.media.containers import MUXERS, codec_header
from veridact.media.sniff import Format
from veridact.media.video import MediaFile, open_media
from veridact.render import streams as footage
from veridact.render.audio.aac_constants import WINDOW_SAMPLES
from veridact.render.audio.ancillary import codecs
from veridact.render.audio.stream import AudioOutput, render_audio
from veridact.schema import reader, rules
from veridact.schema.manifest import AudioStream, Manifest
from veridact.schema.plan import audibility, audio, dispositions
from veridact.schema.plan.audio import SoundPlan, Span, covered_samples
from veridact.tools import diff

RATES_HZ = (8000, 11025, 44100, 48000)
LABELS = ("email", "date", "speech", "custom")
NO_MEDIA = MediaFile(-1, 0, Format("ffmpeg", "wav"), "")


def steady(examples: int) -> settings:
    """The same examples on every run and machine."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def audio_stream(index: int, rate_hz: int) -> dict[str, Any]:
    return {
        "index": index, "type": "audio", "codec": "pcm_s16le", "sample_rate": rate_hz, "channels": 1,
        "duration_ms": 1000, "searched": True,
    }  # fmt: skip


EFFECTS = st.builds(
    lambda effect, pad_ms: {"effect": effect, "pad_ms": pad_ms},
    st.sampled_from(["silence", "beep"]),
    st.sampled_from([0, 1, 7, 80, 333]),
)


def manifest_of(rates_hz: tuple[int, ...], audio: list[dict[str, Any]], **fields: Any) -> Manifest:
    """A manifest of streams of sound alone, all of them rendered unless `dropped` names some."""
    dropped = fields.pop("dropped", ())
    streams = [{"index": i, "disposition": "drop" if i in dropped else "render"} for i in range(len(rates_hz))]
    tree = {
        "schema": "veridact.manifest/1",
        "source": {
            "kind": "audio", "sha256": "0" * 64, "bytes": 1,
            "streams": [audio_stream(i, rate) for i, rate in enumerate(rates_hz)],
        },
        "producers": [],
        "output": {"container": "mkv", "streams": streams},
        "scope": "listed",
        "effects": {"audio": {"default": {"effect": "silence", "pad_ms": 0}}},
        "tracks": [],
        "audio": [{"id": f"{item['label']}-{n:04}", **item} for n, item in enumerate(audio, 1)],
        "ext": {},
        **fields,
    }  # fmt: skip
    manifest = reader.validate(tree)
    rules.check(manifest)
    return manifest


def item(label: str, start_ms: int, end_ms: int, **fields: Any) -> dict[str, Any]:
    base = {"stream": None, "label": label, "review": "added", "origin": {"by": "hand"}}
    return {**base, "start_ms": start_ms, "end_ms": end_ms, **fields}


def keep(start_ms: int, end_ms: int) -> dict[str, Any]:
    return item("keep", start_ms, end_ms)


@st.composite
def items(draw: st.DrawFn, streams: int, labels: tuple[str, ...]) -> dict[str, Any]:
    """A range that may begin at 0 and end after the sound, of any review state, some with an effect of their own."""
    label, start_ms = draw(st.sampled_from(labels)), draw(st.integers(0, 40) | st.integers(0, 1200))
    fields = {
        "stream": draw(st.sampled_from([None, *range(streams)])),
        "review": draw(st.sampled_from(["proposed", "accepted", "edited", "added", "rejected"])),
    }
    own = draw(st.none() | EFFECTS) if label != "keep" else None
    length_ms = draw(st.integers(1, 30) | st.integers(1, 400))
    return item(label, start_ms, start_ms + length_ms, **fields, **({"effect": own} if own else {}))


@st.composite
def manifests(draw: st.DrawFn, rates_hz: tuple[int, ...] = ()) -> Manifest:
    """A manifest of one to three streams, of which some may be dropped; `rates_hz` fixes the streams."""
    rates = rates_hz or tuple(draw(st.lists(st.sampled_from(RATES_HZ), min_size=1, max_size=3)))
    scope = draw(st.sampled_from(["listed", "everything"]))
    labels = (*LABELS, "keep", "keep") if scope == "everything" else LABELS
    audio = draw(st.lists(items(len(rates), labels), max_size=7))
    effects = {"default": draw(EFFECTS), "email": draw(EFFECTS), "date": draw(EFFECTS)}
    dropped = draw(st.sets(st.integers(1, 2)))
    return manifest_of(rates, audio, scope=scope, effects={"audio": effects}, dropped=dropped)


def sound_streams(manifest: Manifest) -> list[AudioStream]:
    return [s for s in manifest.source.streams if isinstance(s, AudioStream)]


def covered(manifest: Manifest, stream: AudioStream) -> audibility.Spans:
    """What `render` covers in a stream from sample 0 on, silence and beep alike."""
    spans = covered_samples(audio.sound_plan(manifest, stream.index), stream.sample_rate)
    return audibility.joined([(max(0, s.start), s.end) for s in spans])


@steady(400)
@given(manifests())
def test_render_covers_and_diff_calls_hidden_just_the_samples_of_the_contract(manifest: Manifest) -> None:
    for stream in sound_streams(manifest):
        expected = oracle.hidden_samples(manifest, stream)
        assert covered(manifest, stream) == expected
        assert audibility.hidden(manifest, stream) == expected


@steady(400)
@given(manifests(), st.data())
def test_a_sample_is_hidden_exactly_when_the_contract_says_so(manifest: Manifest, data: st.DataObject) -> None:
    for stream in sound_streams(manifest):
        spans = audibility.hidden(manifest, stream)
        edges = [at for span in spans for at in span if at < audibility.END]
        near = st.sampled_from(edges) if edges else st.just(0)
        for offset in (-1, 0, 1):
            sample = max(0, data.draw(near | st.integers(0, 2 * stream.sample_rate)) + offset)
            inside = any(start <= sample < end for start, end in spans)
            assert inside == oracle.is_hidden(manifest, stream, sample)


@steady(200)
@given(manifests((11025, 48000)), manifests((11025, 48000)))
def test_diff_reports_every_sample_that_becomes_audible_and_no_other(a: Manifest, b: Manifest) -> None:
    changes = diff.compare(a, b)
    both = set(dispositions.rendered_indexes(a)) & set(dispositions.rendered_indexes(b))
    for stream in sound_streams(a):
        reported = [
            (c.start, c.end)
            for c in changes
            if c.kind == "audible" and c.stream == stream.index and c.start is not None
        ]
        was, now = (oracle.hidden_samples(m, stream) for m in (a, b))
        revealed = audibility.without(was, now) if stream.index in both else []
        assert reported == [audibility.rounded_ms(span, stream.sample_rate) for span in revealed]
        for (start_ms, end_ms), (start, end) in zip(reported, revealed, strict=True):
            assert abs(start_ms - Fraction(1000 * start, stream.sample_rate)) <= Fraction(1, 2)
            assert end_ms is None or abs(end_ms - Fraction(1000 * end, stream.sample_rate)) <= 1


@steady(200)
@given(manifests())
def test_the_receipt_names_the_samples_that_are_covered_and_kept(manifest: Manifest) -> None:
    streams = [s for s in sound_streams(manifest) if s.index in dispositions.rendered_indexes(manifest)]
    outs = [audio_out(s, audio.sound_plan(manifest, s.index)) for s in streams]
    entries = footage._ranges(manifest, outs)
    for stream in streams:
        hidden, kept = [], []
        for number, one in enumerate(manifest.audio):
            spans = [
                (e["start_sample"], e["end_sample"]) for e in entries.get(number, ()) if e["stream"] == stream.index
            ]
            if spans:
                (kept if one.label == "keep" else hidden).append((max(0, spans[0][0]), spans[0][1]))
        ground = audibility.without([(0, audibility.END)], kept) if manifest.scope == "everything" else []
        assert audibility.joined([*ground, *hidden]) == oracle.hidden_samples(manifest, stream)


def audio_out(stream: AudioStream, plan: SoundPlan) -> AudioOutput:
    """A decided stream of which nothing is read."""
    return AudioOutput(
        NO_MEDIA, stream.index, plan, Fraction(0), "wav", "re-encoded", "", stream.codec, stream.codec,
        stream.sample_rate, 1, "mono", None, None, None,
    )  # fmt: skip


def write_sound(path: Path, codec: str, rate_hz: int, samples: int) -> Path:
    """Sound without one silent sample: a loud square that never rests at 0."""
    values = np.where(np.arange(samples) // 9 % 2, 9000, -7000).astype("<i2") + (np.arange(samples) % 13).astype("<i2")
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout="mono")
        size = 1024
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate_hz, size)
        frame = av.AudioFrame.from_ndarray(values.reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path


def decoded(path: Path) -> np.ndarray[Any, Any]:
    with av.open(str(path)) as container:
        return np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(audio=0)])


def packets_of(path: Path) -> dict[int, bytes]:
    """The packets of sound by their timestamps, in samples."""
    with av.open(str(path)) as container:
        return {p.pts: bytes(p) for p in container.demux(audio=0) if p.size and p.pts is not None}


def cleaned(path: Path) -> dict[int, bytes]:
    """The packets of AAC by their timestamps, with zeros for what is no sound: so they are copied."""
    with open_media(path) as media:
        header = codec_header(media, 0)
    packets = packets_of(path)
    return dict(zip(packets, (data for data, _ in codecs.clean("aac", header, iter(packets.values()))), strict=True))


def render_to(source: Path, plan: SoundPlan, container: str, target: Path) -> Path:
    with open_media(source) as media:
        out = render_audio(media, 0, plan, Fraction(0), container)
        with av.open(str(target), "w", format=MUXERS[container], options={"fflags": "+bitexact"}) as output:
            stream = out.add_to(output)
            for packet in out.packets(stream):
                output.mux(packet)
    return target


def audible(path: Path, plan: SoundPlan) -> list[Span]:
    with open_media(path) as media:
        return list(audible_spans(media, 0, plan, Fraction(0)))


def mask_of(spans: audibility.Spans, count: int) -> np.ndarray[Any, Any]:
    mask = np.zeros(count, bool)
    for start, end in spans:
        mask[start:end] = True
    return mask


def checked(plan: SoundPlan, rate_hz: int, samples: int) -> list[Span]:
    """What `verify` has to hear of a cover within the sound: not its outermost `EDGE_MS`."""
    edge = rate_hz * EDGE_MS // 1000
    inner = [Span(s.start + edge, s.end - edge, s.effect) for s in covered_samples(plan, rate_hz)]
    cut = [Span(max(0, s.start), min(samples, s.end), s.effect) for s in inner if s.start < s.end]
    return [s for s in cut if s.start < s.end]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sound")


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_every_hidden_sample_is_covered_and_every_other_is_untouched(rate_hz: int, folder: Path) -> None:
    source = write_sound(folder / f"{rate_hz}.wav", "pcm_s16le", rate_hz, rate_hz)
    before = decoded(source)

    @steady(25)
    @given(manifests((rate_hz,)))
    def check(manifest: Manifest) -> None:
        plan, (stream,) = audio.sound_plan(manifest, 0), sound_streams(manifest)
        target = render_to(source, plan, "wav", folder / f"out{rate_hz}.wav")
        after, hidden = decoded(target), mask_of(audibility.hidden(manifest, stream), len(before))
        assert np.array_equal(after[~hidden], before[~hidden])
        silent = mask_of(
            [(s.start, s.end) for s in covered_samples(plan, rate_hz) if s.effect == "silence"], len(before)
        )
        assert not after[silent & hidden].any()
        assert np.abs(after[hidden].astype(int)).max(initial=0) < 6000  # the tone, an eighth of full scale
        assert audible(target, plan) == []
        assert bool(audible(source, plan)) == bool(checked(plan, rate_hz, len(before)))

    check()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_just_the_aac_packets_that_touch_a_cover_are_replaced(rate_hz: int, folder: Path) -> None:
    source = write_sound(folder / f"{rate_hz}.m4a", "aac", rate_hz, rate_hz)
    before = cleaned(source)

    @steady(12)
    @given(manifests((rate_hz,)))
    def check(manifest: Manifest) -> None:
        plan, (stream,) = audio.sound_plan(manifest, 0), sound_streams(manifest)
        target = render_to(source, plan, "m4a", folder / f"out{rate_hz}.m4a")
        after, spans = decoded(target), audibility.hidden(manifest, stream)
        silent = [(max(0, s.start), s.end) for s in covered_samples(plan, rate_hz) if s.effect == "silence"]
        assert np.abs(after[mask_of(silent, len(after))]).max(initial=0) < 1e-6
        assert np.abs(after[mask_of(spans, len(after))]).max(initial=0) < 0.2
        packets = packets_of(target)
        assert packets.keys() == before.keys()
        whole = covered_samples(plan, rate_hz)
        for pts, data in packets.items():
            touched = any(s.start < pts + WINDOW_SAMPLES and pts < s.end for s in whole)
            assert (data == before[pts]) == (not touched)
        assert audible(target, plan) == []

    check()


@pytest.mark.parametrize("rate_hz", [11025, 48000])
def test_where_the_clock_is_coarser_than_a_sample_covers_grow_by_its_tick(rate_hz: int, folder: Path) -> None:
    """Matroska counts milliseconds: a cover may begin and end up to two ticks further out, never further in."""
    source = write_sound(folder / f"{rate_hz}.mkv", "pcm_s16le", rate_hz, rate_hz)
    before, ticks = decoded(source), 2 * -(-rate_hz // 1000)

    @steady(15)
    @given(manifests((rate_hz,)))
    def check(manifest: Manifest) -> None:
        plan, (stream,) = audio.sound_plan(manifest, 0), sound_streams(manifest)
        target = render_to(source, plan, "wav", folder / f"coarse{rate_hz}.wav")
        after, spans = decoded(target), audibility.hidden(manifest, stream)
        assert np.abs(after[mask_of(spans, len(after))].astype(int)).max(initial=0) < 6000
        whole = covered_samples(plan, rate_hz)  # in scope `everything` from before the first sample on
        wider = mask_of([(max(0, s.start - ticks), max(0, s.end + ticks)) for s in whole], len(before))
        assert np.array_equal(after[~wider], before[~wider])
        assert audible(target, plan) == []

    check()


def spans_of(manifest: Manifest) -> audibility.Spans:
    (stream,) = sound_streams(manifest)
    return audibility.hidden(manifest, stream)


def test_two_keeps_that_meet_within_a_sample_do_not_keep_that_sample() -> None:
    """At 11025 Hz, 10 ms lie within sample 110: `render` silences it, and one keep instead of the two reveals it."""
    both = manifest_of((11025,), [keep(0, 10), keep(10, 20)], scope="everything")
    one = manifest_of((11025,), [keep(0, 20)], scope="everything")
    assert spans_of(both) == [(110, 111), (220, audibility.END)]
    (change,) = [c for c in diff.compare(both, one) if c.kind == "audible"]
    assert (change.start, change.end) == (10, 11)


def test_a_range_shorter_than_a_sample_hides_all_of_it() -> None:
    assert spans_of(manifest_of((900,), [item("email", 1, 2)])) == [(0, 2)]


def test_padding_that_goes_below_0_ends_where_the_sound_begins() -> None:
    padded = item("email", 10, 20, effect={"effect": "silence", "pad_ms": 333})
    assert spans_of(manifest_of((8000,), [padded])) == [(0, 353 * 8)]


def test_the_receipt_says_that_a_keep_shrinks_inward() -> None:
    """At 44.1 kHz, 1 to 3 ms are samples 44.1 to 132.3, of which 45 to 132 are kept; a cover would take 44 to 133."""
    manifest = manifest_of((44100,), [keep(1, 3), keep(0, 1), item("email", 1, 3)], scope="everything")
    (stream,) = sound_streams(manifest)
    entries = footage._ranges(manifest, [audio_out(stream, audio.sound_plan(manifest, 0))])
    assert entries[0] == [{"stream": 0, "start_sample": 45, "end_sample": 132}]
    assert entries[1] == [{"stream": 0, "start_sample": 0, "end_sample": 44}]
    assert entries[2] == [{"stream": 0, "start_sample": 44, "end_sample": 133}]


def test_a_keep_that_holds_no_whole_sample_is_an_empty_span_in_the_receipt() -> None:
    manifest = manifest_of((900,), [keep(1, 2)], scope="everything")
    (stream,) = sound_streams(manifest)
    entries = footage._ranges(manifest, [audio_out(stream, audio.sound_plan(manifest, 0))])
    assert entries[0] == [{"stream": 0, "start_sample": 1, "end_sample": 1}]
