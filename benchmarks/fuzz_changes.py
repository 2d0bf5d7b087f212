"""How the fuzzer mutates its seeds: bytes, the boxes of an MP4, the bodies of a receipt whose chain stays valid."""

import json
import random
import struct
from collections.abc import Iterator
from typing import Any

from veridact.schema import receipt

SIZES = (0, 1, 7, 8, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (b"1e400", b"NaN", b"-0", b"9007199254740993", b"\"\\ud800\"", b"[[[[[[[[[[[[[[[[[[", b"{}", b"null", b"true",
         b"\xef\xbb\xbf", b"\xff", b"\"__proto__\"", b"-1", b"1.0", b"\"\"", b"18446744073709551616")  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to four random changes: bits, cuts, repeats, swaps of two blocks, sizes, words."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(7):
            case 0:
                for _ in range(rng.randint(1, 16)):
                    if out:
                        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
            case 1:
                del out[at:]
            case 2:
                del out[at : at + rng.randint(1, 64)]
            case 3:
                out[at:at] = out[at : at + rng.randint(1, 4096)]
            case 4:
                length, other = rng.randint(1, 512), rng.randrange(len(out) + 1)
                out[at : at + length], out[other : other + length] = out[other : other + length], out[at : at + length]
            case 5:
                order = rng.choice("<>")
                out[at : at + 4] = struct.pack(f"{order}I", rng.choice(SIZES))
            case _:
                word = rng.choice(WORDS)
                out[at : at + len(word) * rng.randrange(2)] = word
    return bytes(out)


def mutate_boxes(data: bytes, rng: random.Random) -> bytes:
    """Two boxes of an MP4 swapped, or the length of one made huge; any other file is changed as `mutate` does."""
    boxes = [i - 4 for n in (b"moov", b"trak", b"mdia", b"stbl", b"stsd", b"stts", b"stsz", b"stco", b"ctts", b"elst",
                             b"mdat", b"edts", b"tkhd") if (i := data.find(n)) >= 4]  # fmt: skip
    if len(boxes) < 2 or rng.random() < 0.5:
        return mutate(data, rng)
    out = bytearray(data)
    one, other = sorted(rng.sample(boxes, 2))
    if rng.random() < 0.5:
        out[one : one + 4] = struct.pack(">I", rng.choice(SIZES))
        at = one + rng.randrange(8, 40)
        out[at : at + 4] = struct.pack(">I", rng.choice(SIZES))
    else:
        a = int.from_bytes(out[one : one + 4], "big")
        b = int.from_bytes(out[other : other + 4], "big")
        first, second = bytes(out[one : one + a]), bytes(out[other : other + b])
        out[other : other + b] = first
        out[one : one + a] = second
    return bytes(out)


ODD_VALUES = (None, True, -1, 0, 1, 2**53 - 1, -(2**53) + 1, "", "0" * 64, "x", "\ud800", [], {}, [[]], ["a"], {"a": 1})


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a tree of JSON: the object or array, and the member name or index in it."""
    for name in value if isinstance(value, dict) else range(len(value)):
        yield value, name
        if isinstance(value[name], dict | list):
            yield from _places(value[name])


def mutate_sealed(data: bytes, rng: random.Random) -> bytes:
    """A receipt with changed bodies and a valid chain, so that the checks behind the chain are reached."""
    bodies = [(e["type"], e["body"]) for e in map(json.loads, data.splitlines()) if e["type"] != "seal"]
    for _ in range(rng.randint(1, 3)):
        match rng.randrange(4):
            case 0 if len(bodies) > 1:
                del bodies[rng.randrange(len(bodies))]
            case 1:
                bodies.insert(rng.randrange(len(bodies) + 1), rng.choice(bodies))
            case 2:
                one, other = rng.randrange(len(bodies)), rng.randrange(len(bodies))
                bodies[one], bodies[other] = bodies[other], bodies[one]
            case _:
                kind, body = bodies[number := rng.randrange(len(bodies))]
                body = json.loads(json.dumps(body))
                places = list(_places(body))
                if places:
                    holder, name = rng.choice(places)
                    holder[name] = rng.choice(ODD_VALUES)
                bodies[number] = (kind, body)
    try:
        return receipt.chain(bodies, rng.choice([receipt.AUDIT, receipt.AUDIT, receipt.DISCLOSED]))
    except ValueError:  # a lone surrogate has no canonical form
        return data
