"""The main path of `render`: open, check that manifest and footage belong together, render, read back, publish.

parent process: open_media ─► check_source ─┐                                      ┌─► attest ─► publish
child process, in the sandbox:              └─► selftest ─► render ─► read back ───┘

The child has the open file, the staging folder and nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from veridact.errors import SafetyError, UsageError
from veridact.media.containers import SUFFIXES
from veridact.media.reader import hash_descriptor
from veridact.media.video import MediaFile, check_source, open_media
from veridact.progress import ReportProgress
from veridact.render import receipt_entries, selftest
from veridact.render.pictures.stream import read_back_picture, render_picture
from veridact.render.publish import StagingFolder, staging_folder
from veridact.render.receipt_entries import RenderResult
from veridact.render.streams import read_back_footage, render_footage
from veridact.render.toolchain import toolchain
from veridact.sandbox import child
from veridact.sandbox.heartbeat import beating
from veridact.sandbox.policy import GIB, Active, Mode, Policy
from veridact.schema import reader, receipt
from veridact.schema.manifest import AudioRange, Manifest, Track, VideoStream
from veridact.schema.plan import effects

RENDERERS = {"video": render_footage, "audio": render_footage, "picture": render_picture}
"""How each kind of source is rendered into the staging folder."""

READERS: dict[str, Callable[[MediaFile, Manifest, StagingFolder, Any], RenderResult]] = {
    "video": read_back_footage,
    "audio": read_back_footage,
    "picture": read_back_picture,
}
"""How each kind of staged output is read back; the last argument is what its renderer returned."""

MEMORY_BYTES = 4 * GIB
BYTES_PER_PIXEL_PER_JOB = 400
"""The memory limit of a render: `MEMORY_BYTES`, and for each worker this much per pixel of the largest frame
(docs/limits.md has the measured need)."""

NOTHING_COVERED = "nothing would be covered; add a track, or give --allow-uncovered if that is right"


@dataclass(frozen=True)
class Options:
    """Options of a render, none of which changes a byte of the output; `jobs` is the number of workers."""

    jobs: int
    force: bool
    resume: bool
    require_review: bool
    allow_uncovered: bool
    sandbox: Mode = "auto"


@dataclass(frozen=True)
class RenderSummary:
    """A finished render: the output's digest, the head of its receipt, and the sandbox layers that were active."""

    output_sha256: str
    head: str
    sandbox: Active


RERUN_OPTIONS = Options(jobs=1, force=False, resume=False, require_review=False, allow_uncovered=True)
"""The options under which verification repeats a render: what was allowed once is allowed again."""


@contextmanager
def no_attestation(summary: RenderSummary) -> Iterator[None]:
    """An `attest` context that attests nothing."""
    yield


def render(
    media_path: Path, read: reader.LoadedManifest, output: Path, audit: Path, options: Options, report: ReportProgress,
    attest: Callable[[RenderSummary], AbstractContextManager[None]] = no_attestation,
) -> RenderSummary:  # fmt: skip
    """Opens the footage, checks that manifest and footage belong together, renders, reads back, publishes.

    The output and its receipt (`audit`) are both published, or neither is, inside the context that `attest` returns.
    """
    refuse_unsafe(read.manifest, options)
    check_suffix(output, read.manifest.output.container)
    with (
        open_media(media_path) as media,
        staging_folder(media_path, output, audit, options.force, options.resume) as staging,
    ):
        check_source(media, read.manifest.source.sha256)
        active = render_in_sandbox(media, read, staging, options, report)
        summary = read_back_receipt(staging, active)
        with attest(summary):
            staging.publish()
    return summary


def render_in_sandbox(
    media: MediaFile, read: reader.LoadedManifest, staging: StagingFolder, options: Options, report: ReportProgress
) -> Active:
    """Renders and reads back in a child process; returns the layers of the sandbox that were active there."""
    toolchain(media.format.name)  # cached before the fork, so that the child need not hash all packages again
    policy = Policy(memory_bytes(read.manifest, options.jobs * BYTES_PER_PIXEL_PER_JOB), writable=(staging.path,))
    child_options = child.ChildOptions(policy, options.sandbox, keep=(media.fd, staging.lock_fd))
    return child.run(partial(_render_and_read_back, media, read, staging, options), child_options, report).active


def _render_and_read_back(
    media: MediaFile, read: reader.LoadedManifest, staging: StagingFolder, options: Options, report: ReportProgress
) -> None:
    """In the child: tests the encoders, renders, reads back, and writes output and receipt into the staging folder."""
    manifest = read.manifest
    selftest.check(manifest)
    rendered = RENDERERS[manifest.source.kind](media, manifest, staging, options.jobs, report)
    result = READERS[manifest.source.kind](media, manifest, staging, rendered)
    refuse_uncovered(manifest, result, options)
    media.check_unchanged()
    entries = receipt_entries.bodies(read, result, toolchain(media.format.name), _digest_of_output(staging))
    staging.receipt.write_bytes(receipt.chain(beating(entries)))


def read_back_receipt(staging: StagingFolder, sandbox: Active) -> RenderSummary:
    """Checks the chain of the staged receipt; returns the summary of the render that it describes."""
    _, entries = receipt.read(staging.receipt.read_bytes())
    return RenderSummary(str(receipt.bodies(entries, "output")[0]["sha256"]), receipt.head(entries), sandbox)


def memory_bytes(manifest: Manifest, bytes_per_pixel: int) -> int:
    """The memory limit for a manifest's footage, with `bytes_per_pixel` for each pixel of its largest frame."""
    sizes = [s.coded_width * s.coded_height for s in manifest.source.streams if isinstance(s, VideoStream)]
    return MEMORY_BYTES + max(sizes, default=0) * bytes_per_pixel


def _digest_of_output(staging: StagingFolder) -> dict[str, str | int]:
    """SHA-256 and length in bytes of the staged output."""
    with staging.output.open("rb") as file:
        return {"sha256": hash_descriptor(file.fileno()), "bytes": staging.output.stat().st_size}


def refuse_unsafe(manifest: Manifest, options: Options) -> None:
    """Raises `SafetyError` for proposed items where a review is required, and for a manifest that covers nothing."""
    items: list[Track | AudioRange] = [*manifest.tracks, *manifest.audio]
    proposed = [item.id for item in items if item.review == "proposed"]
    if options.require_review and proposed:
        raise SafetyError(f"{len(proposed)} items are still proposed, {proposed[0]} first; review them")
    if manifest.scope == "listed" and not any(effects.counts(i) for i in items) and not options.allow_uncovered:
        raise SafetyError(NOTHING_COVERED)


def refuse_uncovered(manifest: Manifest, result: RenderResult, options: Options) -> None:
    """Raises `SafetyError` when no pixel and no sample was covered, as where every box lies off the picture."""
    no_pixel = not any(pixels for _, pixels in result.covered.values())
    no_sample = not any(result.ranges.values())
    if manifest.scope == "listed" and no_pixel and no_sample and not options.allow_uncovered:
        raise SafetyError(NOTHING_COVERED)


def check_suffix(output: Path, container: str) -> None:
    """Raises `UsageError` when the suffix of the output is not one of its container."""
    if output.suffix.lower() not in SUFFIXES[container]:
        raise UsageError(f"the manifest's container is {container}; name the output *{SUFFIXES[container][0]}")
