"""Faults of the machine, and files that change meanwhile: the right exit code, one line on stderr, no file left."""

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from veridact import atomic_write
from veridact.schema import writer

ROOT = Path(__file__).resolve().parents[2]
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


@pytest.fixture
def scene(clip: Any, make_manifest: Any, make_track: Any, tmp_path: Path) -> dict[str, Path]:
    source = clip("in.mp4", frames=12, size=(96, 64))
    manifest = tmp_path / "m.json"
    manifest.write_bytes(writer.write(make_manifest(source, (make_track(1, (8, 8, 20, 16), 12),))))
    folder = tmp_path / "out"
    folder.mkdir()
    return {"media": source, "manifest": manifest, "folder": folder, "out": folder / "out.mp4"}


def fails(ended: Any, code: int) -> str:
    """Checks the exit code, an empty stdout and one line on stderr; returns that line."""
    assert ended.code == code, ended
    assert ended.err.count("\n") == 1, ended.err
    assert ended.out == b""
    return str(ended.err)


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def loop(path: Path) -> Path:
    path.symlink_to(path)
    return path


NO_FILES: dict[str, Callable[[Path], Path]] = {
    "a pipe": pipe,
    "zeros without end": lambda path: Path("/dev/zero"),
    "a terminal's null": lambda path: Path("/dev/null"),
    "a folder": lambda path: path.parent,
    "a link to itself": loop,
    "a name too long": lambda path: Path("x" * 5000),
    "a file without bytes": lambda path: path.touch() or path,
}


@pytest.mark.parametrize("what", NO_FILES)
def test_only_regular_files_are_read(what: str, scene: dict[str, Path], command: Any, tmp_path: Path) -> None:
    path = NO_FILES[what](tmp_path / "given.mp4")
    for arguments, expected in (
        (("locate", "--labels", "face", path), {"a folder": 2, "a name too long": 8}.get(what, 4)),
        (("render", path, scene["manifest"], scene["out"]), 4),
        (("lint", scene["manifest"], path), 4),
    ):
        code, out, stderr = command(*arguments)
        assert (code, out, stderr.count("\n")) == (expected, "", 1), (what, arguments[0], code, stderr)
    assert not list(scene["folder"].iterdir())


@pytest.mark.parametrize("what", NO_FILES)
def test_only_regular_files_are_manifests_and_receipts(
    what: str, scene: dict[str, Path], command: Any, tmp_path: Path
) -> None:
    path = NO_FILES[what](tmp_path / "given.json")
    for arguments in (("render", scene["media"], path, scene["out"]), ("validate", path), ("verify", path)):
        code, _, stderr = command(*arguments)
        assert code in {1, 2, 3, 4}, (what, arguments[0], code, stderr)
        assert stderr.count("\n") <= 1
    assert not list(scene["folder"].iterdir())


def test_a_link_is_read_but_never_written_through(scene: dict[str, Path], command: Any, tmp_path: Path) -> None:
    link, precious = tmp_path / "link.mp4", tmp_path / "precious.mp4"
    link.symlink_to(scene["media"])
    precious.write_bytes(b"precious")
    scene["out"].symlink_to(precious)
    for force in ((), ("--force",)):
        code, _, stderr = command("render", link, scene["manifest"], scene["out"], *force)
        assert precious.read_bytes() == b"precious"
        assert code in {0, 2, 6}, stderr
    scene["out"].unlink()
    assert command("render", link, scene["manifest"], scene["out"], "--force")[0] == 0


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], bool]], None]:
    """`reported(condition)`: after a report of progress a search or a render waits until the condition is true."""
    import veridact.locate.pipeline
    import veridact.render.streams

    def after(condition: Callable[[], bool]) -> None:
        def then_waits(work: Callable[..., Any]) -> Callable[..., Any]:
            def waiting(*arguments: Any) -> Any:
                done = work(*arguments)
                until = time.monotonic() + 20
                while not condition() and time.monotonic() < until:
                    time.sleep(0.01)
                return done

            return waiting

        monkeypatch.setattr(veridact.render.streams, "_report_frame", then_waits(veridact.render.streams._report_frame))
        monkeypatch.setattr(veridact.locate.pipeline, "check_audio", then_waits(veridact.locate.pipeline.check_audio))

    return after


