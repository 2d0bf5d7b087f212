"""What the ONNX back ends share: finding weights inside installed packages, checking them, and running them.

Each session uses one thread; the frames of a clip are looked at side by side instead (see `sampling.sampler`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

from veridact.errors import MachineError, MissingModelError
from veridact.sandbox import syscalls

HEAPS, OUTSIDE_BYTES = 2, 8 << 20
"""The C library gives each thread a heap of its own, where what pictures leave stays: two cost about 40 MB less. Whole
pictures are kept out of them; what nets look at is smaller, and to fetch it anew each time takes 3 ms a frame."""

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
EXTRA = "pip install 'veridact[locate]'"

SOURCES = {
    "yunet": "face_detection_yunet_2023mar.onnx from github.com/opencv/opencv_zoo",
    "onnx": "a net such as the plate detector of github.com/szad670401/HyperLPR",
    "ultralytics": "a YOLO net such as yolo11n.pt from github.com/ultralytics/assets",
}
"""Where weights can be had that do not arrive inside a package."""


def packaged_path(package: str, name: str, sha256: str) -> Path:
    """Where weights lie that arrived inside an installed package, without importing it; raises `MissingModelError`."""
    try:
        listed = distribution(package).files or []
    except PackageNotFoundError:
        raise MissingModelError(f"the weights {name} come with the package {package}: {EXTRA}") from None
    path = next((Path(str(f.locate())) for f in listed if f.name == name), None)
    if path is None or not path.is_file():
        raise MissingModelError(f"the package {package} is installed without its {name}; reinstall it: {EXTRA}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise MissingModelError(
            f"{name} of the package {package} is not the file this version knows; reinstall it: {EXTRA}"
        )
    return path


def given_path(detector: str, weights: str | None) -> Path:
    """Weights that the caller names; raises `MissingModelError` where there are none."""
    if not weights:
        raise MissingModelError(f"the detector {detector} needs weights; {_advice(detector)}")
    path = Path(weights)
    if not path.is_file():
        raise MissingModelError(f"{path}: no such weights; {_advice(detector)}")
    return path


def _advice(detector: str) -> str:
    return f"get {SOURCES[detector]}, and name the file with --detector {detector}:WEIGHTS"


def session(model: bytes, device: str) -> Any:
    """An onnxruntime session with one thread on `device`; raises `MissingModelError` where that cannot be had."""
    try:
        runtime = import_module("onnxruntime")
    except ImportError:
        raise MissingModelError(f"this detector needs onnxruntime: {EXTRA}") from None
    provider = PROVIDERS[device]
    if provider not in runtime.get_available_providers():
        raise MissingModelError(f"the installed onnxruntime has no {device}; pip install onnxruntime-gpu")
    syscalls.share_heaps(HEAPS, OUTSIDE_BYTES)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # sizes differ from call to call
    options.log_severity_level = 3
    try:
        made = runtime.InferenceSession(model, options, providers=[provider])
    except Exception as e:  # noqa: BLE001 - onnxruntime raises a dozen kinds of its own for a file it cannot read
        raise MissingModelError(f"onnxruntime cannot read these weights: {str(e)[:160]}") from None
    if provider not in made.get_providers():
        raise MachineError(f"onnxruntime cannot use {device} on this machine; leave out --device")
    return made


def let_go(net: Any) -> None:
    """Has a net on the processor give back what it keeps for its largest pictures; it does so only while it runs."""
    runtime = import_module("onnxruntime")
    if net.get_providers()[0] == PROVIDERS["cpu"]:
        order = runtime.RunOptions()
        order.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        net.run(None, {given.name: np.zeros(_least(given.shape), np.float32) for given in net.get_inputs()}, order)


def _least(shape: Sequence[int | str]) -> list[int]:
    """The smallest picture of a shape whose sides may be open, which have names: batch, channels, height, width."""
    return [least if isinstance(side, str) else side for side, least in zip(shape, (1, 3, 32, 32), strict=True)]


def run(net: Any, outputs: Sequence[str] | None, inputs: Mapping[str, Any]) -> Sequence[Any]:
    """The `outputs` of a net (None: all); raises `MachineError` where it fails, as for want of memory on the way."""
    try:
        answers: Sequence[Any] = net.run(outputs, inputs)
    except Exception as e:  # noqa: BLE001 - onnxruntime raises a dozen kinds of its own
        raise MachineError(f"onnxruntime failed: {str(e)[:160]}; run again, or on another --device") from None
    return answers


def runtime_version() -> str:
    """The version of the runtime, whichever package brought it: `onnxruntime` or `onnxruntime-gpu`."""
    return str(import_module("onnxruntime").__version__)


def runtime_name() -> str:
    """The runtime and its version, for the record."""
    return f"onnxruntime {runtime_version()}"
