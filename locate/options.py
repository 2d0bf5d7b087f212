"""The options of `locate`, validated before any file is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from pydantic import BaseModel

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import Request
from veridact.locate.speech.pipeline import AUDIO_LABELS, DEFAULT_AUDIO_LABELS, SpeechOptions
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

VIDEO_LABELS = tuple(label for label in get_args(VideoLabel) if label != "keep")
DEFAULT_VIDEO_LABELS = ("face", "plate")
DEFAULT_LABELS = (*DEFAULT_VIDEO_LABELS, *DEFAULT_AUDIO_LABELS)
LABELS = tuple(dict.fromkeys((*VIDEO_LABELS, *AUDIO_LABELS)))
LINK_OF_START = 0.5
"""A detection may continue a track when it scores this part of what a track must reach once."""

START = 0.4
STILL_START = 0.3
STILL_TEXT_START = 0.4
"""The default score that a track in video, and a detection or a line of text in a still picture, where no other frame
confirms it, must reach. Lines below 0.4 are seldom text, and some would cover a quarter of the picture."""


@dataclass(frozen=True)
class Options:
    """The options of the command line, by their names; `thresholds` by label, from 0 to 1, `stride` None for auto.

    Raises `UsageError` for an option without effect, and `MissingModelError` where neither a detector nor a word list
    finds `custom`.
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
    speech: SpeechOptions = field(default_factory=SpeechOptions)

    def __post_init__(self) -> None:
        unused = [f"--threshold {label}" for label in self.thresholds if label not in self.labels]
        unused += ["--text"] if self.text is not None and "text" not in self.labels else []
        if unused:
            label = unused[0].partition(" ")[2] or "text"
            raise UsageError(f"{unused[0]} has no effect unless --labels asks for {label}; add it to --labels")
        if not self.audio_labels and (audio_only := self.speech.audio_only):
            raise UsageError(
                f"{audio_only[0]} has no effect unless --labels has a label of speech, one of "
                + ", ".join(AUDIO_LABELS)
            )
        if "custom" in self.labels and not self.detectors and self.speech.deny_words is None:
            raise MissingModelError(
                "no detector or word list finds the label custom; give --detector or --deny-words, or leave it out of "
                "--labels"
            )

    @property
    def video_labels(self) -> tuple[str, ...]:
        """The labels to detect in pictures; `custom` is among them only where a detector is named."""
        return tuple(x for x in self.labels if x in VIDEO_LABELS and (x != "custom" or self.detectors))

    @property
    def audio_labels(self) -> tuple[str, ...]:
        """The labels to find in speech."""
        return tuple(x for x in self.labels if x in AUDIO_LABELS)

    def thresholds_of(self, label: str, still: bool) -> Thresholds:
        """The scores that detections of a label must reach, in a still picture or in video."""
        in_stills = STILL_TEXT_START if label == "text" else STILL_START
        start = self.thresholds.get(label, in_stills if still else START)
        return Thresholds(start, start if still else start * LINK_OF_START)

    def all_thresholds(self, still: bool) -> dict[str, Thresholds]:
        """The thresholds of every video label."""
        return {label: self.thresholds_of(label, still) for label in self.video_labels}

    @property
    def request(self) -> Request:
        """The request to every detector; its producer id is filled in when it is loaded."""
        links = {label: self.thresholds_of(label, still=False).link for label in self.video_labels}
        pii = self.text == "pii"
        return Request("", frozenset(links), self._floor(), self.device, self.allow_upload, pii, links=links)

    def _floor(self) -> float:
        """The least score that any label makes use of."""
        both = [self.thresholds_of(label, still) for label in self.video_labels for still in (True, False)]
        return min((t.link for t in both), default=1.0)


VIDEO_EFFECTS = VideoEffects(
    default=Solid(effect="solid", shape="box", pad_permille=150),
    face=Solid(effect="solid", shape="ellipse", pad_permille=200),
)
AUDIO_EFFECTS = AudioEffects(default=AudioEffect(effect="silence", pad_ms=80))
CELLS = 6


def parse_labels(text: str) -> tuple[str, ...]:
    """`face,plate` as labels; raises `UsageError` for an unknown label and for none at all."""
    labels = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for label in labels:
        if label not in LABELS:
            raise UsageError(f"there is no label {label!r}; choose from {', '.join(LABELS)}")
    if not labels:
        raise UsageError(f"--labels names no label; choose from {', '.join(LABELS)}")
    return labels


def parse_threshold(text: str) -> tuple[str, float]:
    """`face=0.3` as a label and a score; raises `UsageError` for anything else."""
    label, _, number = text.partition("=")
    try:
        score = float(number)
    except ValueError:
        score = -1.0
    if label not in VIDEO_LABELS or not 0 < score <= 1:
        raise UsageError(f"--threshold {text}: expected LABEL=SCORE with a score above 0 and up to 1, like face=0.3")
    return label, score


def _effect(name: str, label: str) -> VideoEffect | AudioEffect:
    """The effect of that name, otherwise as the default of the label."""
    default = getattr(VIDEO_EFFECTS, label, None) or VIDEO_EFFECTS.default
    if name == "solid":
        return Solid(effect="solid", shape=default.shape, pad_permille=default.pad_permille)
    if name in {"mosaic", "blur"}:
        return Cells.model_validate(
            {"effect": name, "shape": default.shape, "cells": CELLS, "pad_permille": default.pad_permille}
        )
    return AudioEffect.model_validate({"effect": name, "pad_ms": AUDIO_EFFECTS.default.pad_ms})


def parse_effect(text: str) -> tuple[str, VideoEffect | AudioEffect]:
    """`face=mosaic` as a label (or `default`) and its effect, with the shape and the padding of its default.

    Raises `UsageError` for an unknown effect, and for a label that the effect does not apply to.
    """
    label, _, name = text.partition("=")
    models: dict[str, type[BaseModel]] = {
        "solid": VideoEffects,
        "mosaic": VideoEffects,
        "blur": VideoEffects,
        "silence": AudioEffects,
        "beep": AudioEffects,
    }
    if name not in models:
        raise UsageError(f"--effect {text}: expected LABEL=EFFECT with one of {', '.join(models)}")
    if label not in models[name].model_fields:
        raise UsageError(f"--effect {text}: {name} is for the labels {', '.join(models[name].model_fields)}")
    return label, _effect(name, label)
