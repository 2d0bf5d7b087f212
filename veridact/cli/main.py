"""The command `veridact`: the group of all commands, each imported when it is used."""

from importlib import import_module
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from veridact import __version__
from veridact.cli import entry
from veridact.cli.runner import run

COMMANDS = {
    "locate": "veridact.cli.locate:locate",
    "render": "veridact.cli.render:render",
    "validate": "veridact.cli.validate:validate",
    "lint": "veridact.cli.lint:lint",
    "diff": "veridact.cli.diff:diff",
    "show": "veridact.cli.show:show",
    "upgrade": "veridact.cli.upgrade:upgrade",
    "combine": "veridact.cli.combine:combine",
    "edit": "veridact.cli.edit:edit",
    "export": "veridact.cli.export:export",
    "import": "veridact.cli.import_:import_",
    "score": "veridact.cli.score:score_command",
    "verify": "veridact.cli.verify:verify",
    "disclose": "veridact.cli.disclose:disclose",
    "keygen": "veridact.cli.keygen:keygen",
    "recreate": "veridact.cli.recreate:recreate",
}
"""Where each command is defined, as `module:function`; no command imports what only another one needs."""

__all__ = ["COMMANDS", "LazyGroup", "main", "run", "veridact"]


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order in which `--help` lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, imported now; None where there is none."""
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The names of commands and options; click would import every command for its help text."""
        names = [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Tab completion in bash: eval "$(_VERIDACT_COMPLETE=bash_source veridact)"; also zsh_source, fish_source.',
)
@click.version_option(__version__, prog_name="veridact")
def veridact() -> None:
    """Redaction you can prove: locate writes a manifest, render applies it, verify checks the receipt."""


def main() -> NoReturn:
    """The console script `veridact`, for callers that have imported this module."""
    entry.veridact()