@pytest.mark.parametrize("tool", ["locate", "render"])
def test_an_input_that_changes_meanwhile_is_refused(
    tool: str, scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch, reported: Any
) -> None:
    import veridact.cli.locate
    import veridact.cli.render

    size = scene["media"].stat().st_size

    def meddle(self: object, what: str, done: int, total: int) -> None:
        with scene["media"].open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read()
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last[0] ^ 1]))
            file.seek(0, os.SEEK_END)
            file.write(b"x")

    monkeypatch.setattr(veridact.cli.locate.Progress, "__call__", meddle)
    monkeypatch.setattr(veridact.cli.render.Progress, "__call__", meddle)
    reported(lambda: scene["media"].stat().st_size > size)
    if tool == "render":
        code, out, stderr = command("render", scene["media"], scene["manifest"], scene["out"])
    else:
        code, out, stderr = command("locate", "--labels", "face", "--stride", "1", scene["media"], "-o", scene["out"])
    assert (code, out, stderr.count("\n")) == (4, "", 1), stderr
    assert not list(scene["folder"].iterdir())


def test_a_manifest_that_cannot_be_written_out_is_an_error(scene: dict[str, Path], run: Any) -> None:
    with Path("/dev/full").open("wb") as full:
        assert "No space" in fails(
            run("locate", "--labels", "face", "--quiet", scene["media"], stdout=full.fileno()), 8
        )
    reading, writing = os.pipe()
    os.close(reading)
    try:
        fails(run("locate", "--labels", "face", "--quiet", scene["media"], stdout=writing), 8)
    finally:
        os.close(writing)


def test_a_closed_stdout_is_an_error(scene: dict[str, Path]) -> None:
    program = "from veridact.cli.main import main; main()"
    tail = ["locate", "--labels", "face", "--quiet", str(scene["media"])]
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", program, *tail],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 8, ended
    assert ended.stderr.count(b"\n") == 1


def test_64_descriptors_are_enough(scene: dict[str, Path], run: Any) -> None:
    few = {resource.RLIMIT_NOFILE: 64}
    found = run("locate", "--labels", "face", "--quiet", scene["media"], limits=few)
    assert found.code == 0, found
    made = run("render", scene["media"], scene["manifest"], scene["out"], limits=few)
    assert made.code == 0, made


def test_too_few_descriptors_are_reported(scene: dict[str, Path], run: Any) -> None:
    ended = run(
        "render", scene["media"], scene["manifest"], scene["out"], "--jobs", "1", limits={resource.RLIMIT_NOFILE: 5}
    )
    fails(ended, 8)
    assert not [p for folder in scene["folder"].iterdir() for p in folder.iterdir()]


ODD_NAMES = {
    "newline": b"a\nb",
    "quotes": b"a'b\"c`d$(x)",
    "leading dash": b"-rf",
    "invalid UTF-8": b"a\xff\xfeb",
    "emoji": "🎥 película".encode(),
    "percent": b"im%03d",
    "address": b"file:x",
    "escape": b"a\x1b[31mb",
}


