"""What a check of a receipt results in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "fail", "not run"]
Level = Literal["chain", "anchor", "files", "content", "rerun"]
LEVELS: tuple[Level, ...] = ("chain", "anchor", "files", "content", "rerun")


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    level: Level
    name: str
    status: Status
    detail: str


def passed(checks: Sequence[Check]) -> bool:
    """Whether nothing that was asked for failed."""
    return all(c.status != "fail" for c in checks)
