"""Tab completion in bash, zsh and fish: how a shell asks a command for candidates, and the answer.

A shell runs the command with `_VERIDACT_COMPLETE=bash_complete` (`_LOCATE_COMPLETE`, `_RENDER_COMPLETE`), the words of
the line in `COMP_WORDS` and the index of the incomplete one in `COMP_CWORD`, and reads candidates from standard output.
With `bash_source` the command prints the script that makes the shell do so.
"""

import os

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

from veridact.errors import UsageError, VeridactError


class _KeepOption(ShellComplete):
    """A shell that replaces the whole word `--option=value`, for which click gives the value alone."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """The candidates of click, each beginning with the option that is joined to it."""
        option, sign, _ = incomplete.partition("=")
        items = super().get_completions(args, incomplete)
        for item in items if option.startswith("--") else ():
            if sign and item.type == "plain":
                item.value = option + sign + item.value
        return items


class _Bash(_KeepOption, BashComplete):
    """Bash, which splits words at `=` and replaces only what follows it.

    It gives `effect label=fa` as the words `effect`, `label`, `=`, `fa`. They are joined again to complete `label=fa`,
    and of the candidate `label=face` it gets `face`.
    """

    _retained = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words after the command and before the incomplete one, and that one, as the person wrote them."""
        words = split_arg_string(os.environ["COMP_WORDS"])
        at = int(os.environ["COMP_CWORD"])
        current = words[at] if at < len(words) else ""
        joined: list[str] = []
        glue = False
        for word in [*words[1:at], current]:
            is_sign = bool(word) and not word.strip("=")
            if joined and (glue or is_sign):
                joined[-1] += word
            else:
                joined.append(word)
            glue = is_sign
        *args, incomplete = joined
        self._retained = incomplete if not current.strip("=") else incomplete[: -len(current)]
        return args, incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        """A line of type and value, as the script in bash reads it."""
        return f"{item.type},{item.value.removeprefix(self._retained)}"


class _Zsh(_KeepOption, ZshComplete):
    """Zsh, which replaces the whole word."""


class _Fish(_KeepOption, FishComplete):
    """Fish, which replaces the whole word."""


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def answer(command: click.Command, name: str) -> bool:
    """Answers a shell that asks for candidates or for the script; False where none asks.

    Raises `UsageError` where the variable asks for anything else.
    """
    variable = f"_{name.upper()}_COMPLETE"
    request = os.environ.get(variable)
    if not request:
        return False
    shell, _, what = request.partition("_")
    if shell not in SHELLS or what not in {"source", "complete"}:
        raise UsageError(f"{variable}={request}: give one of {', '.join(f'{s}_source' for s in SHELLS)}")
    asked = SHELLS[shell](command, {}, name, variable)
    if what == "source":
        click.echo(asked.source())
        return True
    try:
        click.echo(asked.complete())
    except (click.ClickException, VeridactError, LookupError, ValueError):
        return True  # no shell gives such variables, or the line is no command so far: there are no candidates
    return True
