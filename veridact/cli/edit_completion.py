"""Tab completion of the arguments of `veridact edit`: verbs, effects, and what the manifest on the line holds."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from veridact.errors import VeridactError
from veridact.schema.manifest import Manifest
from veridact.tools import manifest_file
from veridact.tools.edit import completion
from veridact.tools.edit.completion import Candidates

MAX_BYTES = 16 << 20
"""A larger manifest takes longer to read than a person waits for a candidate, so nothing of it is offered."""


def _manifest(ctx: click.Context) -> Manifest | None:
    """The manifest that the line names, None where it is not there, not valid, too large, or standard input."""
    # After an option that still lacks its value, click leaves the words of the line in `args`.
    words = [ctx.params.get("manifest"), *ctx.args]
    named = next((str(word) for word in words if word is not None), "-")
    if named == "-":
        return None
    try:
        path = Path(named).expanduser()
        return manifest_file.read_path(path).manifest if path.stat().st_size <= MAX_BYTES else None
    except (VeridactError, OSError, RuntimeError):
        return None  # an error would be printed into the line that is being written


def _completions(candidates: Candidates) -> list[CompletionItem[str]]:
    return [CompletionItem(value, help=description or None) for value, description in candidates.items()]


def operations(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Completes the words of `veridact edit MANIFEST OP...`."""
    words = ctx.params.get("words") or ()
    return _completions(completion.operation(words, incomplete, _manifest(ctx)))


def expression(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Completes the value of `--where`."""
    return _completions(completion.expression(incomplete, _manifest(ctx), quoted=True))


def reviewers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Completes the value of `--reviewer`."""
    names = completion.reviewers(_manifest(ctx))
    return _completions({name: "" for name in names if name.startswith(incomplete)})
