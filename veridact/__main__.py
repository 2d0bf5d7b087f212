"""`python -m veridact` is the command `veridact`."""

from veridact.cli.main import main

main()
