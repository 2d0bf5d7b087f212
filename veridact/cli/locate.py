"""The command `locate`: its options, its progress and notes on stderr, its manifest on stdout or in a file."""

import os
import sys
from pathlib import Path
from typing import Any, cast, get_args

import click

from veridact import atomic_write
from veridact.cli.progress import Progress
from veridact.errors import MediaError, UsageError
from veridact.locate import batch, isolation
from veridact.locate.detectors.registry import DETECTORS
from veridact.locate.options import DEFAULT_LABELS, Options, parse_effect, parse_labels, parse_threshold
from veridact.locate.speech.pipeline import SpeechOptions
from veridact.locate.speech.recognizers.base import DEFAULT_RECOGNIZER, RECOGNIZERS
from veridact.sandbox import protocol
from veridact.schema.manifest import Container

PATH = click.Path(readable=False, path_type=Path)
SPEECH_OPTIONS = (
    "recognizer", "cover", "language", "spacy", "deny_words", "keep_words", "transcript", "allow_download",
)  # fmt: skip
"""The parameters of `SpeechOptions` among those of the command."""


class Stride(click.ParamType[int | None]):
    """A number of frames from 1 to 100, or `auto`, which is None."""

    name = "stride"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The value of the option; fails with a usage error for anything else."""
        if value == "auto":
            return None
        if not value.isdecimal() or not 1 <= int(value) <= 100:
            self.fail(f"{value!r} is neither `auto` nor a number from 1 to 100", param, ctx)
        return int(value)


def _write_manifest(manifest: bytes, target: Path | None) -> None:
    """Writes the manifest to a file, or to stdout for None and `-`."""
    if target is not None and str(target) != "-":
        atomic_write.put(target, manifest)
    else:
        sys.stdout.buffer.write(manifest)
        sys.stdout.buffer.flush()


def _locate_folder(media: Path, out: Path | None, options: Options, quiet: bool) -> int:
    """Searches a folder, with progress, then lists the refused files; the exit code is 4 if there are any, else 0."""
    if out is None or str(out) == "-":
        raise UsageError("a folder needs a folder for its manifests: -o DIR")
    if options.speech.transcript is not None:
        raise UsageError("--transcript is for a single file; name the file, not its folder")
    files = batch.list_files(media, out)
    reported: list[batch.Outcome] = []
    done = found = refused = 0
    report = Progress(quiet)
    try:
        for outcome in batch.locate_folder(media, files, out, options):
            done += 1
            found += outcome.found
            refused += outcome.reason is not None
            if outcome.reason is not None or (outcome.notes and not quiet):
                reported.append(outcome)
            report("files", done, len(files))
    finally:  # manifests that were written stay after an interruption, so their outcomes are reported
        for outcome in reported:
            for line in (outcome.reason,) if outcome.reason is not None else outcome.notes:
                click.echo(f"{protocol.printable(str(outcome.path))}: {line}", err=True)
        if not quiet and (done or not files):
            of = f"{done - refused} of {len(files)} files searched"
            click.echo(f"{of}, {found} tracks and ranges found, {refused} refused", err=True)
    return MediaError.exit_code if refused else 0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("media", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o",
    "out",
    type=click.Path(readable=False, path_type=Path, allow_dash=True),
    help="Write the manifest here, not to stdout.",
)
@click.option("--labels", help=f"What to find, with commas between; {','.join(DEFAULT_LABELS)} by default.")
@click.option("--detector", "detectors", multiple=True, metavar="NAME[:WEIGHTS[:CLASSMAP]]",
              help=f"A detector to use; may be repeated: {', '.join(DETECTORS)}.")  # fmt: skip
@click.option("--threshold", "thresholds", multiple=True, metavar="LABEL=SCORE",
              help="The score, up to 1, that a track must reach once; lower finds more.")  # fmt: skip
@click.option("--stride", type=Stride(), default="auto", show_default=True, metavar="N|auto",
              help="Search every Nth frame; auto searches more often where detections change.")  # fmt: skip
@click.option("--pad-frames", type=click.IntRange(0, 1000), default=3, show_default=True,
              help="Frames covered before the first and after the last detection of a track.")  # fmt: skip
@click.option("--effect", "effects", multiple=True, metavar="LABEL=EFFECT",
              help="How a label (or `default`) is hidden: solid, mosaic, blur; silence, beep.")  # fmt: skip
@click.option("--profile", type=click.Choice(["h264", "lossless"]), default="h264", show_default=True,
              help="How render encodes footage.")  # fmt: skip
@click.option("--container", type=click.Choice(get_args(Container)), help="What render writes; MP4 for footage.")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where models run."
)
@click.option("--recognizer", default=DEFAULT_RECOGNIZER, show_default=True, metavar="NAME[:MODEL]",
              help=f"The speech recogniser: {', '.join(RECOGNIZERS)}.")  # fmt: skip
@click.option("--speech", "cover", type=click.Choice(["pii", "all"]), default="pii", show_default=True,
              help="Cover personal information in speech, or all speech.")  # fmt: skip
@click.option("--language", default="en", show_default=True, help="The language of the speech.")
@click.option("--spacy", type=PATH, help="A spaCy pipeline that finds names and places in speech.")
@click.option("--deny-words", type=PATH, help="A file of words and phrases to cover wherever they are spoken.")
@click.option("--keep-words", type=PATH, help="A file of words and phrases never to cover.")
@click.option("--transcript", type=PATH, help="Write the transcript here; it holds everything that was said.")
@click.option("--allow-download", is_flag=True, help="Let a recogniser download a model that is not on this machine.")
@click.option("--text", type=click.Choice(["all", "pii"]),
              help="Cover all text of the label text (the default), or lines with personal information.")  # fmt: skip
@click.option("--allow-upload", is_flag=True, help="Let a cloud detector upload frames.")
@click.option("--quiet", is_flag=True, help="No progress and no remarks on stderr.")
def locate(
    media: Path,
    out: Path | None,
    labels: str | None,
    detectors: tuple[str, ...],
    thresholds: tuple[str, ...],
    effects: tuple[str, ...],
    container: str | None,
    quiet: bool,
    **given: Any,
) -> int:
    """Search MEDIA and write a manifest that proposes what to cover. Nothing in MEDIA is changed.

    MEDIA may be a folder; -o then names the folder for its manifests.
    """
    speech = {name: given.pop(name) for name in SPEECH_OPTIONS}
    speech |= {"device": given["device"]}
    options = Options(
        labels=DEFAULT_LABELS if labels is None else parse_labels(labels),
        detectors=detectors,
        thresholds=dict(map(parse_threshold, thresholds)),
        effects=dict(map(parse_effect, effects)),
        container=cast("Container | None", container),
        workers=len(os.sched_getaffinity(0)),
        speech=SpeechOptions(**speech),
        **given,
    )
    if media.is_dir():
        return _locate_folder(media, out, options, quiet)
    manifest, notes = isolation.locate_in_child(media, options, Progress(quiet))
    _write_manifest(manifest, out)
    for note in [] if quiet else notes:
        click.echo(note, err=True)
    return 0
