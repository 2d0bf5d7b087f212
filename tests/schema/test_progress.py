"""What stands on the terminal while something runs."""

import pytest

from schema.progress import Progress

LINES = {
    "frames": ("frames", 50, 200, "frames 50/200  25.0/s  0:06 left"),
    "frames without an end": ("frames", 50, 0, "frames 50  25.0/s"),
    "sound": ("stream 1 seconds heard", 150, 3600, "stream 1 2:30 of 60:00 min heard  75.0 times real time  0:46 left"),
    "sound without an end": ("stream 1 seconds heard", 65, 0, "stream 1 1:05 min heard  32.5 times real time"),
}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[float]:
    """The time that clocks show, to be set; stderr is a terminal."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    return now


@pytest.mark.parametrize(("what", "done", "total", "line"), LINES.values(), ids=LINES.keys())
def test_how_far_it_is(what, done, total, line, at, capsys):
    progress = Progress(quiet=False)
    at[0] += 2
    progress(what, done, total)
    assert capsys.readouterr().err.strip() == line


def test_the_time_left_of_the_sound_does_not_count_the_pictures_before_it(at, capsys):
    progress = Progress(quiet=False)
    at[0] += 1000
    progress("frames", 10, 10)
    progress("stream 1 seconds heard", 0, 100)
    at[0] += 10
    progress("stream 1 seconds heard", 50, 100)
    assert "0:10 left" in capsys.readouterr().err


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_shown_where_nobody_looks(quiet, at, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: quiet)
    Progress(quiet)("frames", 1, 2)
    assert capsys.readouterr().err == ""
