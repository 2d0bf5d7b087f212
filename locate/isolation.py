"""What the process that searches may do: it decodes, so it is shut in, as far as its models allow.

Models that arrive with their packages, and detectors that are a plain ONNX file, need to read what they are given and
nothing else. The others load large libraries that write settings, start programs, drive a graphics card or talk to the
network; their process gets a limit on memory and no new privileges, but keeps files and network.
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

DETECTORS = frozenset({"centerface", "rapidocr", "onnx", "yunet"})
RECOGNIZERS = frozenset({"pocketsphinx", "words"})
"""Those that work without files of their own, without network and without programs."""

MEMORY_BYTES, WORKER_MEMORY_BYTES = 8 * GIB, GIB
PROCESSOR = Path("/sys/devices/system/cpu")
"""Where onnxruntime reads how many cores there are."""


def can_be_shut(options: Options) -> bool:
    """Whether all that the options ask for works without network and without files that are not named."""
    seen = {spec.partition(":")[0] for spec in options.detectors}
    heard = {options.speech.recognizer.partition(":")[0]} if options.audio_labels else set()
    outward = options.allow_upload or options.speech.allow_download or options.device != "cpu"
    return seen <= DETECTORS and heard <= RECOGNIZERS and not options.speech.spacy and not outward


@contextmanager
def shut_in(media: Path, options: Options) -> Iterator[ChildOptions]:
    """The terms under which `media`, a file or a folder, is searched.

    Recognisers get a folder of their own for temporary files.
    """
    hearing = options.speech
    given = [*(parse_spec(spec)[1] for spec in options.detectors), hearing.recognizer.partition(":")[2]]
    files = [media, PROCESSOR, *map(Path, filter(None, given)), *filter(None, (hearing.deny_words, hearing.keep_words))]
    memory = MEMORY_BYTES + options.workers * WORKER_MEMORY_BYTES
    written = [hearing.transcript.absolute().parent] if hearing.transcript else []
    with ExitStack() as folders:
        if options.audio_labels:
            written.insert(0, folders.enter_context(own_folder()))
        yield ChildOptions(Policy(memory, tuple(files), tuple(written), shut=can_be_shut(options)))


def ready(terms: ChildOptions, options: Options) -> Sequence[Detector]:
    """The models, loaded in the process that searches; its temporary files go to its own folder from now on."""
    if options.audio_labels:
        tempfile.tempdir = str(terms.box.writable[0])
    with patience():
        return detectors_for(options)


def search(media: Path, options: Options, report: ReportProgress) -> tuple[bytes, list[str]]:
    """The manifest of a file, and what the caller should know besides it, from a process that is gone afterwards."""
    os.close(open_regular(media))  # what is none is told before models are loaded
    if media.is_relative_to("/dev"):
        media = media.resolve()  # /dev/stdin is another file there
    with shut_in(media, options) as terms:
        found = child.run(partial(_searched, media, options, terms), terms, report).value
    manifest = reader.read(found["manifest"].encode()).raw
    return manifest, [protocol.printable(remark) for remark in found["remarks"]]


def _searched(media: Path, options: Options, terms: ChildOptions, report: ReportProgress) -> dict[str, Any]:
    located = locate(media, options, ready(terms, options), report)
    with patience():
        return {"manifest": writer.write(located.manifest).decode(), "remarks": remarks_on(located, options)}


def remarks_on(located: LocateResult, options: Options) -> list[str]:
    """What the caller should know besides the manifest."""
    kinds = {s.type for s in located.manifest.source.streams}
    remarks = list(located.notes)
    if not options.audio_labels and "audio" in kinds:
        remarks.append("the sound was not searched and is kept: --labels names nothing that can be heard")
    if not options.video_labels and kinds & {"video", "picture"}:
        remarks.append("the picture was not searched and is kept: --labels names nothing that can be seen")
    if not located.manifest.tracks and not located.manifest.audio:
        remarks.append("nothing was found; render refuses a manifest that covers nothing (exit 6)")
    return remarks
