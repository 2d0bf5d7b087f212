"""Several detectors in one run, one that fails during the run, calls that are retried, and their manifest records."""

import hashlib
import sys
import time
import types
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from veridact.cli import runner
from veridact.cli.locate import locate as locate_command
from veridact.errors import MachineError
from veridact.locate.detectors import registry, rekognition, yolov5_onnx, yunet
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, Request, View
from veridact.locate.options import Options
from veridact.locate.pipeline import detectors_for, locate
from veridact.locate.video.frames import PictureView
from veridact.schema.geometry import edges
from veridact.schema.manifest import Manifest, Producer

STILL = [(20, 30)] * 30


class Fixed:
    """Detects one box on every frame; fails after so many frames."""

    labels = frozenset({"face"})
    min_interval_seconds = 0.0

    def __init__(self, request: Request, box: Sequence[float], interval_seconds: float, fails_after: int) -> None:
        self.producer = Producer(id=request.producer_id, kind="model", name="fixed", settings={})
        self.interval_seconds = interval_seconds
        self._box, self._left = box, fails_after

    def detect(self, view: View) -> list[Detection]:
        self._left -= 1
        if self._left < 0:
            raise MachineError("the model has gone away; run again")
        left, top, right, bottom = self._box
        return [Detection("face", left, top, right, bottom, 0.9, self.producer.id)]


Fake = Callable[..., str]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """`fake(name, box)`: a detector by that name which always detects the box."""

    def make(
        name: str, box: Sequence[float], interval_seconds: float = DEFAULT_INTERVAL_SECONDS, fails_after: int = 10_000
    ) -> str:
        module = types.ModuleType(f"{name}_for_tests")
        module.load = lambda request: Fixed(request, box, interval_seconds, fails_after)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"{name}_for_tests", module)
        monkeypatch.setitem(registry.DETECTORS, name, f"{name}_for_tests:load")
        return name

    return make


def located(path: Path, detectors: Sequence[str], stride: int | None = None) -> Manifest:
    asked = Options(labels=("face",), detectors=tuple(detectors), workers=2, stride=stride)
    return locate(path, asked, detectors_for(asked), lambda what, done, total: None).manifest


LEFT, RIGHT, NEARLY_LEFT = (10, 10, 40, 50), (100, 60, 140, 100), (11, 11, 52, 50)


@pytest.mark.parametrize("interval_seconds", [DEFAULT_INTERVAL_SECONDS, 0.5])
def test_detections_of_several_detectors_are_merged(interval_seconds: float, square_clip: Fake, fake: Fake) -> None:
    names = [fake("a", LEFT), fake("b", RIGHT, interval_seconds), fake("c", NEARLY_LEFT, interval_seconds)]
    manifest = located(square_clip(STILL), names)
    assert sorted(t.origin.by for t in manifest.tracks) == ["p1", "p2"]
    assert [(p.id, p.name) for p in manifest.producers] == [("p1", "fixed"), ("p2", "fixed"), ("p3", "fixed")]
    assert all((t.segments[0].keys[0].frame, t.segments[-1].end) == (0, 30) for t in manifest.tracks)
    left, top, right, bottom = edges(manifest.tracks[0].segments[0].keys[0].box)
    assert left <= 10
    assert top <= 10
    assert right >= 52
    assert bottom >= 50


@pytest.mark.parametrize(
    ("name", "stride", "interval_seconds", "fails_after"),
    [
        ("at once", None, DEFAULT_INTERVAL_SECONDS, 0),
        ("after some samples", None, DEFAULT_INTERVAL_SECONDS, 4),
        ("on every frame", 1, DEFAULT_INTERVAL_SECONDS, 20),
        ("at an interval of its own", None, 0.5, 2),
    ],
)
def test_a_detector_that_fails_during_the_run_ends_it(
    name: str, stride: int | None, interval_seconds: float, fails_after: int, square_clip: Fake, fake: Fake
) -> None:
    names = [fake("well", LEFT), fake("ill", RIGHT, interval_seconds, fails_after)]
    with pytest.raises(MachineError, match="gone away"):
        located(square_clip(STILL), names, stride)


def test_after_a_failure_there_is_no_manifest(
    square_clip: Fake, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.json"
    arguments = [
        str(square_clip(STILL)),
        "--labels",
        "face",
        "--detector",
        fake("ill", LEFT, fails_after=3),
        "-o",
        str(out),
    ]
    monkeypatch.setattr(sys, "argv", ["locate", *arguments])
    assert runner.run(locate_command, "locate") == MachineError.exit_code
    assert not out.exists()


@pytest.mark.extra
def test_calls_to_the_cloud_are_retried_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3", reason="needs the extra `aws`")
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    client = rekognition._client()
    answers = [503, 500, 503, 200]
    awsrequest = import_module("botocore.awsrequest")

    def sent(request: Any, **_: Any) -> Any:
        answer = awsrequest.AWSResponse(request.url, answers.pop(0), {}, None)
        answer._content = b'{"FaceDetails": []}'
        return answer

    client.meta.events.register("before-send.rekognition.DetectFaces", sent)
    asked = Request("p1", frozenset({"face"}), 0.2, "cpu", allow_upload=True)
    assert rekognition.Rekognition(asked, client).detect(PictureView(Image.new("RGB", (64, 64)))) == []
    assert answers == []
    assert len([p for p in pauses if p > 0]) >= 3
    assert client.meta.config.retries["total_max_attempts"] == rekognition.MAX_ATTEMPTS


@pytest.mark.extra
@pytest.mark.real_media
@pytest.mark.parametrize(
    ("module", "name", "label"),
    [(yolov5_onnx, "hyperlpr_y5fu_320x_sim.onnx", "plate"), (yunet, "yunet_n_dynamic.onnx", None)],
)
def test_the_manifest_names_weights_by_their_digest(
    module: Any, name: str, label: str | None, real_media: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    weights = real_media / "weights" / name
    asked = Request("p1", frozenset({"face", "plate"}), 0.2, "cpu", weights=str(weights), class_map=label)
    producer = module.load(asked).producer
    assert producer.weights_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert producer.version
    assert producer.runtime
    assert name not in producer.model_dump_json()
