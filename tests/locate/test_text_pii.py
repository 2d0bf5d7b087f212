"""Which lines of text contain personal data, alone and side by side."""

import pytest

from veridact.locate.detectors.text_pii import Edges, TextPiiFinder, text_rows


def at(left: float, top: float, width: float = 100.0, height: float = 40.0) -> Edges:
    return (left, top, left + width, top + height)


@pytest.mark.parametrize(
    ("name", "boxes", "expected"),
    [
        ("one line", [at(0, 0)], []),
        ("side by side, in any order", [at(280, 4), at(0, 0), at(140, 8)], [[1, 2, 0]]),
        ("too far apart", [at(0, 0), at(150, 0)], []),
        ("one above the other", [at(0, 0), at(0, 45)], []),
        ("two rows", [at(0, 0), at(0, 45), at(120, 0), at(120, 45)], [[0, 2], [1, 3]]),
    ],
)
def test_lines_side_by_side_are_grouped_in_rows(name: str, boxes: list[Edges], expected: list[list[int]]) -> None:
    assert text_rows(boxes) == expected


@pytest.fixture(scope="module")
def finder() -> TextPiiFinder:
    pytest.importorskip("presidio_analyzer", reason="needs the extra `locate`")
    return TextPiiFinder()


CARD = ["4111", "1111", "1111", "1111"]


@pytest.mark.extra
@pytest.mark.parametrize(
    ("name", "lines", "gap", "expected"),
    [
        ("a number in groups", CARD, 45, [True] * 4),
        ("and no other line beside it", ["PAID", *CARD], 45, [False, *[True] * 4]),
        ("groups all over the picture", CARD, 300, [False] * 4),
        ("words beside each other", ["Carpark", "Level 2", "Exit"], 45, [False] * 3),
        ("a line that is personal alone", ["Exit", "mail me at jane@example.org"], 45, [False, True]),
        ("nothing", [], 0, []),
    ],
)
def test_lines_with_personal_data(
    name: str, lines: list[str], gap: int, expected: list[bool], finder: TextPiiFinder
) -> None:
    assert finder.contains_pii(lines, [at(n * (100 + gap), 0) for n in range(len(lines))]) == expected
