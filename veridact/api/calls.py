"""The functions of `veridact.api`: they check what they are given and hand it to an interpreter of its own."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from pydantic import ConfigDict, Field, ValidationError, validate_call

from veridact.api import worker
from veridact.api.manifest import Manifest
from veridact.api.paths import optional, path_of
from veridact.api.receipt import Receipt
from veridact.audit.checks import Check
from veridact.errors import MachineError, UsageError
from veridact.progress import ReportProgress, silently
from veridact.sandbox import interpreter
from veridact.sandbox.policy import Mode
from veridact.schema.manifest import Container

StrPath = str | os.PathLike[str]
WORKER = "veridact.api.worker"

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def _checked(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """The function with its arguments checked against its annotations.

    It raises `TypeError` for arguments that it does not have, and `UsageError` for values that do not fit.
    """
    signature = inspect.signature(function)
    validated = validate_call(config=ConfigDict(strict=True))(function)

    @wraps(function)
    def call(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as e:
            raise TypeError(f"{function.__name__}() {e}") from None
        try:
            return validated(**given)  # type: ignore[call-arg]  # by name, so that errors name them
        except ValidationError as e:
            if e.title != function.__name__:
                raise
            found = e.errors(include_url=False, include_input=False)[0]
            raise UsageError(f"{function.__name__}: {found['loc'][0]}: {found['msg']}; see docs/api.md") from None

    return call


@_checked
def locate(
    media: StrPath,
    *,
    labels: Sequence[str] | None = None,
    detectors: Sequence[str] = (),
    thresholds: Mapping[str, float] | None = None,
    stride: Annotated[int, Field(ge=1, le=100)] | Literal["auto"] = "auto",
    pad_frames: Annotated[int, Field(ge=0, le=1000)] = 3,
    effects: Mapping[str, str] | None = None,
    profile: Literal["h264", "lossless"] = "h264",
    container: Container | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    recognizer: str = "pocketsphinx",
    speech: Literal["pii", "all"] = "pii",
    language: str = "en",
    spacy: StrPath | None = None,
    deny_words: StrPath | None = None,
    keep_words: StrPath | None = None,
    transcript: StrPath | None = None,
    allow_download: bool = False,
    text: Literal["all", "pii"] | None = None,
    allow_upload: bool = False,
    report: ReportProgress = silently,
    remark: Callable[[str], None] | None = None,
) -> Manifest:
    """The manifest that proposes a cover for everything that models find in one media file.

    `labels` names what to find, `detectors` the models (`NAME[:WEIGHTS[:CLASSMAP]]`), `thresholds` by label the score,
    above 0 and up to 1, that a track must reach once, `effects` by label (or `default`) `solid`, `mosaic`, `blur`,
    `silence` or `beep`. `stride` and `pad_frames` are in frames. The other options are those of the command `locate`,
    with the same names and defaults. `report` gets the progress, `remark` each line that the command prints beside the
    manifest, as of sound that was not searched.

    Raises `MediaError`, `MissingModelError`, `UsageError`, `MachineError`.

    >>> locate("in.mp4", labels=["face"]).tracks
    ()
    """
    found = interpreter.ask(
        WORKER,
        "locate",
        {
            "media": path_of(media),
            "labels": None if labels is None else [*labels],
            "thresholds": dict(thresholds or {}),
            "effects": dict(effects or {}),
            "stride": None if stride == "auto" else stride,
            "searched": {
                "detectors": [*detectors], "pad_frames": pad_frames, "profile": profile, "container": container,
                "device": device, "text": text, "allow_upload": allow_upload,
            },
            "heard": {"recognizer": recognizer, "cover": speech, "language": language, "device": device,
                      "allow_download": allow_download},
            "heard_files": {"spacy": optional(spacy), "deny_words": optional(deny_words),
                            "keep_words": optional(keep_words), "transcript": optional(transcript)},
        },
        report,
    )  # fmt: skip
    if remark is not None:
        for line in found["remarks"]:
            remark(line)
    return Manifest.from_bytes(found["manifest"].encode())


@_checked
def render(
    media: StrPath,
    manifest: Manifest,
    out: StrPath,
    *,
    audit: StrPath | None = None,
    jobs: Annotated[int, Field(ge=1, le=64)] | None = None,
    force: bool = False,
    resume: bool = False,
    require_review: bool = False,
    allow_uncovered: bool = False,
    attest: StrPath | None = None,
    sign: StrPath | None = None,
    sandbox: Mode = "auto",
    report: ReportProgress = silently,
) -> Receipt:
    """Applies a manifest to the media file that it was made for, writes `out` and its receipt, and returns the latter.

    The receipt is written to `audit`, by default beside `out`. Either both files are there, whole, or neither. `jobs`
    is the number of threads, by default one a core; it changes no byte. `attest` and `sign` are where the signed facts
    of the run go, and the private key that signs them. The options are those of the command `render`.

    Raises `BindingError` where the media file is another one, `SafetyError` where a file exists, an item is unreviewed
    or nothing would be covered, `MediaError`, `UsageError`, `MachineError`, and `OSError` where a disk is full.

    >>> render("in.mp4", Manifest.read("m.json"), "covered.mp4").entries[-1].type
    'seal'
    """
    done = interpreter.ask(
        WORKER,
        "render",
        {
            "media": path_of(media), "manifest": manifest.raw.decode(), "out": path_of(out), "audit": optional(audit),
            "attest": optional(attest), "sign": optional(sign), "jobs": jobs,
            "options": {"force": force, "resume": resume, "require_review": require_review,
                        "allow_uncovered": allow_uncovered, "sandbox": sandbox},
        },
        report,
    )  # fmt: skip
    receipt = Receipt.read(done["audit"])
    if receipt.head != done["head"]:
        raise MachineError(f"{receipt.path} was changed by another program as soon as it was written; render again")
    return receipt


@_checked
def verify(
    audit: StrPath,
    *,
    input: StrPath | None = None,
    manifest: StrPath | None = None,
    output: StrPath | None = None,
    head: str | None = None,
    key: StrPath | None = None,
    attestation: StrPath | None = None,
    content: bool = False,
    rerun: bool = False,
    salt_file: StrPath | None = None,
) -> list[Check]:
    """Checks a receipt, and with it whatever files are given: every check in the order of the levels, as its outcome.

    A check whose files were not given is `not run`; `veridact.api.passed` says whether none failed. `content` has
    `output` searched for every cover, `rerun` has `input` rendered again. The options are those of `veridact verify`.

    Raises `MediaError` or `UsageError` where a file that is named cannot be read.

    >>> passed(verify("out.mp4.audit.jsonl", output="out.mp4"))
    True
    """
    files = {"input": input, "manifest": manifest, "output": output, "key": key, "attestation": attestation}
    checks = interpreter.ask(
        WORKER,
        "verify",
        {
            "audit": path_of(audit), "files": {name: optional(path) for name, path in files.items()}, "head": head,
            "content": content, "rerun": rerun, "salt_file": optional(salt_file),
        },
        silently,
    )  # fmt: skip
    return [Check(**check) for check in checks]


@_checked
def edit(
    manifest: Manifest,
    operations: str | Sequence[str],
    *,
    where: str | None = None,
    reviewer: str | None = None,
    reason: str | None = None,
    media: StrPath | None = None,
) -> Manifest:
    """The manifest after edits as `veridact edit` reads them: one a line of a script, or one an element.

    All of them are done or none. `where` selects the items of edits that name none, `reviewer` and `reason` are kept
    with each item. Times in seconds need `media`, the media file, where the frame rate is not constant.

    Raises `UsageError` where an edit cannot be done, and with `media` as `render`.

    >>> edit(Manifest.read("m.json"), ["reject custom-0001"], reason="a poster").tracks[0].review
    'rejected'
    """
    given: dict[str, Any] = {
        "script": operations if isinstance(operations, str) else "\n".join(operations),
        "where": where, "reviewer": reviewer, "reason": reason,
    }  # fmt: skip
    if media is None:
        return Manifest.from_model(worker.edited(manifest.model, **given))
    arguments = {**given, "manifest": manifest.raw.decode(), "media": path_of(media)}
    return Manifest.from_bytes(interpreter.ask(WORKER, "edit", arguments, silently).encode())
