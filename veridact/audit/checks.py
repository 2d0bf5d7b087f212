"""What a check of a receipt results in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "fail", "not run"]
Level = Literal["chain", "anchor", "files", "content", "rerun"]
LEVELS: tuple[Level, ...] = ("chain", "anchor", "files", "content", "rerun")


@dataclass(frozen=True)
class Check:
    """The outcome of one check. One that was not run counts as a failure where it was `asked` for."""

    level: Level
    name: str
    status: Status
    detail: str
    asked: bool = True


def passed(checks: Sequence[Check]) -> bool:
    """Whether everything that was asked for passed: a check that was asked for and could not run did not."""
    return all(c.status == "pass" or (c.status == "not run" and not c.asked) for c in checks)


@dataclass(frozen=True)
class Finding:
    """The outcome of one content check."""

    name: str
    holds: bool
    detail: str
