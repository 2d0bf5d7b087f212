"""Checks a veridact receipt with nothing but Python's standard library, so that an auditor can read all of it.

    python verify_receipt.py out.mp4.audit.jsonl [--input FILE] [--manifest FILE] [--output FILE] [--head HEX]

Exits 0 when everything that was asked for holds; else 1, with a line that says what does not.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

ORDER = ["genesis", "input", "manifest", "stream", "track", "audio", "warning", "output", "seal"]


def require(holds, otherwise):
    """Stops with what is wrong, unless it holds."""
    if not holds:
        raise ValueError(otherwise)


def canonical(value):
    """RFC 8785 for values without fractions and with ASCII names, which is all a receipt may hold."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def no_duplicates(pairs):
    """An object whose names are all different; Python itself would keep the last of two."""
    require(len(dict(pairs)) == len(pairs), "a name occurs twice in one object")
    return dict(pairs)


def read_chain(path):
    """The entries and the head of a receipt whose chain holds; stops with a message where it does not."""
    lines = Path(path).read_bytes().split(b"\n")
    require(lines.pop() == b"" and lines, "the last line is incomplete")
    entries = [json.loads(line, object_pairs_hook=no_duplicates) for line in lines]
    disclosed = hashlib.sha256(b"veridact.audit/1+disclosed\0genesis\0").hexdigest()
    version = "veridact.audit/1" + ("+disclosed" if entries[0]["prev"] == disclosed else "")
    before = hashlib.sha256(f"{version}\0genesis\0".encode()).hexdigest()
    for number, (line, entry) in enumerate(zip(lines, entries, strict=True)):
        where = f"line {number + 1}"
        require(canonical(entry) == line, f"{where} is not in canonical form")
        require(set(entry) == {"body", "hash", "prev", "seq", "type", "v"} and entry["v"] == 1, f"{where} is no entry")
        require(entry["seq"] == number and entry["prev"] == before, f"{where} does not follow the one before")
        stated = entry.pop("hash")
        before = hashlib.sha256(f"{version}\0entry\0".encode() + canonical(entry)).hexdigest()
        require(before == stated, f"{where} was changed")
    kinds = [entry["type"] for entry in entries]
    require(kinds == sorted(kinds, key=ORDER.index), "the entries are out of order")
    require(all(kinds.count(k) == 1 for k in ORDER[:3] + ORDER[-2:]), "this is not one receipt")
    require(entries[-1]["body"]["entries"] == len(entries), "the seal counts other entries")
    return entries, before


def main():
    """Checks the chain, then each file that was given against its entry."""
    parser = argparse.ArgumentParser()
    parser.add_argument("receipt")
    for name in ("--input", "--manifest", "--output", "--head"):
        parser.add_argument(name)
    asked = parser.parse_args()
    entries, head = read_chain(asked.receipt)
    print(f"chain holds: {len(entries)} entries, head {head}")
    require(asked.head in (None, head), "the head is not the expected one")
    bodies = {entry["type"]: entry["body"] for entry in entries}
    for name, field in (("input", "sha256"), ("manifest", "file_sha256"), ("output", "sha256")):
        if path := getattr(asked, name):
            with Path(path).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            require(bodies[name].get(field) == found, f"{name} is not the file that the receipt names")
            print(f"{name} is the file that the receipt names: {found}")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, KeyError, TypeError, OSError) as error:
        sys.exit(f"FAILED: {error}")
