"""The value of `--stride`: a number or a word."""

import click


class Stride(click.ParamType[int | None]):
    """A number of frames, or `auto`, which is None."""

    name = "stride"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "auto":
            return None
        if not value.isdecimal() or not 1 <= int(value) <= 100:
            self.fail(f"{value!r} is neither `auto` nor a number from 1 to 100", param, ctx)
        return int(value)
