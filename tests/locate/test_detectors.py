"""The detectors: what they need, what they output, and the embedded OCR that detects text and plates."""

import importlib.metadata
import io
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from veridact.errors import MachineError, MissingModelError, SafetyError, UsageError, VeridactError
from veridact.locate.detectors import base, ppocr, rapidocr, registry, rekognition, ultralytics, yolov5_onnx, yunet
from veridact.locate.detectors.base import Detection, Request
from veridact.locate.detectors.onnx import run
from veridact.locate.detectors.plate_pattern import matches_plate_pattern
from veridact.locate.video.frames import PictureView

ALL = frozenset({"face", "plate", "text", "person", "vehicle", "screen"})


def request(**fields: Any) -> Request:
    return Request(**{"producer_id": "p1", "labels": ALL, "min_score": 0.2, "device": "cpu", **fields})


def test_every_detector_is_documented() -> None:
    """By its name, with the labels of the embedded ones beside it, and no other name."""
    page = (Path(__file__).parents[2] / "docs" / "detectors.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    named = {row[0].strip("|` ").split(":")[0]: row[1] for row in rows}
    assert named.keys() == registry.DETECTORS.keys()
    assert all(label in named[name] for label, name in registry.EMBEDDED.items())


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("AB 123 CD", True), ("7ABC123", True), ("b-mw 4711", True), ("1234", True),
        ("STOP", False), ("EXIT", False), ("12", False), ("ABCDEFGHIJ1", False), ("", False), ("粤B12345", True),
    ],
)  # fmt: skip
def test_what_matches_the_pattern_of_a_plate(text: str, plate: bool) -> None:
    assert matches_plate_pattern(text) is plate


@pytest.mark.parametrize(
    ("spec", "labels", "error", "says"),
    [
        ("onnx", {"plate"}, UsageError, "needs the label"),
        ("onnx:x.onnx:nose", {"plate"}, UsageError, "needs the label"),
        ("onnx:nosuch.onnx:plate", {"plate"}, MissingModelError, "no such file"),
        ("yunet", {"face"}, MissingModelError, "needs weights"),
        ("yunet:nosuch.onnx", {"face"}, MissingModelError, "no such file"),
        ("ultralytics:nosuch.pt", {"person"}, MissingModelError, "no such file"),
        ("rekognition", {"face"}, SafetyError, "--allow-upload"),
        ("rapidocr:x.onnx", {"text"}, UsageError, "takes no weights"),
        ("nosuch", {"face"}, UsageError, "there is no detector"),
    ],
)
def test_refusals(spec: str, labels: set[str], error: type[VeridactError], says: str) -> None:
    with pytest.raises(error, match=says):
        registry.load([spec], request(labels=frozenset(labels)))


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", ("", "")),
        ("model.onnx", ("model.onnx", "")),
        ("model.onnx:plate", ("model.onnx", "plate")),
        ("a:b.onnx", ("a:b.onnx", "")),
        ("a:b.onnx:plate", ("a:b.onnx", "plate")),
        ("model.onnx:x:y=face", ("model.onnx", "x:y=face")),
        ("nosuch.onnx:plate", ("nosuch.onnx", "plate")),
    ],
)
def test_weights_may_lie_where_paths_hold_colons(
    rest: str, expected: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model.onnx", "a:b.onnx"):
        (tmp_path / name).touch()
    assert registry.parse_spec(f"onnx:{rest}") == ("onnx", *expected)


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    (tmp_path / "x.onnx").write_bytes(b"not a model")
    with pytest.raises(MissingModelError, match="cannot read these weights"):
        yolov5_onnx.load(request(weights=str(tmp_path / "x.onnx"), class_map="plate"))
    with pytest.raises(MissingModelError, match="cannot read these weights"):
        yunet.load(request(weights=str(tmp_path / "x.onnx")))


@pytest.mark.parametrize("spec", ["onnx:nosuch:plate", "yunet:nosuch", "yunet", "ultralytics:nosuch", "ultralytics"])
def test_a_missing_weights_error_says_where_to_get_them(spec: str) -> None:
    with pytest.raises(MissingModelError, match=rf"get .*github.com/.*--detector {spec.split(':')[0]}:WEIGHTS"):
        registry.load([spec], request())


def test_named_detectors_come_first_and_embedded_ones_add_the_labels_left(squares: str) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    loaded = registry.load([squares], request(labels=frozenset({"face", "plate", "text"})))
    assert [(d.producer.id, d.producer.name) for d in loaded] == [("p1", "squares"), ("p2", "rapidocr")]


def model_file(rows: list[list[float]], path: Path, side: int = 64, author: str = "") -> Path:
    """An ONNX model that outputs the same rows for every picture."""
    onnx = pytest.importorskip("onnx", reason="needs the extra `locate`")
    output = onnx.numpy_helper.from_array(np.array([rows], np.float32), "output")
    zero = onnx.numpy_helper.from_array(np.zeros((), np.float32), "zero")
    mean = onnx.helper.make_node("ReduceMean", ["picture"], ["mean"], keepdims=0)
    nodes = [
        mean,
        onnx.helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        onnx.helper.make_node("Add", ["output", "nothing"], ["rows"]),
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "model", [value("picture", 1, [1, 3, side, side])], [value("rows", 1, [1, len(rows), len(rows[0])])],
        [output, zero],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 13)])
    onnx.helper.set_model_props(model, {"author": author})
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ("name", "row", "score"),
    [
        ("one class", [32, 16, 20, 10, 0.8], 0.8),
        ("two classes", [32, 16, 20, 10, 0.8, 0.1, 0.5], 0.4),
        ("corners and two classes", [32, 16, 20, 10, 0.8, *[99.0] * 8, 0.5, 0.1], 0.4),
    ],
)
def test_the_output_of_a_yolov5_model_is_decoded(name: str, row: list[float], score: float, tmp_path: Path) -> None:
    weights = model_file([row, *[[10, 10, 5, 5, 0.0, *[0.0] * (len(row) - 5)]] * 20], tmp_path / "model.onnx")
    (found,) = yolov5_onnx.load(request(weights=str(weights), class_map="plate")).detect(
        PictureView(Image.new("RGB", (128, 64)))
    )
    assert (found.left, found.top, found.right, found.bottom) == pytest.approx((44, 22, 84, 42))
    assert (found.label, round(found.score, 3)) == ("plate", score)


@pytest.mark.parametrize(
    ("name", "rows", "columns", "author"),
    [
        ("boxes across, as YOLOv8 gives them", 6, 84, ""),
        ("corners, as a later YOLO gives them", 300, 6, "Ultralytics"),
        ("something else", 100, 1, ""),
    ],
)
def test_a_model_with_another_output_layout_is_refused(
    name: str, rows: int, columns: int, author: str, tmp_path: Path
) -> None:
    """Its output would be decoded as other boxes, or as none."""
    weights = model_file([[1.0] * columns] * rows, tmp_path / "model.onnx", author=author)
    with pytest.raises(MissingModelError, match="not a YOLOv5 detector"):
        yolov5_onnx.load(request(weights=str(weights), class_map="plate"))
    with pytest.raises(MissingModelError, match="not a YuNet model"):
        yunet.load(request(weights=str(weights)))


def test_all_tiles_are_cut_from_one_scaled_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaling 63 million pixels anew for each tile took minutes, without a heartbeat."""
    weights = model_file([[1.0] * 5] * 20, tmp_path / "model.onnx")
    sizes: list[tuple[int, int]] = []
    rgb = PictureView.rgb
    monkeypatch.setattr(PictureView, "rgb", lambda view, *size: (sizes.append(size), rgb(view, *size))[1])
    yolov5_onnx.load(request(weights=str(weights), class_map="plate")).detect(PictureView(Image.new("RGB", (640, 480))))
    assert sizes == [(64, 48), (320, 240)]


def test_the_runtime_may_come_with_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`onnxruntime-gpu`, which `--device cuda` needs, brings the same module under its own name."""
    known = importlib.metadata.distribution

    def installed(name: str) -> importlib.metadata.Distribution:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    weights = model_file([[1.0] * 5] * 20, tmp_path / "model.onnx")
    monkeypatch.setattr(importlib.metadata, "distribution", installed)
    assert yolov5_onnx.load(request(weights=str(weights), class_map="plate")).producer.version


def test_tiles_cover_a_large_picture() -> None:
    seen = np.zeros((1080, 1920), bool)
    for left, top, side in yolov5_onnx._tiles(1920, 1080, 640):
        seen[top : top + side, left : left + side] = True
    assert seen.all()
    assert yolov5_onnx._tiles(640, 360, 640) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ultralytics.COCO),
        ("car=vehicle", {"car": "vehicle"}),
        ("a=face,b=plate", {"a": "face", "b": "plate"}),
        (" cell phone = screen , x=y=face", {"cell phone": "screen", "x=y": "face"}),
    ],
)
def test_class_maps(text: str | None, expected: dict[str, str]) -> None:
    assert ultralytics.parse_class_map(text) == expected


@pytest.mark.parametrize("text", ["car", "car=nose", "=face", "car=keep", "car=vehicle,", "a=face,a=head"])
def test_class_maps_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="class map"):
        ultralytics.parse_class_map(text)


def written(words: list[tuple[str, tuple[int, int], int]]) -> Image.Image:
    """A light picture with words on it, each at a place and a size."""
    image = Image.new("RGB", (640, 360), (225, 225, 220))
    draw = ImageDraw.Draw(image)
    for text, at, size in words:
        draw.text(at, text, (20, 20, 30), font=ImageFont.load_default(size))
    return image


@pytest.mark.extra
def test_text_and_plates_are_detected_and_distinguished() -> None:
    pytest.importorskip("rapidocr", reason="needs the extra `locate`")
    picture = PictureView(written([("KA 52 XYZ 9", (80, 60), 44), ("WELCOME HOME", (60, 250), 44)]))
    found = rapidocr.load(request(labels=frozenset({"plate", "text"}))).detect(picture)
    plates = [d for d in found if d.label == "plate" and d.score > request().min_score]
    assert len(plates) == 1
    assert plates[0].left < 90
    assert plates[0].bottom < 180
    assert sorted(d.top > 200 for d in found if d.label == "text") == [False, True]


@pytest.mark.extra
@pytest.mark.parametrize(
    ("text", "score"),
    [("KA 52 XYZ 9", (0.7, 1.0)), ("WELCOME", (0.15, 0.15))],
)
def test_text_without_the_pattern_of_a_plate_may_only_continue_one(text: str, score: tuple[float, float]) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    asked = request(labels=frozenset({"plate"}), min_score=0.1, links={"plate": 0.15})
    (found,) = rapidocr.load(asked).detect(PictureView(written([(text, (80, 60), 44)])))
    assert score[0] <= found.score <= score[1]


@pytest.mark.extra
def test_a_small_plate_is_recognised_at_the_size_of_the_footage() -> None:
    """In the detection input the letters are 6 px high: detected, but not recognisable."""
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    small = (
        written([("KA52XYZ9", (300, 200), 15)])
        .resize((1920, 1080), Image.Resampling.BICUBIC)
        .crop((640, 380, 1920, 1080))
    )
    footage = PictureView(small, still=False)
    (found,) = rapidocr.load(request(labels=frozenset({"plate"}))).detect(footage)
    assert found.score > 0.7


@pytest.mark.extra
def test_faint_text_is_reported_and_the_threshold_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--threshold text=0.3` would be without effect if the detector had a limit of its own."""
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    back_end = rapidocr.load(request(labels=frozenset({"text"}), min_score=0.3))
    corners = np.array([[0, 0], [40, 0], [40, 10], [0, 10]], np.float32)
    lines = [ppocr.TextLine(corners + np.float32(50 * n), score) for n, score in enumerate((0.9, 0.35, 0.25))]
    monkeypatch.setattr(back_end._models, "detect_lines", lambda pixels: lines)
    found = back_end.detect(PictureView(Image.new("RGB", (320, 160))))
    assert sorted(d.score for d in found) == [0.35, 0.9]


@pytest.mark.extra
@pytest.mark.parametrize(
    ("still", "labels", "expected"),
    [
        (True, {"plate"}, {640: 1, 1920: 1}),
        (True, {"text"}, {640: 1}),
        (False, {"plate"}, {640: 1}),
    ],
    ids=["plates in a still: upscaled too", "text alone: once", "footage: once"],
)
def test_stills_get_an_upscaled_pass_for_plates(
    still: bool, labels: set[str], expected: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plate of which one pass detects a part only is covered whole."""
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    back_end = rapidocr.load(request(labels=frozenset(labels)))
    passes: Counter[int] = Counter()

    def detect_lines(pixels: base.Pixels) -> list[ppocr.TextLine]:
        width = pixels.shape[1]
        passes[width] += 1
        right = 260 if width == 640 else 240
        corners = np.array([[200, 100], [right, 100], [right, 120], [200, 120]], np.float32)
        return [ppocr.TextLine(corners * np.float32(width / 640), 0.9)]

    monkeypatch.setattr(back_end._models, "detect_lines", detect_lines)
    monkeypatch.setattr(back_end._models, "recognize", lambda pixels, line: ("KA52XYZ9", 1 - line.size[0] / 1000))
    (found,) = back_end.detect(PictureView(Image.new("RGB", (640, 384)), still))
    assert passes == expected
    assert (found.left < 200, found.right > 260) == (True, True)


@pytest.mark.extra
def test_recognised_text_never_leaves_the_detector() -> None:
    pytest.importorskip("rapidocr", reason="needs the extra `locate`")
    text = rapidocr.load(request(labels=frozenset({"plate", "text"})))
    found = text.detect(PictureView(written([("SECRET 4711", (80, 60), 44)])))
    assert found
    assert "4711" not in repr(found) + repr(text.producer)


@pytest.mark.extra
def test_only_personal_text_is_covered_with_text_pii() -> None:
    pytest.importorskip("rapidocr", reason="needs the extra `locate`")
    lines = [("Card 4111 1111 1111 1111", (40, 60), 36), ("WELCOME HOME", (40, 250), 36)]
    asked = request(labels=frozenset({"text"}), personal_text_only=True)
    back_end = rapidocr.load(asked)
    (found,) = back_end.detect(PictureView(written(lines)))
    assert found.label == "text"
    assert found.bottom < 180
    assert [p.name for p in registry.producers([back_end])] == ["rapidocr", "presidio-analyzer"]


class Failing:
    """A session that runs out of memory."""

    def run(self, outputs: Any, inputs: Any) -> None:
        raise ValueError("Failed to allocate memory for requested buffer of size 1")


def test_a_session_that_fails_is_a_machine_error() -> None:
    with pytest.raises(MachineError, match="onnxruntime failed: Failed to allocate"):
        run(Failing(), None, {})


FACE_RESPONSE = {
    "FaceDetails": [
        {"BoundingBox": {"Left": 0.25, "Top": 0.5, "Width": 0.5, "Height": 0.25}, "Confidence": 97.5}
    ]
}  # fmt: skip


def stubbed(labels: set[str]) -> tuple[rekognition.Rekognition, Any]:
    boto3 = pytest.importorskip("boto3", reason="needs the extra `aws`")
    stub = pytest.importorskip("botocore.stub")
    client = boto3.client("rekognition", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")  # noqa: S106
    back_end = rekognition.Rekognition(request(labels=frozenset(labels), allow_upload=True), client)
    return back_end, stub.Stubber(client)


@pytest.mark.extra
def test_rekognition_faces() -> None:
    back_end, stubber = stubbed({"face"})
    sent = []

    def keep(params: dict[str, Any], **_: Any) -> None:
        sent.append(params["Image"]["Bytes"])

    back_end._client.meta.events.register("provide-client-params.rekognition.DetectFaces", keep)
    stubber.add_response("detect_faces", FACE_RESPONSE)
    with stubber:
        found = back_end.detect(PictureView(Image.new("RGB", (400, 200))))
    assert found == [Detection("face", 100.0, 100.0, 300.0, 150.0, 0.975, "p1")]
    assert Image.open(io.BytesIO(sent[0])).size == (400, 200)


@pytest.mark.extra
def test_rekognition_is_not_sent_crops() -> None:
    """Each would be an upload of its own; the stub refuses a call without a response added for it."""
    back_end, stubber = stubbed({"face"})
    with stubber:
        assert back_end.detect(PictureView(Image.new("RGB", (128, 128)), is_crop=True)) == []


@pytest.mark.extra
def test_rekognition_text_and_plates() -> None:
    back_end, stubber = stubbed({"text", "plate"})
    box = {"BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.2, "Height": 0.1}}
    items = [("LINE", "AB123CD"), ("WORD", "AB123CD"), ("LINE", "STOP")]
    response = {
        "TextDetections": [{"Type": t, "DetectedText": d, "Confidence": 90.0, "Geometry": box} for t, d in items]
    }
    stubber.add_response("detect_text", response)
    with stubber:
        found = back_end.detect(PictureView(Image.new("RGB", (100, 100))))
    assert [d.label for d in found] == ["text", "text", "plate", "plate"]


@pytest.mark.extra
def test_a_failing_cloud_call_ends_the_run() -> None:
    back_end, stubber = stubbed({"face"})
    stubber.add_client_error("detect_faces", "AccessDeniedException", "not allowed", 400)
    with stubber, pytest.raises(MachineError, match="rekognition failed"):
        back_end.detect(PictureView(Image.new("RGB", (64, 64))))


@pytest.fixture
def yolo_library() -> Any:
    """The package ultralytics."""
    pytest.importorskip("ultralytics", reason="needs the extra `ultralytics`")
    return ultralytics.import_offline()


@pytest.mark.extra
@pytest.mark.filterwarnings("ignore")  # exporting emits warnings of other libraries
@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_ultralytics_runs_both_formats(suffix: str, tmp_path: Path, yolo_library: Any) -> None:
    library = yolo_library
    built = library.YOLO("yolov8n.yaml", task="detect")
    weights = tmp_path / "model.pt"
    built.save(str(weights))
    if suffix == ".onnx":
        weights = Path(library.YOLO(str(weights)).export(format="onnx", imgsz=640))
    back_end = ultralytics.load(request(weights=str(weights), class_map="0=person,2=vehicle", min_score=0.0001))
    views = [
        PictureView(Image.fromarray(np.random.default_rng(n).integers(0, 256, (480, 640, 3), np.uint8))) for n in (1, 2)
    ]
    assert back_end.labels == {"person", "vehicle"}
    assert back_end.batch_size == (4 if suffix == ".pt" else 1)
    assert str(back_end.producer.runtime).startswith("torch" if suffix == ".pt" else "onnxruntime")
    alone = [back_end.detect(view) for view in views]
    assert all(d.label in back_end.labels and 0 <= d.score <= 1 for found in alone for d in found)
    if suffix == ".pt":
        for one, together in zip(alone, back_end.detect_batch(views), strict=True):
            assert [d.label for d in together] == [d.label for d in one]
            assert [d.score for d in together] == pytest.approx([d.score for d in one], abs=1e-4)
            assert [d.left for d in together] == pytest.approx([d.left for d in one], abs=0.5)


@pytest.fixture
def fake_ultralytics(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`fake_ultralytics(boxes)`: a library whose models output these boxes or raise this, and a torch without CUDA."""

    def make(boxes: Any) -> None:
        class Model:
            def predict(self, pixels: list[Any], **_: Any) -> list[Any]:
                if isinstance(boxes, Exception):
                    raise boxes
                return [SimpleNamespace(boxes=boxes) for _ in pixels]

        library, torch = ModuleType("ultralytics"), ModuleType("torch")
        library.YOLO = lambda path, task: Model()  # type: ignore[attr-defined]
        torch.cuda = SimpleNamespace(is_available=lambda: False)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "ultralytics", library)
        monkeypatch.setitem(sys.modules, "torch", torch)

    return make


@pytest.mark.parametrize(
    ("name", "boxes", "device", "says"),
    [
        ("model.yaml", [], "cpu", "names end in .pt or .onnx"),
        ("model.pt", [], "cuda", "no CUDA"),
        ("model.pt", None, "cpu", "no upright bounding boxes"),
        (
            "model.onnx",
            ValueError("inputs are missing"),
            "cpu",
            "cannot use model.onnx: ValueError: inputs are missing",
        ),
    ],
)
def test_ultralytics_refuses_before_the_search_begins(
    name: str, boxes: Any, device: str, says: str, tmp_path: Path, fake_ultralytics: Any
) -> None:
    fake_ultralytics(boxes)
    (tmp_path / name).write_bytes(b"weights")
    with pytest.raises(MissingModelError, match=says):
        ultralytics.load(request(weights=str(tmp_path / name), device=device))


@pytest.mark.extra
@pytest.mark.parametrize("name", ["x.pt", "x.onnx"])
def test_ultralytics_refuses_files_that_are_no_model(name: str, tmp_path: Path, yolo_library: Any) -> None:
    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(MissingModelError, match=f"cannot use {name}"):
        ultralytics.load(request(weights=str(tmp_path / name)))


@pytest.mark.extra
@pytest.mark.filterwarnings("ignore")
def test_a_failure_of_ultralytics_is_reported(
    tmp_path: Path, yolo_library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    yolo_library.YOLO("yolov8n.yaml", task="detect").save(str(tmp_path / "model.pt"))
    back_end = ultralytics.load(request(weights=str(tmp_path / "model.pt"), class_map="0=person"))

    def lost(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(back_end._model, "predict", lost)
    with pytest.raises(MachineError, match="out of memory"):
        back_end.detect(PictureView(Image.new("RGB", (64, 64))))


@pytest.mark.extra
@pytest.mark.real_media
def test_yunet_detects_the_portrait(real_media: Path, portrait: Image.Image) -> None:
    pytest.importorskip("cv2", reason="needs the extra `locate`")
    back_end = yunet.load(request(weights=str(real_media / "weights" / "yunet_n_dynamic.onnx")))
    best = max(back_end.detect(PictureView(portrait)), key=lambda d: d.score)
    assert best.score > 0.8
    assert 150 < best.left < 200
    assert 50 < best.top < 100


@pytest.mark.extra
@pytest.mark.real_media
def test_the_plate_model_detects_plates(real_media: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    weights = real_media / "weights" / "hyperlpr_y5fu_320x_sim.onnx"
    back_end = yolov5_onnx.load(request(weights=str(weights), class_map="plate"))
    with Image.open(real_media / "plates_gt/robertlucian/images/nightride_type3_001.mp4#t=715.jpg") as image:
        found = back_end.detect(PictureView(image.convert("RGB")))
    assert any(abs(d.left - 465) < 25 and abs(d.top - 451) < 25 and abs(d.right - 644) < 25 for d in found)
