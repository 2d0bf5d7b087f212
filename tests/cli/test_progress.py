"""The progress line on a terminal."""

import io
from contextlib import redirect_stderr

import pytest

from veridact.cli.progress import Progress


class Stderr(io.StringIO):
    """Standard error, a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def shown(monkeypatch, calls, terminal=True, quiet=False) -> str:
    """What stderr shows of calls `(at second, what, done, total)`, counted from second 0."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with redirect_stderr(Stderr(terminal)) as stderr:
        progress = Progress(quiet)
        for at, *call in calls:
            now[0] = at
            progress(*call)
    return stderr.getvalue()


LINES = {
    "frames": ("frames", 50, 200, "frames 50/200  25.0/s  0:06 left"),
    "frames without an end": ("frames", 50, 0, "frames 50  25.0/s"),
    "sound": (
        "stream 1 seconds of audio",
        150,
        3600,
        "stream 1 2:30 of 60:00 min of audio  75.0 times real time  0:46 left",
    ),
    "sound without an end": ("stream 1 seconds of audio", 65, 0, "stream 1 1:05 min of audio  32.5 times real time"),
}


@pytest.mark.parametrize(("what", "done", "total", "line"), LINES.values(), ids=LINES.keys())
def test_how_far_it_is(what, done, total, line, monkeypatch):
    assert shown(monkeypatch, [(2.0, what, done, total)]).strip() == line


def test_the_time_left_of_the_sound_does_not_count_the_pictures_before_it(monkeypatch):
    heard = "stream 1 seconds of audio"
    calls = [(1000.0, "frames", 10, 10), (1000.0, heard, 0, 100), (1010.0, heard, 50, 100)]
    assert shown(monkeypatch, calls).strip().endswith("5.0 times real time  0:10 left")


@pytest.mark.parametrize(("terminal", "quiet"), [(False, False), (True, True)])
def test_nothing_is_shown_when_quiet_or_not_on_a_terminal(terminal, quiet, monkeypatch):
    assert shown(monkeypatch, [(1.0, "frames", 1, 2)], terminal, quiet) == ""
