"""The functions of `veridact.api` do what the commands of their names do, byte for byte, and print nothing."""

import errno
import inspect
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from veridact import api, errors
from veridact.api import Check, Manifest, Receipt, edit, locate, passed, render, verify
from veridact.cli.main import veridact
from veridact.errors import VeridactError

ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_render_writes_what_the_command_writes(scene: Any, command: Any) -> None:
    by_command = scene.folder / "command.mp4"
    assert command("render", scene.media, scene.manifest, by_command, "--quiet")[0] == 0
    reported: list[tuple[str, int, int]] = []
    receipt = render(
        scene.media, Manifest.read(scene.manifest), scene.out, report=lambda *progress: reported.append(progress)
    )
    assert receipt.path == scene.folder / "out.mp4.audit.jsonl"
    assert scene.out.read_bytes() == by_command.read_bytes()
    assert receipt.path.read_bytes() == by_command.with_name("command.mp4.audit.jsonl").read_bytes()
    assert names(scene.folder) == ["command.mp4", "command.mp4.audit.jsonl", "out.mp4", "out.mp4.audit.jsonl"]
    assert reported
    assert all(0 <= done <= total for _, done, total in reported)
    assert receipt == Receipt.read(receipt.path)
    assert (receipt.entries[0].type, receipt.entries[-1].type) == ("genesis", "seal")
    assert receipt.head == receipt.entries[-1].hash
    assert receipt.output_sha256 == next(e.body["sha256"] for e in receipt.entries if e.type == "output")


