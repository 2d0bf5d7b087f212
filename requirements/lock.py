"""Writes base.txt, locate.txt and dev.txt from pip's own resolution: names, versions and hashes, no addresses.

`python requirements/lock.py NAME REPORT.json` turns one `pip install --dry-run --ignore-installed --report` into a file
for `pip install --require-hashes -r`. The hashes are those of the wheels for Python 3.11 on Linux x86-64.
"""

import json
import sys
from pathlib import Path


def lines(report: dict[str, list[dict[str, dict[str, object]]]]) -> list[str]:
    """One requirement a package, in the order of the names; the project itself is left out."""
    found = []
    for item in report["install"]:
        name, version = str(item["metadata"]["name"]).lower().replace("_", "-"), item["metadata"]["version"]
        archive = item["download_info"].get("archive_info")
        if name != "veridact" and isinstance(archive, dict):
            found.append(f"{name}=={version} \\\n    --hash=sha256:{archive['hashes']['sha256']}")
    return sorted(found)


def main() -> None:
    """Writes the file that the command line names."""
    name, report = sys.argv[1], Path(sys.argv[2])
    head = "# made by requirements/lock.py; install with: pip install --require-hashes --no-deps -r"
    target = Path(__file__).parent / f"{name}.txt"
    target.write_text("\n".join([f"{head} requirements/{name}.txt", *lines(json.loads(report.read_text()))]) + "\n")


if __name__ == "__main__":
    main()
