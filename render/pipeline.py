"""The main path of `render`: read the manifest, check that it fits the footage, paint, encode, check, publish.

What decodes runs in a process of its own, which gets the open file and the hidden folder and nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from veridact.errors import SafetyError, UsageError
from veridact.media.containers import SUFFIXES
from veridact.media.reader import hash_descriptor
from veridact.media.video import MediaFile, check_source, open_media
from veridact.progress import ReportProgress
from veridact.render import receipt_entries, selftest
from veridact.render.pictures.stream import render_picture
from veridact.render.publish import Place, work_in
from veridact.render.receipt_entries import Rendered
from veridact.render.streams import render_footage
from veridact.render.toolchain import toolchain
from veridact.sandbox import child
from veridact.sandbox.heartbeat import beating
from veridact.sandbox.policy import GIB, Active, Mode, Policy
from veridact.schema import reader, receipt
from veridact.schema.manifest import AudioRange, Manifest, Track, VideoStream
from veridact.schema.plan import effects

RENDERERS = {"video": render_footage, "audio": render_footage, "picture": render_picture}
"""How each kind of source is rendered to `place.new_output`."""

MEMORY_BYTES = 4 * GIB
JOB_BYTES_A_PIXEL = 400
"""What a render may take: so much, and for each worker so much for each pixel of the largest frame. docs/limits.md
says what it does take."""

NOTHING_COVERED = "nothing would be covered; add a track, or give --allow-uncovered if that is right"


@dataclass(frozen=True)
class Options:
    """What the command line may decide: nothing that changes a byte of the output."""

    jobs: int
    force: bool
    resume: bool
    require_review: bool
    allow_uncovered: bool
    sandbox: Mode = "auto"


@dataclass(frozen=True)
class Done:
    """What a render made: the digest of the output and the head of the receipt; and what of the sandbox was on."""

    output_sha256: str
    head: str
    sandbox: Active


REPEAT = Options(jobs=1, force=False, resume=False, require_review=False, allow_uncovered=True)
"""How a render is repeated for verification: refusals that were overridden once are not asked again."""


@contextmanager
def unsigned(done: Done) -> Iterator[None]:
    """Says nothing of a run."""
    yield


def render(
    media_path: Path, read: reader.Read, output: Path, audit: Path, options: Options, report: ReportProgress,
    signed: Callable[[Done], AbstractContextManager[None]] = unsigned,
) -> Done:  # fmt: skip
    """Applies a manifest to the footage it was made for; returns what it made.

    Either both `output` and `audit` are written whole, or neither is. They are published within `signed`.
    """
    refuse_unsafe(read.manifest, options)
    check_suffix(output, read.manifest.output.container)
    with open_media(media_path) as media, work_in(media_path, output, audit, options.force, options.resume) as place:
        check_source(media, read.manifest.source.sha256)
        toolchain(media.format.name)  # remembered before the fork, so that the child need not read all packages again
        policy = Policy(memory_bytes(read.manifest, options.jobs * JOB_BYTES_A_PIXEL), writable=(place.folder,))
        child_options = child.ChildOptions(policy, options.sandbox, keep=(media.fd, place.lock))
        ended = child.run(partial(_make, media, read, place, options), child_options, report)
        _, entries = receipt.read(place.new_audit.read_bytes())
        done = Done(str(receipt.bodies(entries, "output")[0]["sha256"]), receipt.head(entries), ended.active)
        with signed(done):
            place.publish()
    return done


def _make(media: MediaFile, read: reader.Read, place: Place, options: Options, report: ReportProgress) -> None:
    """Makes output and receipt in the hidden folder: all that touches what is inside the media."""
    selftest.check(read.manifest)
    rendered = RENDERERS[read.manifest.source.kind](media, read.manifest, place, options.jobs, report)
    refuse_uncovered(read.manifest, rendered, options)
    media.check_unchanged()
    packages = toolchain(media.format.name)
    entries = receipt_entries.bodies(read, rendered, packages, _digest_of(place))
    place.new_audit.write_bytes(receipt.chain(beating(entries)))


def memory_bytes(manifest: Manifest, bytes_a_pixel: int) -> int:
    """What may be taken for the footage of a manifest."""
    sizes = [s.coded_width * s.coded_height for s in manifest.source.streams if isinstance(s, VideoStream)]
    return MEMORY_BYTES + max(sizes, default=0) * bytes_a_pixel


def _digest_of(place: Place) -> dict[str, str | int]:
    with open(place.new_output, "rb") as file:
        return {"sha256": hash_descriptor(file.fileno()), "bytes": place.new_output.stat().st_size}


def refuse_unsafe(manifest: Manifest, options: Options) -> None:
    """Refuses a manifest under which something might be shown that was not meant to be."""
    items: list[Track | AudioRange] = [*manifest.tracks, *manifest.audio]
    waiting = [item.id for item in items if item.review == "proposed"]
    if options.require_review and waiting:
        raise SafetyError(f"{len(waiting)} items are still proposed, {waiting[0]} first; review them")
    if manifest.scope == "listed" and not any(effects.counts(i) for i in items) and not options.allow_uncovered:
        raise SafetyError(NOTHING_COVERED)


def refuse_uncovered(manifest: Manifest, rendered: Rendered, options: Options) -> None:
    """Refuses a result in which nothing was covered, though the manifest lists something."""
    shown = not any(pixels for _, pixels in rendered.covered.values())
    heard = not any(rendered.ranges.values())
    if manifest.scope == "listed" and shown and heard and not options.allow_uncovered:
        raise SafetyError(NOTHING_COVERED)


def check_suffix(output: Path, container: str) -> None:
    """The name of the output must say what it is."""
    if output.suffix.lower() not in SUFFIXES[container]:
        raise UsageError(f"the manifest's container is {container}; name the output *{SUFFIXES[container][0]}")
