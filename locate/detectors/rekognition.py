"""Detector `rekognition`: faces, text and plates by AWS Rekognition; frames are uploaded, only with `--allow-upload`.

Each frame is sent as a JPEG. Recognised text decides whether it is a plate, and is not kept.
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from typing import Any

from PIL import Image

from veridact.errors import MachineError, MissingModelError, SafetyError, UsageError
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, Request, View, fit
from veridact.locate.detectors.plate_pattern import matches_plate_pattern
from veridact.locate.detectors.text_pii import TextPiiFinder
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Producer

LONG_SIDE_PX = 1920
JPEG_QUALITY = 92
MAX_ATTEMPTS = 8
"""A failed call is tried again, with growing pauses, up to this many attempts."""


def _client() -> Any:
    try:
        boto3, config = import_module("boto3"), import_module("botocore.config")
    except ImportError:
        raise MissingModelError("the detector rekognition needs the extra: pip install 'veridact[aws]'") from None
    try:
        return boto3.client(
            "rekognition", config=config.Config(retries={"total_max_attempts": MAX_ATTEMPTS, "mode": "adaptive"})
        )
    except import_module("botocore.exceptions").BotoCoreError as e:
        raise UsageError(f"AWS is not set up: {e}; set a region and credentials, or leave rekognition out") from None


class Rekognition:
    """The cloud detector; a call that fails after all attempts raises `MachineError`."""

    labels = frozenset({"face", "text", "plate"})
    interval_seconds = DEFAULT_INTERVAL_SECONDS
    min_interval_seconds = 0.0

    def __init__(self, request: Request, client: Any) -> None:
        self._client = client
        self._min_score = request.min_score
        self._labels = request.labels & self.labels
        self._pii = TextPiiFinder() if "text" in self._labels and request.personal_text_only else None
        self._failures = import_module("botocore.exceptions")
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="rekognition",
            version=version("boto3"),
            runtime="AWS",
            settings={"floor_permille": round(request.min_score * 1000), "uploads": True},
        )

    def detect(self, view: View) -> list[Detection]:
        """The faces, lines of text and plates in a picture, in its displayed pixels; none for a crop."""
        if view.is_crop:
            return []  # each crop would be an upload of its own
        width, height = fit(view.width, view.height, min(LONG_SIDE_PX, max(view.width, view.height)))
        jpeg = io.BytesIO()
        Image.fromarray(view.rgb(width, height)).save(jpeg, "JPEG", quality=JPEG_QUALITY)
        image = {"Bytes": jpeg.getvalue()}
        try:
            with patience():
                faces = self._faces(image, view) if "face" in self._labels else []
                return faces + (self._texts(image, view) if self._labels & {"text", "plate"} else [])
        except (self._failures.ClientError, self._failures.BotoCoreError) as e:
            raise MachineError(f"rekognition failed: {e}; run again, or leave it out of --detector") from None

    def _faces(self, image: dict[str, bytes], view: View) -> list[Detection]:
        response = self._client.detect_faces(Image=image)
        return [self._box("face", f["BoundingBox"], f["Confidence"], view) for f in response["FaceDetails"]]

    def _texts(self, image: dict[str, bytes], view: View) -> list[Detection]:
        response = self._client.detect_text(Image=image)
        items = [
            (item, self._box("text", item["Geometry"]["BoundingBox"], item["Confidence"], view))
            for item in response["TextDetections"]
        ]
        lines = [(item["DetectedText"], d) for item, d in items if item["Type"] == "LINE"]
        detections = self._wanted(lines) if "text" in self._labels else []
        if "plate" in self._labels:
            detections += [
                replace(d, label="plate") for item, d in items if matches_plate_pattern(item["DetectedText"])
            ]
        return [d for d in detections if d.score >= self._min_score]

    def _wanted(self, lines: Sequence[tuple[str, Detection]]) -> list[Detection]:
        """The lines of text that are to be covered: all of them, or those that contain personal data."""
        detections = [d for _, d in lines]
        if self._pii is None:
            return detections
        boxes = [(d.left, d.top, d.right, d.bottom) for d in detections]
        has_pii = self._pii.contains_pii([text for text, _ in lines], boxes)
        return [d for d, covered in zip(detections, has_pii, strict=True) if covered]

    def _box(self, label: str, box: dict[str, float], percent: float, view: View) -> Detection:
        """A detection in displayed pixels, from a box in fractions of the picture and a confidence in percent."""
        left, top = box["Left"] * view.width, box["Top"] * view.height
        right, bottom = left + box["Width"] * view.width, top + box["Height"] * view.height
        return Detection(label, left, top, right, bottom, min(1.0, percent / 100), self.producer.id)


def load(request: Request) -> Rekognition:
    """The detector `rekognition`; raises `SafetyError` without `--allow-upload`, `UsageError` for what it ignores."""
    if request.weights or request.class_map or request.device != "cpu":
        raise UsageError("the detector rekognition takes no weights and no device")
    if not request.allow_upload:
        raise SafetyError(
            "the detector rekognition uploads frames to AWS; add --allow-upload if they may leave this machine"
        )
    return Rekognition(request, _client())
