"""`python -m veridact` is the command `veridact`."""

from veridact.cli.entry import veridact

veridact()
