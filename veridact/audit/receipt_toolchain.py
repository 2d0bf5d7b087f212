"""The toolchain of a receipt: which packages made it, read strictly from its genesis entry and compared with others.

A receipt may come from anyone, and what stands here is printed and handed to pip. So a name must be one of PEP 508, a
version one of PEP 440, a digest 64 hexadecimal digits, and nothing may stand beside them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from veridact.errors import AuditError
from veridact.schema import receipt
from veridact.schema.receipt import Entry

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?", re.ASCII)
"""PEP 508, to 100 characters."""

_NUMBER = "(0|[1-9][0-9]{0,19})"
_VERSION = re.compile(
    rf"([1-9][0-9]{{0,19}}!)?{_NUMBER}(\.{_NUMBER}){{0,9}}((a|b|rc){_NUMBER})?(\.post{_NUMBER})?(\.dev{_NUMBER})?"
    r"(\+[a-z0-9]{1,40}(\.[a-z0-9]{1,40}){0,9})?",
    re.ASCII,
)
"""PEP 440 in its normal form (appendix B), with a local version, to 20 digits a number."""

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ENTRY = {"name": _NAME, "version": _VERSION, "sha256": _SHA256}
MAX_PACKAGES = 100


@dataclass(frozen=True)
class Package:
    """One package that decides output bytes: its name, its version and the digest of its files."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Toolchain:
    """The packages that made an output, in the order of the receipt: veridact first."""

    packages: tuple[Package, ...]

    @property
    def version(self) -> str:
        """The version of veridact."""
        return self.packages[0].version

    def differences(self, here: "Toolchain") -> list[str]:
        """Package by package, what differs from the toolchain `here`; empty where nothing does."""
        ours = {package.name: package for package in here.packages}
        theirs = {package.name for package in self.packages}
        changed = [_difference(package, ours.get(package.name)) for package in self.packages]
        added = [f"{p.name} not used, here {p.version}" for p in here.packages if p.name not in theirs]
        return [*filter(None, changed), *added]


def _difference(package: Package, here: Package | None) -> str:
    if here is None:
        return f"{package.name} {package.version}, not used here"
    if package.version != here.version:
        return f"{package.name} {package.version}, here {here.version}"
    return "" if package.sha256 == here.sha256 else f"{package.name} {package.version} with other files than here"


def toolchain_of(entries: Iterable[Entry]) -> Toolchain:
    """The toolchain of a receipt whose chain holds; raises `AuditError` for what veridact does not write."""
    body = receipt.bodies(list(entries), "genesis")[0]
    packages = tuple(_packages(body.get("toolchain")))
    if body.get("tool") != {"name": "veridact", "version": packages[0].version} or packages[0].name != "veridact":
        raise AuditError("the genesis entry and its toolchain name different versions of veridact")
    if len({package.name for package in packages}) != len(packages):
        raise AuditError("the toolchain names a package twice")
    return Toolchain(packages)


def _packages(listed: object) -> Iterable[Package]:
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_PACKAGES:
        raise AuditError("the genesis entry holds no toolchain that veridact writes")
    for number, item in enumerate(listed, 1):
        if not isinstance(item, dict) or item.keys() != _ENTRY.keys():
            raise AuditError(f"package {number} of the toolchain does not have name, version and sha256")
        for field, form in _ENTRY.items():
            if not isinstance(item[field], str) or not form.fullmatch(item[field]):
                raise AuditError(f"package {number} of the toolchain has a {field} that veridact does not write")
        yield Package(item["name"], item["version"], item["sha256"])


def with_toolchain(entries: Sequence[Entry], toolchain: Toolchain) -> bytes:
    """The receipt of the same entries, chained anew, as another toolchain would have written it."""
    tool = {"name": "veridact", "version": toolchain.version}
    packages = [{"name": p.name, "version": p.version, "sha256": p.sha256} for p in toolchain.packages]
    named: dict[str, Any] = {"tool": tool, "toolchain": packages}
    bodies = [(e.type, {**e.body, **named} if e.type == "genesis" else e.body) for e in entries if e.type != "seal"]
    return receipt.chain(bodies)
