"""Faces, text and plates by AWS Rekognition: frames leave this machine, and only with `--allow-upload`.

Each look is sent as a JPEG. What is read decides whether a piece of text is a plate, and is then forgotten.
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from typing import Any

from PIL import Image

from veridact.errors import MachineError, MissingModelError, SafetyError, UsageError
from veridact.locate.detectors.base import AUTO_SECONDS, Detection, Request, View, fit
from veridact.locate.detectors.plate_pattern import reads_like_a_plate
from veridact.locate.detectors.text_pii import WrittenWords
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Producer

LONG_SIDE_PX = 1920
JPEG_QUALITY = 92
ATTEMPTS = 8
"""How often a call is tried; the pauses between grow."""


def _client() -> Any:
    try:
        boto3, config = import_module("boto3"), import_module("botocore.config")
    except ImportError:
        raise MissingModelError("the detector rekognition needs the extra: pip install 'veridact[aws]'") from None
    try:
        return boto3.client(
            "rekognition", config=config.Config(retries={"total_max_attempts": ATTEMPTS, "mode": "adaptive"})
        )
    except import_module("botocore.exceptions").BotoCoreError as e:
        raise UsageError(f"AWS is not set up: {e}; set a region and credentials, or leave rekognition out") from None


class Rekognition:
    """The cloud mode; a call that fails for good ends the run."""

    labels = frozenset({"face", "text", "plate"})
    pace_seconds = AUTO_SECONDS
    rest_seconds = 0.0

    def __init__(self, request: Request, client: Any) -> None:
        self._client = client
        self._floor = request.floor
        self._labels = request.labels & self.labels
        self._written = WrittenWords() if "text" in self._labels and request.personal_text_only else None
        self._failures = import_module("botocore.exceptions")
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="rekognition",
            version=version("boto3"),
            runtime="AWS",
            settings={"floor_permille": round(request.floor * 1000), "uploads": True},
        )

    def detect(self, view: View) -> list[Detection]:
        if view.part:
            return []  # each piece would be an upload of its own
        width, height = fit(view.width, view.height, min(LONG_SIDE_PX, max(view.width, view.height)))
        jpeg = io.BytesIO()
        Image.fromarray(view.rgb(width, height)).save(jpeg, "JPEG", quality=JPEG_QUALITY)
        image = {"Bytes": jpeg.getvalue()}
        try:
            with patience():
                found = self._faces(image, view) if "face" in self._labels else []
                return found + (self._texts(image, view) if self._labels & {"text", "plate"} else [])
        except (self._failures.ClientError, self._failures.BotoCoreError) as e:
            raise MachineError(f"rekognition failed: {e}; run again, or leave it out of --detector") from None

    def _faces(self, image: dict[str, bytes], view: View) -> list[Detection]:
        answer = self._client.detect_faces(Image=image)
        return [self._box("face", f["BoundingBox"], f["Confidence"], view) for f in answer["FaceDetails"]]

    def _texts(self, image: dict[str, bytes], view: View) -> list[Detection]:
        answer = self._client.detect_text(Image=image)
        seen = [
            (item, self._box("text", item["Geometry"]["BoundingBox"], item["Confidence"], view))
            for item in answer["TextDetections"]
        ]
        lines = [(item["DetectedText"], box) for item, box in seen if item["Type"] == "LINE"]
        found = self._wanted(lines) if "text" in self._labels else []
        if "plate" in self._labels:
            found += [replace(box, label="plate") for item, box in seen if reads_like_a_plate(item["DetectedText"])]
        return [d for d in found if d.score >= self._floor]

    def _wanted(self, lines: Sequence[tuple[str, Detection]]) -> list[Detection]:
        """The lines that are to be covered: all of them, or those that are personal."""
        boxes = [box for _, box in lines]
        if self._written is None:
            return boxes
        places = [(box.left, box.top, box.right, box.bottom) for box in boxes]
        personal = self._written.personal([text for text, _ in lines], places)
        return [box for box, covered in zip(boxes, personal, strict=True) if covered]

    def _box(self, label: str, box: dict[str, float], percent: float, view: View) -> Detection:
        left, top = box["Left"] * view.width, box["Top"] * view.height
        right, bottom = left + box["Width"] * view.width, top + box["Height"] * view.height
        return Detection(label, left, top, right, bottom, min(1.0, percent / 100), self.producer.id)


def load(request: Request) -> Rekognition:
    """The back end `rekognition`; raises `SafetyError` where nobody allowed frames to be sent away."""
    if request.weights or request.class_map or request.device != "cpu":
        raise UsageError("the detector rekognition takes no weights and no device")
    if not request.allow_upload:
        raise SafetyError(
            "the detector rekognition sends frames to AWS; say --allow-upload if they may leave this machine"
        )
    return Rekognition(request, _client())
