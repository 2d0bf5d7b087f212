"""A rerun says which of three it is: same bytes and receipt, same bytes under another toolchain, or other bytes."""

import json
from collections.abc import Callable
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import pytest

from veridact import __version__
from veridact.audit import receipt_toolchain
from veridact.audit.receipt_toolchain import Package, Toolchain
from veridact.schema import receipt

BOX = (8, 8, 20, 16)
SHA256 = "0123456789abcdef" * 4


@pytest.fixture
def done(picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> Path:
    """A folder with one render of a picture: in.png, m.json, out.png and its receipt."""
    source = picture("in.png")
    manifest = saved(make_manifest(source, (make_track(1, BOX, 1),)))
    assert command("render", source, manifest, tmp_path / "out.png")[0] == 0
    return tmp_path


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes bodies of the receipt, by type, and chains it anew, as another version would have written it."""
    path = folder / "out.png.audit.jsonl"
    entries = receipt.read(path.read_bytes())[1]
    bodies = [(e.type, e.body) for e in entries[:-1]]
    change(dict(bodies))
    path.write_bytes(receipt.chain(bodies))


def made_by(name: str, **other: str) -> Callable[[dict[str, Any]], None]:
    """A change of one package of the toolchain; that of veridact's version changes the genesis tool with it."""

    def change(bodies: dict[str, Any]) -> None:
        body = bodies["genesis"]
        next(p for p in body["toolchain"] if p["name"] == name).update(other)
        body["tool"]["version"] = body["toolchain"][0]["version"]

    return change


def rerun(command: Any, folder: Path, *more: object, audit: str = "out.png.audit.jsonl") -> tuple[int, dict[str, Any]]:
    """Exit code, and by name the checks of the level rerun."""
    files = ["--input", folder / "in.png", "--manifest", folder / "m.json"]
    code, out, _ = command("verify", folder / audit, *files, "--rerun", "--json", *more)
    return code, {c["name"]: c for c in json.loads(out)["checks"] if c["level"] == "rerun"}


def test_the_same_version_gives_the_same_bytes_and_the_same_receipt(done: Path, command: Any) -> None:
    code, checks = rerun(command, done)
    assert code == 0
    assert {name: (c["status"], c["detail"]) for name, c in checks.items()} == {
        "output": ("pass", "the same bytes"), "head": ("pass", "the same receipt"),
    }  # fmt: skip


OTHERS = {
    "an older version": (made_by("veridact", version="0.1.0", sha256=SHA256), f"veridact 0.1.0, here {__version__}"),
    "the same version, changed": (made_by("veridact", sha256=SHA256), f"veridact {__version__} with other files"),
    "another FFmpeg": (made_by("av", version="17.0.1", sha256=SHA256), f"av 17.0.1, here {version_of('av')}"),
    "a version of one's own": (
        made_by("numpy", version="2.4.6+local.1"),
        f"numpy 2.4.6+local.1, here {version_of('numpy')}",
    ),
    "a package more": (
        lambda b: b["genesis"]["toolchain"].append({"name": "pillow-heif", "version": "1.8.1", "sha256": SHA256}),
        "pillow-heif 1.8.1, not used here",
    ),
    "a package less": (lambda b: b["genesis"]["toolchain"].pop(), f"pillow not used, here {version_of('pillow')}"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_toolchain_passes_and_is_named_package_by_package(case: str, done: Path, command: Any) -> None:
    change, named = OTHERS[case]
    rewritten(done, change)
    code, checks = rerun(command, done)
    assert (code, checks["output"]["status"], checks["head"]["status"]) == (0, "pass", "pass")
    assert checks["head"]["detail"].startswith(f"the same receipt but for the toolchain: {named}")
    assert ";" not in checks["head"]["detail"], "a package that is the same is named"


def test_all_packages_that_differ_are_named(done: Path, command: Any) -> None:
    rewritten(done, made_by("veridact", version="0.1.0"))
    rewritten(done, made_by("pillow", version="12.0.0"))
    assert rerun(command, done)[1]["head"]["detail"].endswith(
        f": veridact 0.1.0, here {__version__}; pillow 12.0.0, here {version_of('pillow')}"
    )


@pytest.mark.parametrize("toolchain", [{}, {"version": "0.1.0"}], ids=["same toolchain", "other toolchain"])
def test_a_receipt_that_differs_in_more_than_its_toolchain_fails(
    toolchain: dict[str, str], done: Path, command: Any
) -> None:
    rewritten(done, made_by("veridact", **toolchain))
    rewritten(done, lambda b: b["track"].update(pixels=1))
    code, checks = rerun(command, done)
    assert (code, checks["output"]["status"], checks["head"]["status"]) == (1, "pass", "fail")
    assert ("more differs than the toolchain: veridact" in checks["head"]["detail"]) == bool(toolchain)
    assert ("with the same toolchain" in checks["head"]["detail"]) == (not toolchain)


@pytest.mark.parametrize("version", [__version__, "0.1.0"])
def test_other_bytes_fail_and_the_toolchain_is_named(version: str, done: Path, command: Any) -> None:
    rewritten(done, made_by("veridact", version=version))
    rewritten(done, lambda b: b["output"].update(sha256=SHA256))
    code, checks = rerun(command, done)
    assert (code, checks["output"]["status"], checks["head"]["status"]) == (1, "fail", "fail")
    assert checks["output"]["detail"].startswith("other bytes, sha256 ")
    reason = "with the same toolchain" if version == __version__ else f"veridact 0.1.0, here {__version__}"
    assert checks["output"]["detail"].endswith(reason)


NOT_OURS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no toolchain": lambda g: g.pop("toolchain"),
    "an empty one": lambda g: g.update(toolchain=[]),
    "an object": lambda g: g.update(toolchain={"av": "18.1.0"}),
    "a name alone": lambda g: g["toolchain"].append("av"),
    "too many": lambda g: g["toolchain"].extend([{"name": "x", "version": "1", "sha256": SHA256}] * 100),
    "a package twice": lambda g: g["toolchain"].append(g["toolchain"][1]),
    "a field more": lambda g: g["toolchain"][1].update(url="https://example.org/av.whl"),
    "a field less": lambda g: g["toolchain"][1].pop("sha256"),
    "a number": lambda g: g["toolchain"][1].update(version=18),
    "an escape sequence": lambda g: g["toolchain"][1].update(version="18\x1b[2K"),
    "a note in the tool": lambda g: g["tool"].update(note="trust me"),
    "another tool": lambda g: g["tool"].update(name="other"),
    "two versions": lambda g: g["tool"].update(version="0.1.0"),
    "not veridact first": lambda g: g["toolchain"].reverse(),
}


@pytest.mark.parametrize("case", NOT_OURS)
def test_what_no_version_writes_into_the_genesis_entry_is_not_taken_over(case: str, done: Path, command: Any) -> None:
    rewritten(done, lambda b: NOT_OURS[case](b["genesis"]))
    code, checks = rerun(command, done)
    assert (code, checks["output"]["status"], checks["head"]["status"]) == (1, "pass", "fail")
    assert checks["head"]["detail"].isprintable()


def test_a_toolchain_is_compared_by_name_version_and_digest() -> None:
    def toolchain(*packages: tuple[str, str, str]) -> Toolchain:
        return Toolchain(tuple(Package(*p) for p in packages))

    here = toolchain(("veridact", "0.2.0", "a"), ("av", "18", "b"))
    assert here.differences(here) == []
    assert toolchain(("veridact", "0.2.0", "c")).differences(here) == [
        "veridact 0.2.0 with other files than here", "av not used, here 18",
    ]  # fmt: skip


def test_the_receipt_built_again_is_the_very_one(done: Path) -> None:
    raw = (done / "out.png.audit.jsonl").read_bytes()
    entries = receipt.read(raw)[1]
    assert receipt_toolchain.with_toolchain(entries, receipt_toolchain.toolchain_of(entries)) == raw


@pytest.fixture
def disclosed(done: Path, command: Any) -> Path:
    """A disclosed receipt, `disclosed.jsonl`, of a render by another version, and its salt."""
    rewritten(done, made_by("veridact", version="0.1.0", sha256=SHA256))
    arguments = ["--salt-file", done / "salt", "-o", done / "disclosed.jsonl"]
    assert command("disclose", done / "out.png.audit.jsonl", *arguments)[0] == 0
    return done


def test_a_disclosed_receipt_of_another_version_passes_with_its_salt(disclosed: Path, command: Any) -> None:
    code, checks = rerun(command, disclosed, "--salt-file", disclosed / "salt", audit="disclosed.jsonl")
    assert (code, checks["output"]["status"], checks["head"]["status"]) == (0, "pass", "pass")
    assert f"veridact 0.1.0, here {__version__}" in checks["head"]["detail"]


def test_a_disclosed_receipt_without_its_salt_is_not_run(disclosed: Path, command: Any) -> None:
    code, checks = rerun(command, disclosed, audit="disclosed.jsonl")
    assert (code, checks["rerun"]["status"], checks["rerun"]["asked"]) == (1, "not run", True)
    assert "--salt-file" in checks["rerun"]["detail"]


def later_major(folder: Path) -> None:
    tree = json.loads((folder / "m.json").read_text())
    (folder / "m.json").write_text(json.dumps({**tree, "schema": "veridact.manifest/9"}))


CANNOT_RUN: dict[str, Callable[[Path], object]] = {
    "a manifest of a later version": later_major,
    "footage that cannot be decoded": lambda folder: (folder / "in.png").write_bytes(b"\x89PNG\r\n\x1a\n"),
    "footage of another manifest": lambda folder: (folder / "in.png").write_bytes((folder / "out.png").read_bytes()),
}


@pytest.mark.parametrize("case", CANNOT_RUN)
def test_a_rerun_that_cannot_run_is_not_run_and_the_answer_is_no(case: str, done: Path, command: Any) -> None:
    CANNOT_RUN[case](done)
    code, checks = rerun(command, done)
    assert (code, checks["rerun"]["status"], checks["rerun"]["asked"]) == (1, "not run", True)
    assert checks["rerun"]["detail"].startswith("cannot be rendered again here: ")


@pytest.mark.parametrize("level", ["rerun", "content"])
def test_a_level_asked_for_without_its_files_is_not_run_and_the_answer_is_no(
    level: str, done: Path, command: Any
) -> None:
    code, out, _ = command("verify", done / "out.png.audit.jsonl", f"--{level}", "--json")
    found = json.loads(out)
    checks = {c["level"]: (c["status"], c["asked"]) for c in found["checks"] if c["level"] in {"rerun", "content"}}
    other = {"rerun": "content", "content": "rerun"}[level]
    assert (code, found["passed"]) == (1, False)
    assert checks == {level: ("not run", True), other: ("not run", False)}
    text = command("verify", done / "out.png.audit.jsonl", f"--{level}")[1].splitlines()
    assert [line.split(maxsplit=2)[:2] for line in text if line.startswith("NOT RUN")] == [["NOT", "RUN"]]
    assert f"NOT RUN {level}" in "\n".join(text)


def test_content_that_cannot_be_checked_here_is_not_run(
    done: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from veridact.audit import verify
    from veridact.errors import MachineError

    def full(*_: object) -> None:
        raise MachineError("the disk is full")

    monkeypatch.setattr(verify.child, "run", full)
    files = ["--output", done / "out.png", "--manifest", done / "m.json"]
    code, out, _ = command("verify", done / "out.png.audit.jsonl", *files, "--content", "--json")
    check = next(c for c in json.loads(out)["checks"] if c["level"] == "content")
    assert (code, check["status"]) == (1, "not run")
    assert check["detail"] == "cannot be checked here: the disk is full"


def test_files_given_beside_a_disclosed_receipt_without_salt_are_not_run(disclosed: Path, command: Any) -> None:
    files = [
        f"--{n}={disclosed / f}" for n, f in {"input": "in.png", "manifest": "m.json", "output": "out.png"}.items()
    ]
    code, out, _ = command("verify", disclosed / "disclosed.jsonl", *files, "--json")
    checks = {c["name"]: c["status"] for c in json.loads(out)["checks"] if c["level"] == "files"}
    assert (code, checks) == (1, {"input": "not run", "output": "pass", "manifest": "not run"})
    assert command("verify", disclosed / "disclosed.jsonl", files[2])[0] == 0


def test_an_escape_sequence_in_a_receipt_reaches_no_terminal(done: Path, command: Any) -> None:
    rewritten(done, lambda b: b["output"].update(sha256="\x1b[2Kok"))
    code, out, _ = command("verify", done / "out.png.audit.jsonl", "--output", done / "out.png")
    assert (code, "\x1b" in out) == (1, False)
