"""The command `veridact edit`."""

from pathlib import Path

import click

from veridact import atomic_write
from veridact.cli import edit_completion
from veridact.cli.output import FILE, MANIFEST, OUTPUT_OPTION, SETTINGS, emit, read_file, remark
from veridact.errors import UsageError
from veridact.media import timeline
from veridact.schema import writer
from veridact.schema.manifest import Manifest
from veridact.tools import diff, manifest_file
from veridact.tools.edit import edits, operations, query


def _operations(words: tuple[str, ...], script: Path | None, expression: str | None) -> list[operations.Operation]:
    if bool(words) == (script is not None):
        raise UsageError("give an operation, as `accept face-0001`, or --script FILE; see `veridact edit --help`")
    predicate = query.parse(expression) if expression is not None else None
    if script is None:
        return operations.from_words(words, predicate)
    try:
        text = read_file(script, "script").decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{script}: the script is not UTF-8 text; save it as UTF-8") from None
    return operations.from_script(text, predicate)


def _remarks(before: Manifest, after: Manifest) -> None:
    old, new = diff.items_by_id(before), diff.items_by_id(after)
    fresh = [i for i in new if i not in old]
    changed = sum(new[i] != old[i] for i in old)
    remark(f"{changed} changed" + (f", new: {', '.join(fresh)}" if fresh else ""))


@click.command(
    context_settings=SETTINGS | {"ignore_unknown_options": True},
    epilog="\b\n" + operations.SYNTAX.replace("\n\n", "\n\n\b\n"),
)
@click.argument("manifest", type=MANIFEST)
@click.argument("words", metavar="OP...", nargs=-1, type=click.UNPROCESSED, shell_complete=edit_completion.operations)
@click.option("--script", type=MANIFEST, help="Operations from a file, one a line; all are applied or none.")
@click.option("--where", "expression", metavar="EXPR", shell_complete=edit_completion.expression,
              help="Select items for operations that name none, as 'score < 500'.")  # fmt: skip
@click.option("--reviewer", shell_complete=edit_completion.reviewers,
              help="A pseudonym of the reviewer, recorded in each item.")  # fmt: skip
@click.option("--reason", help="The reason, an exemption code or a text, recorded in each item.")
@click.option("--media", type=FILE, help="The media file, for times in seconds where the frame rate is not constant.")
@click.option("--dry-run", is_flag=True, help="Show what would change for a viewer and a listener; write nothing.")
@OUTPUT_OPTION
@click.option("--in-place", is_flag=True, help="Replace the manifest file.")
def edit(
    manifest: Path,
    words: tuple[str, ...],
    script: Path | None,
    expression: str | None,
    reviewer: str | None,
    reason: str | None,
    media: Path | None,
    dry_run: bool,
    out: Path | None,
    in_place: bool,
) -> None:
    """Change MANIFEST and record in each item who changed it and why.

    OP is an operation; the syntax follows below the options.
    """
    if in_place and (out is not None or str(manifest) == "-"):
        raise UsageError("--in-place replaces the manifest file; leave out -o and name a file")
    if script is not None and str(script) == str(manifest) == "-":
        raise UsageError("the manifest and the script cannot both be standard input")
    todo = _operations(words, script, expression)
    before = manifest_file.read_path(manifest).manifest
    clocks = timeline.clocks(before, media)
    after = edits.apply_all(before, todo, edits.EditContext(clocks, reviewer, reason))
    if dry_run:
        emit(diff.report(diff.compare(before, after, clocks)).encode(), None)
        return
    data = writer.write(after)
    if in_place:
        atomic_write.replace(manifest, data)
    else:
        emit(data, out)
    _remarks(before, after)
