"""English number words and the digits that they stand for."""

UNITS = dict(zip("zero one two three four five six seven eight nine".split(), "0123456789", strict=True)) | {
    "oh": "0", "o": "0", "nought": "0", "naught": "0",
}  # fmt: skip
TEENS = dict(
    zip(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        map(str, range(10, 20)),
        strict=True,
    )
)
TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), "23456789", strict=True))
ORDINALS = dict(
    zip(
        (
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
        ).split(),
        range(1, 21),
        strict=True,
    )
) | {"thirtieth": 30}
NUMBER_WORDS = frozenset({*UNITS, *TEENS, *TENS, "double", "triple", "hundred"} - {"o", "oh"})
"""Words that are numbers in any sentence; "oh" is a zero only among other digits."""
