"""What `locate` was asked to do, checked before any file is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from pydantic import BaseModel

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import Request
from veridact.locate.speech.pipeline import DEFAULT_HEARD, HEARD_LABELS, HearOptions
from veridact.locate.video.thresholds import Thresholds
from veridact.schema.manifest import (
    AudioEffect,
    AudioEffects,
    Cells,
    Container,
    Solid,
    VideoEffect,
    VideoEffects,
    VideoLabel,
)

SEEN_LABELS = tuple(label for label in get_args(VideoLabel) if label != "keep")
DEFAULT_SEEN = ("face", "plate")
DEFAULT_LABELS = (*DEFAULT_SEEN, *DEFAULT_HEARD)
LABELS = tuple(dict.fromkeys((*SEEN_LABELS, *HEARD_LABELS)))
LINK_OF_START = 0.5
"""A detection may continue a track when it scores this part of what a track must reach once."""

START = 0.4
STILL_START = 0.3
STILL_TEXT_START = 0.4
"""What a track in footage, and a thing or a line of text in a picture that has no frames to confirm it, must reach by
default. Lines below 0.4 are seldom text, and some would cover a quarter of the picture."""


@dataclass(frozen=True)
class Options:
    """The options of the command line, by their names; `thresholds` by label, from 0 to 1, `stride` None for auto.

    Raises `UsageError` for what would be without effect, and `MissingModelError` where `custom` is left to nobody.
    """

    labels: tuple[str, ...] = DEFAULT_LABELS
    detectors: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    stride: int | None = None
    pad_frames: int = 3
    effects: Mapping[str, VideoEffect | AudioEffect] = field(default_factory=dict)
    profile: str = "h264"
    container: Container | None = None
    device: str = "cpu"
    allow_upload: bool = False
    text: str | None = None
    workers: int = 1
    hearing: HearOptions = field(default_factory=HearOptions)

    def __post_init__(self) -> None:
        idle = [f"--threshold {label}" for label in self.thresholds if label not in self.labels]
        idle += ["--text"] if self.text is not None and "text" not in self.labels else []
        if idle:
            label = idle[0].partition(" ")[2] or "text"
            raise UsageError(f"{idle[0]} has no effect unless --labels asks for {label}; add it to --labels")
        if not self.heard and (unheard := self.hearing.asked_for):
            raise UsageError(
                f"{unheard[0]} has no effect unless --labels asks for something that is said, one of "
                + ", ".join(HEARD_LABELS)
            )
        if "custom" in self.labels and not self.detectors and self.hearing.deny_words is None:
            raise MissingModelError(
                "nothing at hand finds the label custom; name a --detector or --deny-words, or leave it out of --labels"
            )

    @property
    def seen(self) -> tuple[str, ...]:
        """The labels to look for; `custom` is a word to listen for unless a detector is named."""
        return tuple(x for x in self.labels if x in SEEN_LABELS and (x != "custom" or self.detectors))

    @property
    def heard(self) -> tuple[str, ...]:
        """The labels to listen for."""
        return tuple(x for x in self.labels if x in HEARD_LABELS)

    def thresholds_of(self, label: str, still: bool) -> Thresholds:
        """What detections of a label must score, in a still or in footage."""
        in_stills = STILL_TEXT_START if label == "text" else STILL_START
        start = self.thresholds.get(label, in_stills if still else START)
        return Thresholds(start, start if still else start * LINK_OF_START)

    def all_thresholds(self, still: bool) -> dict[str, Thresholds]:
        """The thresholds of every label that is asked for."""
        return {label: self.thresholds_of(label, still) for label in self.seen}

    @property
    def request(self) -> Request:
        """What is asked of every back end."""
        links = {label: self.thresholds_of(label, still=False).link for label in self.seen}
        pii = self.text == "pii"
        return Request("", frozenset(self.seen), self._floor(), self.device, self.allow_upload, pii, links=links)

    def _floor(self) -> float:
        """The least score that any label can use."""
        both = [self.thresholds_of(label, still) for label in self.seen for still in (True, False)]
        return min((t.link for t in both), default=1.0)


VIDEO_EFFECTS = VideoEffects(
    default=Solid(effect="solid", shape="box", pad_permille=150),
    face=Solid(effect="solid", shape="ellipse", pad_permille=200),
)
AUDIO_EFFECTS = AudioEffects(default=AudioEffect(effect="silence", pad_ms=80))
CELLS = 6


def parse_labels(text: str) -> tuple[str, ...]:
    """`face,plate` as labels; raises `UsageError` for one that is unknown."""
    labels = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for label in labels:
        if label not in LABELS:
            raise UsageError(f"there is no label {label!r}; choose from {', '.join(LABELS)}")
    if not labels:
        raise UsageError("--labels names no label")
    return labels


def parse_threshold(text: str) -> tuple[str, float]:
    """`face=0.3` as a label and a score."""
    label, _, number = text.partition("=")
    try:
        score = float(number)
    except ValueError:
        score = -1.0
    if label not in SEEN_LABELS or not 0 < score <= 1:
        raise UsageError(f"--threshold {text}: expected LABEL=SCORE with a score above 0 and up to 1, like face=0.3")
    return label, score


def _effect(name: str, label: str) -> VideoEffect | AudioEffect:
    usual = getattr(VIDEO_EFFECTS, label, None) or VIDEO_EFFECTS.default
    if name == "solid":
        return Solid(effect="solid", shape=usual.shape, pad_permille=usual.pad_permille)
    if name in {"mosaic", "blur"}:
        return Cells.model_validate(
            {"effect": name, "shape": usual.shape, "cells": CELLS, "pad_permille": usual.pad_permille}
        )
    return AudioEffect.model_validate({"effect": name, "pad_ms": AUDIO_EFFECTS.default.pad_ms})


def parse_effect(text: str) -> tuple[str, VideoEffect | AudioEffect]:
    """`face=mosaic` as a label (or `default`) and its effect, in the shape and with the padding usual for the label."""
    label, _, name = text.partition("=")
    fields: dict[str, type[BaseModel]] = {
        "solid": VideoEffects,
        "mosaic": VideoEffects,
        "blur": VideoEffects,
        "silence": AudioEffects,
        "beep": AudioEffects,
    }
    if name not in fields:
        raise UsageError(f"--effect {text}: expected LABEL=EFFECT with one of {', '.join(fields)}")
    if label not in fields[name].model_fields:
        raise UsageError(f"--effect {text}: {name} is for the labels {', '.join(fields[name].model_fields)}")
    return label, _effect(name, label)
