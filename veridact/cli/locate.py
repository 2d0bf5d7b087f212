"""The command `locate`: its options, its progress on stderr, its manifest on stdout or in a file."""

import os
import sys
from pathlib import Path
from typing import Any, cast, get_args

import click

from veridact import atomic_write
from veridact.cli import runner
from veridact.cli.progress import Progress
from veridact.errors import MediaError, UsageError
from veridact.locate import batch, isolation
from veridact.locate import options as asked
from veridact.locate.detectors.registry import DETECTORS
from veridact.locate.options import Options
from veridact.locate.speech.pipeline import HearOptions
from veridact.locate.speech.recognizers.base import DEFAULT_RECOGNIZER, RECOGNIZERS
from veridact.sandbox import protocol
from veridact.schema.manifest import Container

PATH = click.Path(readable=False, path_type=Path)
HEARING = (
    "recognizer", "speech", "language", "spacy", "deny_words", "keep_words", "transcript", "allow_download",
)  # fmt: skip
"""Options that are handed to the listening side as they are."""


class Stride(click.ParamType[int | None]):
    """A number of frames, or `auto`, which is None."""

    name = "stride"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "auto":
            return None
        if not value.isdecimal() or not 1 <= int(value) <= 100:
            self.fail(f"{value!r} is neither `auto` nor a number from 1 to 100", param, ctx)
        return int(value)


def _emit(manifest: bytes, target: Path | None) -> None:
    if target is not None and str(target) != "-":
        atomic_write.put(target, manifest)
    else:
        sys.stdout.buffer.write(manifest)
        sys.stdout.buffer.flush()


def _folder(media: Path, out: Path | None, options: Options, quiet: bool) -> int:
    """Searches a folder with a progress bar; says what was refused and ends with exit code 4 if anything was."""
    if out is None or str(out) == "-":
        raise UsageError("a folder needs a folder for its manifests: -o DIR")
    if options.hearing.transcript is not None:
        raise UsageError("--transcript is of one file; name the file, not its folder")
    files = batch.files_in(media, out)
    told: list[batch.Outcome] = []
    done = found = refused = 0
    report = Progress(quiet)
    try:
        for outcome in batch.locate_folder(media, files, out, options):
            done += 1
            found += outcome.found
            refused += outcome.reason is not None
            if outcome.reason is not None or (outcome.remarks and not quiet):
                told.append(outcome)
            report("files", done, len(files))
    finally:  # what was done stays, also where the rest is not
        for outcome in told:
            for line in (outcome.reason,) if outcome.reason is not None else outcome.remarks:
                click.echo(f"{protocol.printable(str(outcome.path))}: {line}", err=True)
        if not quiet and (done or not files):
            of = f"{done - refused} of {len(files)} files searched"
            click.echo(f"{of}, {found} things found, {refused} refused", err=True)
    return MediaError.exit_code if refused else 0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("media", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o",
    "out",
    type=click.Path(readable=False, path_type=Path, allow_dash=True),
    help="Write the manifest here, not to stdout.",
)
@click.option("--labels", help=f"What to look for, with commas between; {','.join(asked.DEFAULT_LABELS)} by default.")
@click.option("--detector", "detectors", multiple=True, metavar="NAME[:WEIGHTS[:CLASSMAP]]",
              help=f"A model to look with, again for more: {', '.join(DETECTORS)}.")  # fmt: skip
@click.option("--threshold", "thresholds", multiple=True, metavar="LABEL=SCORE",
              help="The score, up to 1, that a thing must reach once; lower finds more.")  # fmt: skip
@click.option("--stride", type=Stride(), default="auto", show_default=True, metavar="N|auto",
              help="Look at every Nth frame; auto looks where things change.")  # fmt: skip
@click.option("--pad-frames", type=click.IntRange(0, 1000), default=3, show_default=True,
              help="Frames that a cover lasts before the first and after the last sighting.")  # fmt: skip
@click.option("--effect", "effects", multiple=True, metavar="LABEL=EFFECT",
              help="How a label (or `default`) is hidden: solid, mosaic, blur; silence, beep.")  # fmt: skip
@click.option("--profile", type=click.Choice(["h264", "lossless"]), default="h264", show_default=True,
              help="How render encodes footage.")  # fmt: skip
@click.option("--container", type=click.Choice(get_args(Container)), help="What render writes; MP4 for footage.")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where models run."
)
@click.option("--recognizer", default=DEFAULT_RECOGNIZER, show_default=True, metavar="NAME[:MODEL]",
              help=f"What listens: {', '.join(RECOGNIZERS)}.")  # fmt: skip
@click.option("--speech", type=click.Choice(["pii", "all"]), default="pii", show_default=True,
              help="Cover what is personal in speech, or all of it.")  # fmt: skip
@click.option("--language", default="en", show_default=True, help="The language that is spoken.")
@click.option("--spacy", type=PATH, help="A spaCy pipeline that finds names and places in what is said.")
@click.option("--deny-words", type=PATH, help="A file of words and phrases to cover wherever they are said.")
@click.option("--keep-words", type=PATH, help="A file of words and phrases never to cover.")
@click.option("--transcript", type=PATH, help="Write what was understood here; it holds everything that was said.")
@click.option("--allow-download", is_flag=True, help="Let a recogniser fetch a model that it does not have.")
@click.option("--text", type=click.Choice(["all", "pii"]),
              help="Cover all of the label text (as usual), or the lines that are personal.")  # fmt: skip
@click.option("--allow-upload", is_flag=True, help="Let a cloud detector send frames away.")
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
    """Look through MEDIA and write a manifest that proposes what to cover. Nothing in MEDIA is changed.

    MEDIA may be a folder; -o then names the folder for its manifests.
    """
    hearing = {name: given.pop(name) for name in HEARING}
    hearing |= {"device": given["device"]}
    options = Options(
        labels=asked.DEFAULT_LABELS if labels is None else asked.parse_labels(labels),
        detectors=detectors,
        thresholds=dict(map(asked.parse_threshold, thresholds)),
        effects=dict(map(asked.parse_effect, effects)),
        container=cast("Container | None", container),
        workers=len(os.sched_getaffinity(0)),
        hearing=HearOptions(**hearing),
        **given,
    )
    if media.is_dir():
        return _folder(media, out, options, quiet)
    manifest, remarks = isolation.locate_in_child(media, options, Progress(quiet))
    _emit(manifest, out)
    for remark in [] if quiet else remarks:
        click.echo(remark, err=True)
    return 0


def main() -> None:
    """The console script `locate`."""
    sys.exit(runner.run(locate, "locate"))
