"""Small distributions that the tests build themselves: a wheel with modules of any name."""

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def stand_in(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Writes the wheel of a distribution that holds some files, by their paths in site-packages."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    written = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": tags}
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in written.items())
    wheel = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**written, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
