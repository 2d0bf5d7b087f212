"""The child process of `locate` is confined as far as its models allow, and a file that ends it ends nothing else."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veridact.locate import isolation
from veridact.locate.isolation import can_be_confined, confinement
from veridact.locate.options import Options
from veridact.locate.speech.pipeline import SpeechOptions

FOUND = [(40, 30)] * 6


def hearing(**options: Any) -> Options:
    return Options(speech=SpeechOptions(**options))


CONFINED = {
    "what is embedded": (Options(), True),
    "an ONNX file": (Options(detectors=("onnx:w.onnx:map.json",)), True),
    "words with times": (hearing(recognizer="words:w.json"), True),
    "YOLO": (Options(detectors=("centerface", "ultralytics:y.pt")), False),
    "a cloud": (Options(detectors=("rekognition",), allow_upload=True), False),
    "another back end": (Options(detectors=("mine",)), False),
    "a graphics card": (Options(device="cuda"), False),
    "a download": (hearing(recognizer="pocketsphinx", allow_download=True), False),
    "a large recogniser": (hearing(recognizer="faster-whisper:small"), False),
    "a large recogniser that nobody asks": (
        Options(labels=("face",), speech=SpeechOptions(recognizer="whisperx:large")),
        True,
    ),
    "a spaCy pipeline": (hearing(spacy=Path("en")), False),
}


@pytest.mark.parametrize("what", CONFINED)
def test_what_can_be_confined_is(what: str) -> None:
    options, expected = CONFINED[what]
    with confinement(Path("in.mp4"), options) as child_options:
        assert can_be_confined(options) is child_options.policy.confined is expected


def test_only_named_files_are_readable() -> None:
    options = Options(
        detectors=("onnx:w.onnx:plate", "yunet:y.onnx"),
        speech=SpeechOptions(recognizer="words:w.json", deny_words=Path("no.txt"), transcript=Path("/safe/all.txt")),
    )
    with confinement(Path("in.mp4"), options) as child_options:
        policy = child_options.policy
        assert list(policy.writable[0].iterdir()) == []
    assert not policy.writable[0].exists()
    assert {str(p) for p in policy.readable} - {str(isolation.PROCESSOR)} == {
        "in.mp4", "w.onnx", "y.onnx", "w.json", "no.txt",
    }  # fmt: skip
    assert policy.writable[1:] == (Path("/safe"),)


@pytest.fixture
def meddling(squares: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], str]:
    """`meddling(fault)`: the name of a detector that does something else where it sees nothing bright."""
    import sys

    def named(fault: Callable[[], Any]) -> str:
        kind = sys.modules["squares_for_tests"].load
        detect = kind.detect

        def broken(self: Any, view: Any) -> Any:
            return detect(self, view) or fault() or []

        monkeypatch.setattr(kind, "detect", broken)
        return squares

    return named


ENDS = {
    "a crash": (lambda: os.kill(os.getpid(), signal.SIGSEGV), "SIGSEGV"),
    "hunger": (lambda: bytearray(40 << 30), "memory"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_file_that_ends_the_search_is_refused(
    end: str, meddling: Any, square_clip: Callable[..., Path], command: Any, tmp_path: Path
) -> None:
    fault, said = ENDS[end]
    name, target = meddling(fault), tmp_path / "m.json"
    code, out, err = command("locate", "--detector", name, square_clip([None] * 3), "-o", target)
    assert (code, out, err.count("\n"), target.exists()) == (4, "", 1, False), err
    assert said in err


def test_a_folder_continues_after_a_file_that_ends_the_search(
    meddling: Any, square_clip: Callable[..., Path], command: Any, tmp_path: Path
) -> None:
    name = meddling(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(5):
        square_clip(FOUND if number % 2 else [None] * 3).rename(folder / f"{number}.mkv")
    (folder / "2.mkv").write_bytes(b"no video")
    code, _, err = command("locate", "--detector", name, folder, "-o", out)
    assert code == 4
    assert sorted(p.name for p in out.iterdir()) == ["1.mkv.json", "3.mkv.json"]
    refused = [line.partition(": ")[2] for line in err.splitlines()]
    assert ["SIGSEGV" in r for r in refused] == [True, False, True, False]
    assert refused[-1] == ""  # the sum, which names no file
    assert "2 of 5 files searched" in err


@pytest.mark.parametrize("confined", [True, False])
def test_a_confined_model_reads_no_other_file(
    confined: bool, meddling: Any, square_clip: Callable[..., Path], command: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    secret = tmp_path / "secret"
    secret.write_text("secret")
    name = meddling(lambda: secret.read_text() and None)
    monkeypatch.setattr(isolation, "CONFINED_DETECTORS", isolation.CONFINED_DETECTORS | ({name} if confined else set()))
    clip = square_clip([*FOUND, *[None] * 6])
    code, out, err = command("locate", "--labels", "face", "--stride", 1, "--detector", name, clip)
    assert (code, bool(out), "secret" in err) == ((8, False, True) if confined else (0, True, False)), err


def test_an_interrupted_search_leaves_no_process(
    meddling: Any, square_clip: Callable[..., Path], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal to the command ends the process that searches too."""
    import veridact.cli.locate

    children: list[str] = []

    def interrupt(self: Any, what: str, done: int, total: int) -> None:
        children.extend(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(veridact.cli.locate.Progress, "__call__", interrupt)
    name = meddling(lambda: time.sleep(30))
    clip = square_clip([*FOUND * 8, *[None] * 3])
    code, _, err = command("locate", "--labels", "face", "--stride", 1, "--detector", name, clip)
    assert (code, err.strip()) == (130, "error: interrupted; nothing is half written")
    assert children
    assert not any(Path(f"/proc/{child}").exists() for child in children)
