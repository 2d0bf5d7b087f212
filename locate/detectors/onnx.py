"""ONNX models: finding weights inside installed packages, checking their digest, opening and running sessions.

Each session uses one thread; several frames of a clip are processed in parallel instead (see `sampling.sampler`).
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

MALLOC_ARENAS, MMAP_THRESHOLD_BYTES = 2, 8 << 20
"""Limits of the C library's allocator. By default each thread gets an arena of its own, which retains what pictures
freed: two arenas cost about 40 MB less. Whole pictures are mapped outside of them; the input tensors of models are
smaller, and mapping those again for each frame takes 3 ms."""

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
EXTRA = "pip install 'veridact[locate]'"

SOURCES = {
    "yunet": "face_detection_yunet_2023mar.onnx from github.com/opencv/opencv_zoo",
    "onnx": "a model such as the plate detector of github.com/szad670401/HyperLPR",
    "ultralytics": "a YOLO model such as yolo11n.pt from github.com/ultralytics/assets",
}
"""Where to get weights that no package contains, by detector."""


def packaged_path(package: str, name: str, sha256: str) -> Path:
    """The path of weights inside an installed package, which is not imported.

    Raises `MissingModelError` where package or file is missing, or where the digest of the file is not `sha256`.
    """
    try:
        listed = distribution(package).files or []
    except PackageNotFoundError:
        raise MissingModelError(f"the weights {name} come with the package {package}; install it: {EXTRA}") from None
    path = next((Path(str(f.locate())) for f in listed if f.name == name), None)
    if path is None or not path.is_file():
        raise MissingModelError(f"the package {package} is installed without its {name}; reinstall it: {EXTRA}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise MissingModelError(
            f"{name} of the package {package} is not the file this version expects; reinstall it: {EXTRA}"
        )
    return path


def weights_path(detector: str, weights: str | None) -> Path:
    """The path of the weights that the user names; raises `MissingModelError` where none is named or it is no file."""
    if not weights:
        raise MissingModelError(f"the detector {detector} needs weights; {_advice(detector)}")
    path = Path(weights)
    if not path.is_file():
        raise MissingModelError(f"{path}: no such file; {_advice(detector)}")
    return path


def _advice(detector: str) -> str:
    return f"get {SOURCES[detector]}, and name the file with --detector {detector}:WEIGHTS"


def session(model: bytes, device: str) -> Any:
    """An onnxruntime session with one thread on `device`.

    Raises `MissingModelError` where the runtime or its build for the device is missing or the model cannot be read, and
    `MachineError` where the device cannot be used.
    """
    try:
        runtime = import_module("onnxruntime")
    except ImportError:
        raise MissingModelError(f"this detector needs onnxruntime: {EXTRA}") from None
    provider = PROVIDERS[device]
    if provider not in runtime.get_available_providers():
        raise MissingModelError(f"the installed onnxruntime has no {device}; pip install onnxruntime-gpu")
    syscalls.share_heaps(MALLOC_ARENAS, MMAP_THRESHOLD_BYTES)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # input sizes differ from call to call
    options.log_severity_level = 3
    try:
        opened = runtime.InferenceSession(model, options, providers=[provider])
    except Exception as e:  # noqa: BLE001 - onnxruntime raises a dozen exception types for a file it cannot read
        raise MissingModelError(f"onnxruntime cannot read these weights: {str(e)[:160]}") from None
    if provider not in opened.get_providers():
        raise MachineError(f"onnxruntime cannot use {device} on this machine; leave out --device")
    return opened


def release_arena(opened: Any) -> None:
    """Frees the memory arena that a session on the CPU retains for its largest input so far.

    onnxruntime shrinks an arena only at the end of a run, so the model is run once on the smallest input.
    """
    runtime = import_module("onnxruntime")
    if opened.get_providers()[0] == PROVIDERS["cpu"]:
        options = runtime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        inputs = {each.name: np.zeros(_smallest(each.shape), np.float32) for each in opened.get_inputs()}
        opened.run(None, inputs, options)


def _smallest(shape: Sequence[int | str]) -> list[int]:
    """The smallest shape `[batch, channels, height, width]` of an input; its dynamic dimensions are strings."""
    return [least if isinstance(side, str) else side for side, least in zip(shape, (1, 3, 32, 32), strict=True)]


def run(opened: Any, outputs: Sequence[str] | None, inputs: Mapping[str, Any]) -> Sequence[Any]:
    """The named outputs of a session (None: all); raises `MachineError` where it fails, as for lack of memory."""
    try:
        results: Sequence[Any] = opened.run(outputs, inputs)
    except Exception as e:  # noqa: BLE001 - onnxruntime raises a dozen exception types of its own
        raise MachineError(f"onnxruntime failed: {str(e)[:160]}; run again, or on another --device") from None
    return results


def runtime_version() -> str:
    """The version of the runtime, from the package `onnxruntime` or `onnxruntime-gpu`."""
    return str(import_module("onnxruntime").__version__)


def runtime_name() -> str:
    """The runtime and its version, as the manifest records it."""
    return f"onnxruntime {runtime_version()}"