@pytest.mark.extra
def test_locate_finds_what_the_command_finds(scene: Any, command: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    target = scene.folder / "m.json"
    code, _, err = command("locate", scene.media, "--labels", "face", "--effect", "face=mosaic", "-o", target)
    assert code == 0
    remarks: list[str] = []
    found = locate(str(scene.media), labels=["face"], effects={"face": "mosaic"}, remark=remarks.append)
    assert found.to_bytes() == target.read_bytes()
    assert remarks == err.splitlines()
    assert len(remarks) == 2


def test_verify_finds_what_the_command_finds(scene: Any, command: Any) -> None:
    receipt = render(scene.media, Manifest.read(scene.manifest), scene.out)
    files = {"input": scene.media, "manifest": scene.manifest, "output": scene.out}
    options = [part for name, path in files.items() for part in (f"--{name}", path)]
    wrong = "0" * 64
    for head in (receipt.head, wrong):
        code, text, _ = command("verify", receipt.path, *options, "--content", "--rerun", "--head", head, "--json")
        checks = verify(receipt.path, **files, content=True, rerun=True, head=head)
        assert [vars(check) for check in checks] == json.loads(text)["checks"]
        assert passed(checks) is (code == 0) is (head == receipt.head)
    assert "fail" in {check.status for check in checks}
    assert checks[0] == Check("chain", "chain", "pass", f"{len(receipt.entries)} entries, head {receipt.head}")


@pytest.mark.parametrize("with_media", [True, False])
def test_edit_gives_what_the_command_gives(with_media: bool, scene: Any, command: Any) -> None:
    before = Manifest.read(scene.manifest)
    media = {"media": scene.media} if with_media else {}
    after = edit(before, ["accept custom-0001", "retime custom-0001 0s-0.2s"], reviewer="r1", reason="a note", **media)
    words = ("accept", "custom-0001", "then", "retime", "custom-0001", "0s-0.2s", "--reviewer", "r1", "--reason")
    options = ("--media", scene.media) if with_media else ()
    assert command("edit", scene.manifest, *words, "a note", *options, "-o", scene.folder / "m.json")[0] == 0
    assert after.to_bytes() == (scene.folder / "m.json").read_bytes()
    assert after.tracks[0].segments[0].end == 5
    assert after != before
    assert after == edit(before, "accept custom-0001\nretime custom-0001 0s-0.2s", reviewer="r1", reason="a note")
    assert edit(before, "reject", where="label == custom").tracks[0].review == "rejected"


def test_a_manifest_keeps_its_bytes(scene: Any) -> None:
    """The receipt names the file as it was, also one that another tool formatted."""
    loose = json.dumps(json.loads(scene.manifest.read_bytes()), indent=1).encode()
    scene.manifest.write_bytes(loose)
    manifest = Manifest.read(scene.manifest)
    formatted = Manifest.from_model(manifest.model)
    assert manifest.to_bytes() == loose != formatted.to_bytes()
    assert manifest == formatted
    assert manifest.file_sha256 != formatted.file_sha256
    assert (manifest.manifest_sha256, manifest.plan_sha256) == (formatted.manifest_sha256, formatted.plan_sha256)
    body = next(e.body for e in render(scene.media, manifest, scene.out).entries if e.type == "manifest")
    assert body == {
        "file_sha256": manifest.file_sha256, "manifest_sha256": manifest.manifest_sha256,
        "plan_sha256": manifest.plan_sha256,
    }  # fmt: skip


def test_the_digests_are_those_of_validate(scene: Any, command: Any) -> None:
    manifest = Manifest.read(scene.manifest)
    printed = dict(line.split() for line in command("validate", scene.manifest)[1].splitlines())
    assert printed == {name: getattr(manifest, name) for name in ("file_sha256", "manifest_sha256", "plan_sha256")}


def test_a_manifest_shows_its_fields(scene: Any) -> None:
    manifest = Manifest.read(scene.manifest)
    fields = [name for name in type(manifest.model).model_fields if name not in {"schema_id", "ext"}]
    assert [getattr(manifest, name) for name in fields] == [getattr(manifest.model, name) for name in fields]
    assert repr(manifest).endswith("1 tracks, 0 audio ranges>")


def test_writing_never_replaces_silently(scene: Any) -> None:
    manifest, target = Manifest.read(scene.manifest), scene.folder / "m.json"
    manifest.write(target)
    assert target.read_bytes() == scene.manifest.read_bytes()
    changed = edit(manifest, "reject custom-0001")
    with pytest.raises(api.SafetyError, match="exists"):
        changed.write(target)
    assert Manifest.read(target) == manifest
    target.chmod(0o640)
    changed.write(str(target), overwrite=True)
    assert (Manifest.read(target), target.stat().st_mode & 0o777) == (changed, 0o640)
    changed.write(scene.folder / "new.json", overwrite=True)
    (link := scene.folder / "link.json").symlink_to(target)
    for overwrite in (False, True):
        with pytest.raises(api.SafetyError):
            manifest.write(link, overwrite=overwrite)
    assert (Manifest.read(target), link.is_symlink()) == (changed, True)
    assert names(scene.folder) == ["link.json", "m.json", "new.json"]


def test_a_dash_is_a_file_name(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input belongs to the program."""
    monkeypatch.chdir(scene.folder)
    with pytest.raises(api.UsageError, match="no such manifest"):
        Manifest.read("-")
    Manifest.read(scene.manifest).write("-")
    assert Manifest.read("-") == Manifest.read(scene.manifest)
    assert not passed(verify("-"))


REFUSED: dict[str, tuple[Callable[[Any, Manifest], Any], type[VeridactError], str]] = {
    "another file": (lambda s, m: render(s.folder / "other.mp4", m, s.out), api.BindingError, "another file"),
    "no such file": (lambda s, m: render("nowhere.mp4", m, s.out), api.MediaError, "no such file"),
    "no media": (lambda s, m: locate(s.manifest), api.MediaError, "not a video"),
    "an output that exists": (lambda s, m: render(s.media, m, s.folder / "other.mp4"), api.SafetyError, "exists"),
    "a suffix": (lambda s, m: render(s.media, m, s.folder / "out.mkv"), api.UsageError, "mp4"),
    "a key alone": (lambda s, m: render(s.media, m, s.out, sign="key"), api.UsageError, "go together"),
    "an unknown label": (lambda s, m: locate(s.media, labels=["fox"]), api.UsageError, "there is no label 'fox'"),
    "an idle threshold": (
        lambda s, m: locate(s.media, labels=["plate"], thresholds={"face": 0.5}), api.UsageError, "no effect"),
    "a threshold": (lambda s, m: locate(s.media, thresholds={"face": 2.0}), api.UsageError, "up to 1"),
    "an effect": (lambda s, m: locate(s.media, effects={"face": "beep"}), api.UsageError, "beep is for"),
    "a detector": (lambda s, m: locate(s.media, detectors=["nobody"]), api.UsageError, "no detector"),
    "weights": (lambda s, m: locate(s.media, detectors=["yunet:gone.onnx"]), api.VeridactError, "gone.onnx"),
    "a receipt": (lambda s, m: Receipt.read(s.media), api.AuditError, "the last line is incomplete"),
    "no receipt": (lambda s, m: verify(s.folder / "gone"), api.MediaError, "no such file"),
    "an edit": (lambda s, m: edit(m, "accept face-0009"), api.UsageError, "no item face-0009"),
    "an edit of other footage": (lambda s, m: edit(m, [], media=s.folder / "other.mp4"), api.BindingError, "another"),
    "too many jobs": (lambda s, m: render(s.media, m, s.out, jobs=65), api.UsageError, "render: jobs: .* 64"),
    "a stride": (lambda s, m: locate(s.media, stride=0), api.UsageError, "locate: stride"),
    "a mode": (lambda s, m: render(s.media, m, s.out, sandbox="on"), api.UsageError, "'auto', 'require' or 'off'"),
    "one label as a text": (lambda s, m: locate(s.media, labels="face"), api.UsageError, "Sequence"),
    "bytes as a path": (lambda s, m: render(b"in.mp4", m, s.out), api.UsageError, "render: media"),
    "a path as the manifest": (lambda s, m: render(s.media, s.manifest, s.out), api.UsageError, "render: manifest"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_are_the_errors_of_the_commands(what: str, scene: Any, clip: Any) -> None:
    call, kind, text = REFUSED[what]
    clip("other.mp4", frames=3).rename(scene.folder / "other.mp4")
    with pytest.raises(kind, match=text) as refused:
        call(scene, Manifest.read(scene.manifest))
    assert "\n" not in str(refused.value)
    assert names(scene.folder) == ["other.mp4"]


def test_what_breaks_a_manifest_is_named(scene: Any) -> None:
    document = json.loads(scene.manifest.read_bytes())
    document["tracks"][0]["label"] = "fox"
    with pytest.raises(api.ManifestError) as refused:
        Manifest.from_bytes(json.dumps(document).encode())
    assert (refused.value.layer, refused.value.path, refused.value.exit_code) == ("schema", "$.tracks[0].label", 3)


def test_arguments_that_do_not_exist_are_type_errors(scene: Any) -> None:
    with pytest.raises(TypeError, match=r"render\(\) got an unexpected keyword argument 'colour'"):
        render(scene.media, Manifest.read(scene.manifest), scene.out, colour="red")  # type: ignore[call-arg]  # the test
    with pytest.raises(TypeError, match=r"render\(\) missing a required argument: 'out'"):
        render(scene.media, Manifest.read(scene.manifest))  # type: ignore[call-arg]  # the test


def test_what_the_file_system_refuses_is_an_os_error(scene: Any) -> None:
    """As of a full disk; a limit of this process holds in the one that renders too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(OSError, match="too large") as refused:
            render(scene.media, Manifest.read(scene.manifest), scene.out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.errno == errno.EFBIG
    assert names(scene.folder) == []


def test_nothing_is_printed(scene: Any, capfd: pytest.CaptureFixture[str]) -> None:
    receipt = render(scene.media, Manifest.read(scene.manifest), scene.out)
    assert passed(verify(receipt.path, output=scene.out))
    edit(Manifest.read(scene.manifest), "reject custom-0001", media=scene.media)
    with pytest.raises(api.MediaError):
        locate(scene.manifest)
    assert capfd.readouterr() == ("", "")


def test_the_whole_error_tree_is_exported() -> None:
    assert {kind.__name__ for kind in ERRORS} <= set(api.__all__)
    assert all(getattr(api, kind.__name__) is kind for kind in ERRORS)


SAME = {
    "locate": (["in.mp4"], {"out", "quiet"}, {"report", "remark"}),
    "render": (["in.mp4", "m.json", "out.mp4"], {"quiet"}, {"report"}),
    "verify": (["audit"], {"as_json"}, set()),
    "edit": (["m.json", "accept", "face-0001"], {"words", "script", "dry_run", "out", "in_place"}, {"operations"}),
}
"""A command line without options, the options that only the command has, the parameters that only the function has."""
OTHER_NAMES = {
    "locate": {"cover": "speech"},
    "render": {"attestation": "attest", "key": "sign"},
    "verify": {"input_": "input"},
    "edit": {"expression": "where"},
}
OTHER_DEFAULTS = {"stride": (None, "auto"), "thresholds": ((), None), "effects": ((), None)}
"""Those of the command after parsing, and those of the function."""


@pytest.mark.parametrize("name", SAME)
def test_options_have_the_names_and_defaults_of_the_command(name: str) -> None:
    words, of_command, of_function = SAME[name]
    found = veridact.get_command(click.Context(veridact), name)
    assert found is not None
    renamed = OTHER_NAMES.get(name, {})
    defaults = {renamed.get(k, k): v for k, v in found.make_context(name, [*words]).params.items()}
    parameters = inspect.signature(getattr(api, name)).parameters
    assert set(defaults) - of_command == set(parameters) - of_function
    for option, default in defaults.items():
        if option in parameters and parameters[option].kind == inspect.Parameter.KEYWORD_ONLY:
            assert OTHER_DEFAULTS.get(option, (default, default)) == (default, parameters[option].default), option


def test_the_signed_facts_are_those_of_the_command(scene: Any, command: Any) -> None:
    key = scene.folder / "key"
    assert command("keygen", "-o", key)[0] == 0
    receipt = render(scene.media, Manifest.read(scene.manifest), scene.out, attest=scene.folder / "run.json", sign=key)
    checks = verify(receipt.path, key=scene.folder / "key.pub", attestation=scene.folder / "run.json")
    assert [(c.name, c.status) for c in checks if c.level == "anchor"] == [("attestation", "pass")]


def test_names_that_are_not_text_survive(scene: Any) -> None:
    odd = scene.folder / os.fsdecode(b"\xff\xfe.mp4")
    receipt = render(scene.media, Manifest.read(scene.manifest), odd)
    assert odd.exists()
    assert receipt.path.exists()