@pytest.mark.parametrize(
    ("name", "locale"), [*((name, "C") for name in ODD_NAMES), ("invalid UTF-8", "C.UTF-8"), ("emoji", "C.UTF-8")]
)
def test_any_name_will_do_in_any_locale(
    name: str, locale: str, scene: dict[str, Path], run: Any, tmp_path: Path
) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + ODD_NAMES[name]))
    folder.mkdir()
    media = Path(os.fsdecode(ODD_NAMES[name] + b".mp4"))
    (folder / media).write_bytes(scene["media"].read_bytes())
    env = {"LC_ALL": locale, "LANG": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    made = run("render", "--", media, scene["manifest"], "out.mp4", env=env, cwd=folder)
    assert (made.code, made.err.count("\n") <= 1) == (0, True), made
    assert sorted(p.name for p in folder.iterdir()) == sorted([os.fspath(media), "out.mp4", "out.mp4.audit.jsonl"])
    assert ODD_NAMES[name] not in (folder / "out.mp4.audit.jsonl").read_bytes()
    again = run("render", "--", media, scene["manifest"], "out.mp4", env=env, cwd=folder)
    fails(again, 6)


WITHOUT_PRIVILEGE = f"""
import ctypes, os, sys
library = ctypes.CDLL(None, use_errno=True)
for capability in ({CAP_DAC_OVERRIDE}, {CAP_DAC_READ_SEARCH}):
    library.prctl({PR_CAPBSET_DROP}, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", "from veridact.cli.main import main; main()", *sys.argv[1:]])
"""
"""Without these capabilities, permissions apply to root as well."""


def plain_user(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_PRIVILEGE, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["newline", "leading dash", "invalid UTF-8"])
def test_locate_takes_any_name(name: str, scene: dict[str, Path], run: Any) -> None:
    media = Path(os.fsdecode(ODD_NAMES[name] + b".mp4"))
    (scene["folder"] / media).write_bytes(scene["media"].read_bytes())
    manifest = Path(os.fsdecode(ODD_NAMES[name] + b".json"))
    env = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    made = run("locate", "--labels", "face", "--quiet", "-o", manifest, "--", media, env=env, cwd=scene["folder"])
    assert (made.code, made.err) == (0, "")
    assert {p.name for p in scene["folder"].iterdir()} == {os.fspath(media), os.fspath(manifest)}
    assert ODD_NAMES[name] not in (scene["folder"] / manifest).read_bytes()


def test_a_folder_that_may_not_be_written_is_reported(scene: dict[str, Path]) -> None:
    scene["folder"].chmod(0o500)
    try:
        for arguments in (
            ("render", scene["media"], scene["manifest"], scene["out"]),
            ("locate", "--labels", "face", scene["media"], "-o", scene["folder"] / "m.json"),
        ):
            ended = plain_user(*arguments)
            assert ended.returncode == 8, ended
            assert ended.stderr.count(b"\n") == 1
    finally:
        scene["folder"].chmod(0o700)
    assert not list(scene["folder"].iterdir())


def test_a_file_that_may_not_be_read_is_reported(scene: dict[str, Path]) -> None:
    scene["media"].chmod(0)
    ended = plain_user("render", scene["media"], scene["manifest"], scene["out"])
    assert ended.returncode in {2, 8}, ended
    assert ended.stderr.count(b"\n") == 1


@pytest.fixture
def small_disk(scene: dict[str, Path]) -> Iterator[Path]:
    """A file system of 64 KiB; the test is skipped where mounting is not allowed."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", scene["folder"]], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here; the test of file sizes stands in")
    yield scene["folder"]
    subprocess.run(["umount", scene["folder"]], check=True)


@pytest.fixture
def big(clip: Any, make_manifest: Any, make_track: Any, tmp_path: Path) -> tuple[Path, Path]:
    source = clip("big.mp4", frames=12, size=(320, 240))
    manifest = tmp_path / "big.json"
    manifest.write_bytes(writer.write(make_manifest(source, (make_track(1, (8, 8, 20, 16), 12),))))
    return source, manifest


def test_a_full_disk_is_reported(small_disk: Path, big: tuple[Path, Path], run: Any) -> None:
    fails(run("render", *big, small_disk / "out.mp4"), 8)
    assert not list(small_disk.iterdir())
    (small_disk / "ballast").write_bytes(bytes(1 << 16))
    fails(run("locate", "--labels", "face", "--quiet", big[0], "-o", small_disk / "m.json"), 8)
    assert [p.name for p in small_disk.iterdir()] == ["ballast"]


@pytest.mark.parametrize("size", [100, 20_000])
def test_a_file_that_may_not_grow_is_reported(
    size: int, scene: dict[str, Path], big: tuple[Path, Path], run: Any
) -> None:
    fails(run("render", *big, scene["out"], limits={resource.RLIMIT_FSIZE: size}), 8)
    assert not list(scene["folder"].iterdir())


@pytest.fixture
def rendered(scene: dict[str, Path], command: Any, tmp_path: Path) -> dict[str, Path]:
    audit, key = tmp_path / "made.mp4.audit.jsonl", tmp_path / "key"
    assert command("render", scene["media"], scene["manifest"], tmp_path / "made.mp4")[0] == 0
    assert command("keygen", "-o", key)[0] == 0
    (labels := tmp_path / "labels.txt").write_text("")
    return scene | {"audit": audit, "key": key, "labels": labels}


WRITERS: dict[str, tuple[str, ...]] = {
    "edit": ("edit", "manifest", "accept", "custom-0001", "-o", "/e.json"),
    "export": ("export", "manifest", "--format", "cvat", "-o", "/e.xml"),
    "a log": ("export", "manifest", "--format", "log-html", "-o", "/e.html"),
    "import": ("import", "media", "labels", "--format", "mot", "-o", "/i.json"),
    "upgrade": ("upgrade", "manifest", "-o", "/u.json"),
    "combine": ("combine", "manifest", "manifest", "-o", "/c.json"),
    "a sheet": ("show", "media", "manifest", "--sheet", "-o", "/s.png"),
    "a film": ("show", "media", "manifest", "--video", "-o", "/s.mp4"),
    "a timeline": ("show", "media", "manifest", "--timeline", "-o", "/s.svg"),
    "disclose": ("disclose", "audit", "--salt-file", "/salt", "-o", "/d.jsonl"),
    "keygen": ("keygen", "-o", "/k"),
    "attest": ("render", "media", "manifest", "/o.mp4", "--attest", "/a.json", "--sign", "key"),
    "locate": ("locate", "--labels", "face", "media", "-o", "/m.json"),
}
"""Every command that writes a file; /NAME is in the folder that must stay empty, a word may be a file of the scene."""


@pytest.mark.parametrize("what", WRITERS)
def test_nothing_is_left_of_a_file_that_may_not_grow(what: str, rendered: dict[str, Path], run: Any) -> None:
    words = [rendered["folder"] / w[1:] if w.startswith("/") else rendered.get(w, w) for w in WRITERS[what]]
    fails(run(*words, limits={resource.RLIMIT_FSIZE: 20}), 8)
    assert not list(rendered["folder"].iterdir())
    again = run(*words)
    assert again.code == 0, again
    assert list(rendered["folder"].iterdir())


def test_an_attestation_that_cannot_be_written_publishes_nothing(rendered: dict[str, Path], run: Any) -> None:
    (place := rendered["folder"].parent / "full").mkdir()
    words = ("render", rendered["media"], rendered["manifest"], rendered["out"], "--sign", rendered["key"], "--attest")
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", place], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        (place / "ballast").write_bytes(bytes(4096))
        fails(run(*words, place / "a.json"), 8)
        assert [p.name for p in place.iterdir()] == ["ballast"]
    finally:
        subprocess.run(["umount", place], check=True)
    assert not list(rendered["folder"].iterdir())
    assert run(*words, place / "a.json").code == 0
    assert (place / "a.json").stat().st_size > 100


def test_temporary_folders_of_killed_runs_go_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (precious := tmp_path / "precious").mkdir()
    (link := tmp_path / f"{atomic_write.FOLDER_PREFIX}link").symlink_to(precious)
    (left := tmp_path / f"{atomic_write.FOLDER_PREFIX}left").mkdir()
    (left / "a.lm").touch()
    with atomic_write.own_folder() as first:
        assert not left.exists()
        with atomic_write.own_folder() as second:
            assert first.exists()
            assert first.stat().st_mode & 0o777 == 0o700
        assert not second.exists()
        (first / "deep").mkdir()
    assert {path.name for path in tmp_path.iterdir()} == {precious.name, link.name}


def test_nothing_is_left_of_a_transcript_that_may_not_grow(tmp_path: Path, run: Any) -> None:
    code = """
import sys
from pathlib import Path
from veridact.locate.speech.recognizers.base import Word
from veridact.locate.speech import transcript
from veridact.errors import VeridactError
try:
    transcript.write(Path(sys.argv[1]), [(1, 0, 0, (Word("secret", 0, 10),) * int(sys.argv[2]))])
except VeridactError as e:
    print(e.exit_code)
"""
    path = tmp_path / "t.tsv"
    limited = run(path, 100, code=code, limits={resource.RLIMIT_FSIZE: 200})
    assert (limited.out.split()[0], list(tmp_path.iterdir())) == (b"8", [])
    run(path, 3, code=code)
    assert (path.read_text().count("secret"), path.stat().st_mode & 0o777) == (3, 0o600)


@pytest.mark.parametrize(("given", "code"), [('< "$1"', 0), ('< <(cat "$1")', 4)])
def test_a_file_on_standard_input_is_searched_and_a_pipe_is_not(given: str, code: int, scene: dict[str, Path]) -> None:
    ended = subprocess.run(
        ["bash", "-c", f'"$2" -c "$3" locate /dev/stdin --labels face --quiet {given}', "bash",
         scene["media"], sys.executable, "from veridact.cli.main import main; main()"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == code, ended
    assert ended.stderr == (b"error: /dev/stdin: not a regular file\n" if code else b"")


def test_two_renders_to_one_name_leave_one_whole_pair(scene: dict[str, Path], big: tuple[Path, Path], run: Any) -> None:
    ended: list[Any] = []
    threads = [threading.Thread(target=lambda: ended.append(run("render", *big, scene["out"]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(e.code for e in ended) == [0, 6, 6], ended
    assert sorted(p.name for p in scene["folder"].iterdir()) == ["out.mp4", "out.mp4.audit.jsonl"]
    assert run("verify", scene["out"].with_name("out.mp4.audit.jsonl"), "--output", scene["out"]).code == 0


def test_shared_memory_is_not_used(scene: dict[str, Path], run: Any) -> None:
    """Containers often have none. An audit hook checks what each process opens, and its memory maps what it maps."""
    code = """
import os, sys
def watch(event, what):
    if "/dev/shm" in repr(what):
        os.abort()
sys.addaudithook(watch)
from veridact.render import pipeline
render_and_read_back = pipeline._render_and_read_back
def made(*arguments):
    render_and_read_back(*arguments)
    if "/dev/shm" in open("/proc/self/maps").read():
        os.abort()
pipeline._render_and_read_back = made
{}
from veridact.cli.main import veridact
from veridact.cli.runner import run
print(run(veridact, "veridact", sys.argv[1:]))
"""
    arguments = ("render", scene["media"], scene["manifest"], scene["out"], "--jobs", "2")
    assert run(*arguments, code=code.format("")).out.split()[:1] == [b"0"]
    seen = run(*arguments, "--force", code=code.format("pipeline.selftest.check = lambda m: open('/dev/shm/x')"))
    assert seen.out.split()[:1] == [b"4"], "the audit hook does not fire"
    assert "crash" in seen.err


def test_an_output_folder_that_vanishes_is_an_error(
    scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch, reported: Any
) -> None:
    import shutil

    import veridact.cli.render

    def vanish(self: object, what: str, done: int, total: int) -> None:
        shutil.rmtree(scene["folder"], ignore_errors=True)

    monkeypatch.setattr(veridact.cli.render.Progress, "__call__", vanish)
    reported(lambda: not scene["folder"].exists())
    code, _, stderr = command("render", scene["media"], scene["manifest"], scene["out"])
    assert (code, stderr.count("\n")) == (8, 1), stderr
    assert not scene["out"].exists()


def test_a_clock_that_jumps_changes_no_byte(
    scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    digests = set()
    for number, base in enumerate((0.0, -1e12, 4e9)):
        monkeypatch.setattr(time, "monotonic", lambda base=base: base)
        monkeypatch.setattr(time, "time", lambda base=base: base)
        out = scene["folder"] / f"{number}.mp4"
        assert command("render", scene["media"], scene["manifest"], out)[0] == 0
        receipt = out.with_name(f"{number}.mp4.audit.jsonl")
        digests.add(hashlib.sha256(out.read_bytes() + receipt.read_bytes()).hexdigest())
    assert len(digests) == 1
