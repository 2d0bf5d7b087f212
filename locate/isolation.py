"""What the child process of `locate` may do: it decodes, so it is confined as far as its models allow.

Models that arrive with their packages, and detectors that are a plain ONNX file, only read the files that are named.
The others load large libraries that write settings, start programs, drive a graphics card or use the network; their
process gets a limit on memory and no new privileges, but keeps files and network.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from veridact.atomic_write import own_folder
from veridact.files import open_regular
from veridact.locate.detectors.base import Detector
from veridact.locate.detectors.registry import parse_spec
from veridact.locate.options import Options
from veridact.locate.pipeline import LocateResult, detectors_for, locate
from veridact.progress import ReportProgress
from veridact.sandbox import child, protocol
from veridact.sandbox.child import ChildOptions
from veridact.sandbox.heartbeat import patience
from veridact.sandbox.policy import GIB, Policy
from veridact.schema import reader, writer

CONFINED_DETECTORS = frozenset({"centerface", "rapidocr", "onnx", "yunet"})
CONFINED_RECOGNIZERS = frozenset({"pocketsphinx", "words"})
"""Those that work without files of their own, without network and without programs."""

MEMORY_BYTES, WORKER_MEMORY_BYTES = 8 * GIB, GIB
PROCESSOR = Path("/sys/devices/system/cpu")
"""Where onnxruntime reads how many cores there are."""

NO_REPORTS = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
"""Environment variables that keep libraries of models from reporting on their use to their makers. They are read when
the libraries are imported: onnxruntime from 1.31 on would else note each run in the user's cache, under a number for
the machine, and send it."""


def can_be_confined(options: Options) -> bool:
    """Whether all that the options ask for works without network and without files that are not named."""
    detectors = {spec.partition(":")[0] for spec in options.detectors}
    recognizers = {options.speech.recognizer.partition(":")[0]} if options.audio_labels else set()
    outward = options.allow_upload or options.speech.allow_download or options.device != "cpu"
    known = detectors <= CONFINED_DETECTORS and recognizers <= CONFINED_RECOGNIZERS
    return known and not options.speech.spacy and not outward


@contextmanager
def confinement(media: Path, options: Options) -> Iterator[ChildOptions]:
    """How the process is confined that reads `media`, a file or a folder.

    Recognisers get a folder of their own for temporary files.
    """
    speech = options.speech
    given = [*(parse_spec(spec)[1] for spec in options.detectors), speech.recognizer.partition(":")[2]]
    files = [media, PROCESSOR, *map(Path, filter(None, given)), *filter(None, (speech.deny_words, speech.keep_words))]
    memory = MEMORY_BYTES + options.workers * WORKER_MEMORY_BYTES
    written = [speech.transcript.absolute().parent] if speech.transcript else []
    with ExitStack() as folders:
        if options.audio_labels:
            written.insert(0, folders.enter_context(own_folder()))
        yield ChildOptions(Policy(memory, tuple(files), tuple(written), confined=can_be_confined(options)))


def load_models(child_options: ChildOptions, options: Options) -> Sequence[Detector]:
    """The detectors; changes settings of the whole process that they and the recognisers read, so call it in a child.

    Environment variables forbid reports, and temporary files go to the child's own folder.
    """
    os.environ.update(NO_REPORTS)
    if options.audio_labels:
        tempfile.tempdir = str(child_options.policy.writable[0])
    with patience():
        return detectors_for(options)


def locate_in_child(media: Path, options: Options, report: ReportProgress) -> tuple[bytes, list[str]]:
    """The manifest of a file, formatted, and remarks for the caller, a line each; the models are gone afterwards."""
    os.close(open_regular(media))  # what is not a regular file is refused before models are loaded
    if media.is_relative_to("/dev"):
        media = media.resolve()  # /dev/stdin is another file in the child
    with confinement(media, options) as child_options:
        found = child.run(partial(_located, media, options, child_options), child_options, report).value
    manifest = reader.read(found["manifest"].encode()).raw
    return manifest, [protocol.printable(remark) for remark in found["remarks"]]


def _located(media: Path, options: Options, child_options: ChildOptions, report: ReportProgress) -> dict[str, Any]:
    located = locate(media, options, load_models(child_options, options), report)
    with patience():
        return {"manifest": writer.write(located.manifest).decode(), "remarks": remarks_on(located, options)}


def remarks_on(located: LocateResult, options: Options) -> list[str]:
    """What the caller should know besides the manifest, a line each."""
    kinds = {s.type for s in located.manifest.source.streams}
    remarks = list(located.notes)
    if not options.audio_labels and "audio" in kinds:
        remarks.append("the sound was not searched and is kept: --labels names nothing that can be heard")
    if not options.video_labels and kinds & {"video", "picture"}:
        remarks.append("the picture was not searched and is kept: --labels names nothing that can be seen")
    if not located.manifest.tracks and not located.manifest.audio:
        remarks.append("nothing was found; render refuses a manifest that covers nothing (exit 6)")
    return remarks
