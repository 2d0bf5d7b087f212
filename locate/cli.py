"""The command `locate`: its options, its progress on stderr, its manifest on stdout or in a file."""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import cast, get_args

import click

from locate import options as asked
from locate.detector import DETECTORS
from locate.options import Options
from locate.pipeline import locate as locate_file
from schema import cli, formatter
from schema.manifest import Container, Manifest

PROGRESS_SECONDS = 0.2


class Stride(click.ParamType[int | None]):
    """A number of frames, or `auto`, which is None."""

    name = "stride"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "auto":
            return None
        if not value.isdecimal() or not 1 <= int(value) <= 100:
            self.fail(f"{value!r} is neither `auto` nor a number from 1 to 100", param, ctx)
        return int(value)


class Progress:
    """Writes how far a search is to stderr when that is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._next = 0.0
        self._began = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._shown and (now >= self._next or done == total):
            self._next = now + PROGRESS_SECONDS
            rate = done / max(now - self._began, 0.001)
            left = f"/{total}  {rate:.1f} fps  {(total - done) / rate:.0f} s left" if total else f"  {rate:.1f} fps"
            click.echo(f"\r{what} {done}{left}   ", err=True, nl=done == total)


def _write(manifest: bytes, target: Path | None) -> None:
    """To stdout, or to a file that appears only when it is whole."""
    if target is None or str(target) == "-":
        sys.stdout.buffer.write(manifest)
        sys.stdout.buffer.flush()
        return
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".veridact-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(manifest)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _remarks(manifest: Manifest) -> list[str]:
    """What the caller should know besides the manifest."""
    remarks = []
    sound = [str(s.index) for s in manifest.source.streams if s.type == "audio"]
    if sound:
        remarks.append(f"stream {', '.join(sound)}: the sound was not searched and is kept as it is")
    if not manifest.tracks:
        remarks.append("nothing was found; render refuses a manifest that covers nothing (exit 6)")
    return remarks


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("media", type=click.Path(path_type=Path))
@click.option(
    "-o", "out", type=click.Path(path_type=Path, allow_dash=True), help="Write the manifest here, not to stdout."
)
@click.option("--labels", help=f"What to look for, with commas between; {','.join(asked.DEFAULT_SEEN)} by default.")
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
@click.option("--allow-upload", is_flag=True, help="Let a cloud detector send frames away.")
@click.option("--quiet", is_flag=True, help="No progress and no remarks on stderr.")
def locate(
    media: Path,
    out: Path | None,
    labels: str | None,
    detectors: tuple[str, ...],
    thresholds: tuple[str, ...],
    stride: int | None,
    pad_frames: int,
    effects: tuple[str, ...],
    profile: str,
    container: str | None,
    device: str,
    allow_upload: bool,
    quiet: bool,
) -> None:
    """Look through MEDIA and write a manifest that proposes what to cover. Nothing in MEDIA is changed."""
    options = Options(
        labels=asked.parse_labels(labels) if labels else asked.DEFAULT_SEEN,
        detectors=detectors,
        thresholds=dict(map(asked.parse_threshold, thresholds)),
        stride=stride,
        pad_frames=pad_frames,
        effects=dict(map(asked.parse_effect, effects)),
        profile=profile,
        container=cast("Container | None", container),
        device=device,
        allow_upload=allow_upload,
        workers=len(os.sched_getaffinity(0)),
    )
    manifest = locate_file(media, options, Progress(quiet))
    _write(formatter.write(manifest), out)
    for remark in [] if quiet else _remarks(manifest):
        click.echo(remark, err=True)


def main() -> None:
    """The console script `locate`."""
    sys.exit(cli.run(locate, "locate"))
