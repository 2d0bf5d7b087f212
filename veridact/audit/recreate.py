"""The environment that made a receipt, as a `requirements.txt` for pip: exact versions, from the receipt alone.

Only packages that veridact is known to list are named, since a receipt may come from anyone and pip runs what it
installs. pip checks hashes only where every line has one, and no release can hold the hash of its own wheel: so the
hashes stand behind the lines as comments, and the head of the file says how to have them checked.
"""

import re
from collections.abc import Mapping
from importlib import resources

from veridact.audit.receipt_toolchain import Package, toolchain_of
from veridact.errors import AuditError
from veridact.render.toolchain import KNOWN_PACKAGES
from veridact.schema import receipt

LOCK = "base_requirements.txt"
"""The lock file of this release, `requirements/base.txt`: hashes of wheels for Python 3.11 on Linux x86-64."""

_LOCKED = re.compile(r"^([a-z0-9-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)

_HEAD = """\
# the environment of a receipt of veridact {version}, head {head}
# pip install -r requirements.txt            Python 3.11 or later on Linux x86-64, in a new environment
# pip verifies no hash here, as veridact's own wheel has none; to verify those that are known, run before it:
# sed -n '/^[a-z]/s/  # --/ --/p' requirements.txt > hashed.txt && pip install --require-hashes --no-deps -r hashed.txt
# `veridact verify --rerun` then compares the files of every package with the digests in the receipt
"""


def requirements(raw: bytes) -> str:
    """The requirements file of a receipt; raises `AuditError` for what is no receipt of known packages."""
    _, entries = receipt.read(raw)
    toolchain = toolchain_of(entries)
    unknown = [package.name for package in toolchain.packages if package.name not in KNOWN_PACKAGES]
    if unknown:
        raise AuditError(
            f"the toolchain names {unknown[0]}, which this version of veridact never uses; ask a later one"
        )
    binary = [package.name for package in toolchain.packages if package.name != "veridact"]
    lines = [_HEAD.format(version=toolchain.version, head=receipt.head(entries))]
    if binary:
        lines.append(f"--only-binary={','.join(binary)}\n")
    locked = _locked(resources.files("veridact.audit").joinpath(LOCK).read_text(encoding="ascii"))
    return "".join([*lines, *(_line(package, locked) for package in toolchain.packages)])


def _locked(text: str) -> dict[str, str]:
    """The hash options of a lock file by `name==version`."""
    return {
        f"{name}=={version}": " ".join(hashes.replace("\\", "").split())
        for name, version, hashes in _LOCKED.findall(text)
    }


def _line(package: Package, locked: Mapping[str, str]) -> str:
    pinned = f"{package.name}=={package.version}"
    return f"{pinned}  # {locked[pinned]}\n" if pinned in locked else f"{pinned}\n"
