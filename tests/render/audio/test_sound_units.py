from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from veridact.render.audio.aac_constants import CONFIGURATIONS, RATES_HZ, TONES, Element, access_unit
from veridact.render.audio.tone import PERIOD_SAMPLES, cycles, tone
from veridact.schema.plan.audio import Effect


def config_bytes(rate: int, configuration: int) -> bytes:
    return (2 << 11 | RATES_HZ.index(rate) << 7 | configuration << 3).to_bytes(2, "big")


def decoded(configuration: int, rate: int, effect: Effect, decoder: str = "aac") -> np.ndarray[Any, Any]:
    """Six constant access units, decoded: (channels, samples)."""
    context = av.CodecContext.create(decoder, "r")
    context.extradata = config_bytes(rate, configuration)
    parts = []
    for number in range(6):
        packet = av.Packet(access_unit(CONFIGURATIONS[configuration], rate, effect))
        packet.pts, packet.time_base = number * 1024, Fraction(1, rate)
        for frame in context.decode(packet):
            dtype = "f4" if decoder == "aac" else "i4"
            planes = range(frame.layout.nb_channels)
            parts.append(np.stack([np.frombuffer(memoryview(frame.planes[c]), dtype, frame.samples) for c in planes]))
    return np.concatenate(parts, axis=1)


EVERY = [(c, r) for c in CONFIGURATIONS for r in ((48000, 44100) if c > 2 else RATES_HZ)]


@pytest.mark.parametrize(("configuration", "rate"), EVERY)
def test_silence_decodes_to_exact_zero(configuration: int, rate: int) -> None:
    samples = decoded(configuration, rate, "silence")
    assert samples.shape == (sum(2 if e.kind == "cpe" else 1 for e in CONFIGURATIONS[configuration]), 6 * 1024)
    assert not samples.any()


@pytest.mark.parametrize(("configuration", "rate"), EVERY)
@pytest.mark.parametrize("decoder", ["aac", "aac_fixed"])
def test_a_beep_is_a_pure_steady_tone_on_every_channel_but_the_low_one(
    configuration: int, rate: int, decoder: str
) -> None:
    samples = decoded(configuration, rate, "beep", decoder) / (1.0 if decoder == "aac" else float(1 << 31))
    steady = samples[:, 2048:]
    assert np.array_equal(steady[:, :1024], steady[:, 1024:2048])
    low = [c for c, e in enumerate(decoded(configuration, rate, "beep")[:, 2048:]) if not e.any()]
    assert len(low) == sum(e.kind == "lfe" for e in CONFIGURATIONS[configuration])
    for channel, sound in enumerate(steady[:, :1024]):
        if channel in low:
            continue
        power = np.abs(np.fft.rfft(sound)) ** 2
        assert power.argmax() == TONES[rate].cycles
        assert power[TONES[rate].cycles] / power.sum() > 0.999
        assert 0.1 < np.abs(sound).max() < 0.2
    assert 900 < TONES[rate].cycles * rate / 1024 < 1100


def test_the_table_of_access_units(snapshot: SnapshotAssertion) -> None:
    table = {
        f"{rate} Hz, configuration {configuration}, {effect}": access_unit(elements, rate, effect).hex()
        for effect in ("silence", "beep")
        for configuration, elements in CONFIGURATIONS.items()
        for rate in RATES_HZ
    }
    assert table == snapshot


def test_instance_tags_are_those_of_the_stream() -> None:
    unit = access_unit((Element("sce", 5),), 48000, "silence")
    assert unit[0] >> 5 == 0
    assert unit[0] >> 1 & 15 == 5


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 44100, 48000, 96000, 192000])
def test_the_tone_of_whole_numbers_is_a_sine(rate: int) -> None:
    steps = np.arange(3 * PERIOD_SAMPLES)
    true = np.sin(2 * np.pi * cycles(rate) * steps / PERIOD_SAMPLES) * (1 << 20)
    assert np.abs(tone(0, len(steps), rate, "s32") / 256.0 - true).max() <= 0.51
    assert np.array_equal(tone(0, 2048, rate, "s16")[700:], tone(700, 1348, rate, "s16"))
    assert np.abs(tone(0, 1024, rate, "flt") * (1 << 23) - true[:1024]).max() <= 0.51
    assert abs(int(tone(0, 1024, rate, "u8").astype(int).mean()) - 128) <= 1
