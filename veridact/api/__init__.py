"""Veridact for programs: find, edit, hide and prove, by the functions that stand behind the commands.

>>> from veridact.api import Manifest, edit, render, verify
>>> manifest = Manifest.read("m.json")
>>> manifest = edit(manifest, ["accept custom-0001", "resize custom-0001 120%"], reviewer="r1")
>>> receipt = render("in.mp4", manifest, "out.mp4")
>>> [check.name for check in verify(receipt.path, input="in.mp4", output="out.mp4") if check.status == "fail"]
[]

`locate`, `render` and `verify` may be called from any thread, several at once. Each runs in a Python interpreter of its
own, which decodes in a sandboxed child as the commands do, and is gone when the call ends. This process loads neither
FFmpeg nor a model, is never forked, and none of its settings changes. Nothing is printed.

Every error that a caller can do something about is a `VeridactError`; see docs/api.md for the whole of it.
"""

from veridact.api.calls import edit, locate, render, verify
from veridact.api.manifest import Manifest
from veridact.api.receipt import Receipt
from veridact.audit.checks import Check, passed
from veridact.errors import (
    AuditError,
    BindingError,
    MachineError,
    ManifestError,
    MediaError,
    MissingModelError,
    SafetyError,
    UsageError,
    VeridactError,
)
from veridact.progress import ReportProgress
from veridact.sandbox.protocol import ChildBugError

__all__ = [
    "AuditError",
    "BindingError",
    "Check",
    "ChildBugError",
    "MachineError",
    "Manifest",
    "ManifestError",
    "MediaError",
    "MissingModelError",
    "Receipt",
    "ReportProgress",
    "SafetyError",
    "UsageError",
    "VeridactError",
    "edit",
    "locate",
    "passed",
    "render",
    "verify",
]
