"""The decoder process is confined: each layer refuses what it should, and however it ends is one line and exit 4."""

import ctypes
import errno
import functools
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from veridact import signals
from veridact.audit import attestation, verify
from veridact.errors import ManifestError, MediaError
from veridact.progress import ReportProgress, silently
from veridact.render import pipeline
from veridact.sandbox import child, policy, seccomp, syscalls
from veridact.sandbox.child import ChildOptions
from veridact.sandbox.policy import GIB, Policy
from veridact.sandbox.protocol import ChildBugError
from veridact.schema.manifest import AudioRange, Origin

ROOT = Path(__file__).parents[2]
PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PTRACE_TRACEME, NEW_USER_NAMESPACE = 3, 39, 0, 0x1000_0000
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
NOBODY = 65534
ROOMY = Policy(4 * GIB)


def ended(work: Callable[[], Any], given: Policy = ROOMY, **options: Any) -> Any:
    """What the work gives in a child, or the name of the error number that it met."""

    def tried(report: ReportProgress) -> Any:
        try:
            return work()
        except OSError as e:
            return errno.errorcode.get(e.errno or 0)

    return child.run(tried, ChildOptions(given, **options), silently).value


class Outside:
    """A folder that nobody gave to the child, and a listener on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "secret"
        self.file.write_text("secret")
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = self.server.getsockname()

    def connect(self) -> None:
        socket.create_connection(self.address, 2).close()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    (tmp_path / "outside").mkdir()
    found = Outside(tmp_path / "outside")
    yield found
    found.server.close()


def called(number: int, *arguments: int) -> None:
    try:
        syscalls.syscall(number, *map(ctypes.c_long, arguments))
    except syscalls.KernelError as e:
        raise OSError(next(n for n in errno.errorcode if os.strerror(n) == str(e)), str(e)) from None


FILES, CALLS = "landlock", "seccomp"
ATTEMPTS: dict[str, tuple[str, Callable[[Outside], Any]]] = {
    "reading a file": (FILES, lambda o: o.file.read_text()),
    "listing a folder": (FILES, lambda o: list(o.folder.iterdir())),
    "changing a file": (FILES, lambda o: o.file.write_text("changed")),
    "cutting a file": (FILES, lambda o: os.truncate(o.file, 0)),
    "making a file": (FILES, lambda o: (o.folder / "new").touch()),
    "making a folder": (FILES, lambda o: (o.folder / "new").mkdir()),
    "making a link": (FILES, lambda o: (o.folder / "link").symlink_to("/")),
    "removing a file": (FILES, lambda o: o.file.unlink()),
    "renaming a file": (FILES, lambda o: o.file.rename(o.folder / "other")),
    "a device": (FILES, lambda o: os.open("/dev/zero", os.O_RDWR)),
    "starting a program": (FILES, lambda o: subprocess.run(["/bin/true"], check=True)),
    "connecting by TCP": (FILES, lambda o: o.connect()),
    "signalling the parent": (FILES, lambda o: os.kill(os.getppid(), 0)),
    "connecting": (CALLS, lambda o: o.connect()),
    "a socket for names": (CALLS, lambda o: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()),
    "a socket of this machine": (CALLS, lambda o: socket.socket(socket.AF_UNIX).close()),
    "a pair of sockets": (CALLS, lambda o: [s.close() for s in socket.socketpair()]),
    "changing who may read": (CALLS, lambda o: o.file.chmod(0o777)),
    "being traced": (CALLS, lambda o: called(seccomp.REFUSED["ptrace"], PTRACE_TRACEME)),
    "shared memory": (CALLS, lambda o: called(seccomp.REFUSED["shmget"], 0, 4096, 0o1600)),
    "another namespace": (CALLS, lambda o: called(seccomp.CLONE, NEW_USER_NAMESPACE | signal.SIGCHLD, 0, 0, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_each_layer_refuses(attempt: str, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with the layer alone, and first without any, where it succeeds."""
    layer, work = ATTEMPTS[attempt]
    if attempt != "another namespace":  # a child of the child would go on with this test
        assert ended(lambda: bool(work(outside)) or True, mode="off") is True
        shutil.rmtree(outside.folder)
        outside.folder.mkdir()
        outside.file.write_text("secret")
    alone = {name: policy.LAYERS[name] for name in ("no-new-privileges", layer)}
    monkeypatch.setattr(policy, "LAYERS", alone)
    assert ended(lambda: bool(work(outside)) or True, mode="require") in {"EPERM", "EACCES"}
    assert [path.name for path in outside.folder.iterdir()] == ["secret"]
    assert outside.file.read_text() == "secret"


def test_every_call_that_the_filter_names_is_refused() -> None:
    def tried() -> list[str]:
        called(seccomp.REFUSED["acct"], -1)  # refused, or nothing further is tried
        return []

    assert ended(tried) == "EPERM"

    def all_of_them() -> list[str]:
        wrong = []
        for name, number in seccomp.REFUSED.items():
            try:
                called(number, -1, -1, -1, -1, -1)
                wrong.append(name)
            except OSError as e:
                wrong += [name] if e.errno != errno.EPERM else []
        return wrong

    assert ended(all_of_them) == []
    assert ended(lambda: called(seccomp.CLONE3, 0, 0)) == "ENOSYS"
    assert ended(lambda: called(seccomp.X32 + seccomp.REFUSED["socket"], 2, 1, 0)) == "ENOSYS"


@pytest.mark.skipif(not HEADER.exists(), reason="there is no header with the numbers of system calls")
def test_the_numbers_are_those_of_the_kernel() -> None:
    defined = (line.split()[1:] for line in HEADER.read_text().splitlines() if line.startswith("#define __NR_"))
    numbers = {name.removeprefix("__NR_"): int(number) for name, number in defined}
    ours = {**seccomp.REFUSED, "clone": seccomp.CLONE, "clone3": seccomp.CLONE3}
    known = {name: number for name, number in ours.items() if name in numbers}
    assert known == {name: numbers[name] for name in known}
    assert len(known) > len(ours) - 4


def test_privileges_are_not_gained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that becomes somebody else does so without the layer and not with it."""
    if os.getuid() != 0:
        pytest.skip("only root can make a program that becomes somebody else")
    program = tmp_path / "id"
    shutil.copy("/usr/bin/id", program)
    os.chown(program, NOBODY, NOBODY)
    program.chmod(0o4755)

    def who() -> int:
        return int(subprocess.run([program, "-u"], capture_output=True, check=True).stdout)

    for parent in program.parents[:3]:
        parent.chmod(0o755)
    if ended(who, mode="off") != NOBODY:
        pytest.skip("this file system does not let programs become somebody else")
    monkeypatch.setattr(policy, "LAYERS", {"no-new-privileges": policy.LAYERS["no-new-privileges"]})
    assert ended(who) == 0


def test_the_limits_are_set() -> None:
    def limits() -> list[Any]:
        return [resource.getrlimit(n) for n in (resource.RLIMIT_CORE, resource.RLIMIT_DATA)] + [
            syscalls.prctl(PR_GET_DUMPABLE),
            syscalls.prctl(PR_GET_NO_NEW_PRIVS),
        ]

    assert ended(limits, Policy(3 * GIB)) == [[0, 0], [3 * GIB, 3 * GIB], 0, 1]
    assert ended(limits, Policy(3 * GIB), mode="off")[1:] == [list(resource.getrlimit(resource.RLIMIT_DATA)), 1, 0]


def test_what_is_given_can_be_used(tmp_path: Path, outside: Outside) -> None:
    """The folder that may be written, the descriptors that are kept and the code; no other descriptor stays open."""
    folder = tmp_path / "work"
    folder.mkdir()
    with outside.file.open() as kept, outside.file.open() as other:

        def work() -> list[Any]:
            (folder / "a").write_text("b")
            (folder / "a").rename(folder / "c")
            (folder / "d").touch()
            (folder / "d").unlink()
            import wave  # noqa: F401 - not loaded before

            Path("/dev/urandom").open("rb").close()

            try:
                os.fstat(other.fileno())
            except OSError as e:
                return [(folder / "c").read_text(), os.pread(kept.fileno(), 9, 0).decode(), e.errno]
            return []

        sys.modules.pop("wave", None)
        given = ended(work, Policy(4 * GIB, writable=(folder,)), keep=(kept.fileno(),), mode="require")
    assert given == ["b", "secret", errno.EBADF]


def fills_memory() -> None:
    blocks = [bytearray(1 << 28) for _ in range(8)]
    del blocks


ENDS: dict[str, tuple[Callable[[], Any], str]] = {
    "a crash": (lambda: ctypes.string_at(0), "SIGSEGV"),
    "a broken mapping": (lambda: os.kill(os.getpid(), signal.SIGBUS), "SIGBUS"),
    "an unknown instruction": (lambda: os.kill(os.getpid(), signal.SIGILL), "SIGILL"),
    "an abort": (os.abort, "SIGABRT"),
    "the killer of a full machine": (lambda: os.kill(os.getpid(), signal.SIGKILL), "memory"),
    "a signal without a name": (lambda: os.kill(os.getpid(), 40), "signal 40"),
    "an early end": (lambda: os._exit(3), "ended early"),
    "hunger": (fills_memory, "more memory"),
    "a hang": (lambda: time.sleep(60), "no progress for 1 seconds"),
    "a busy hang": (lambda: sum(0 for _ in iter(int, 1)), "no progress for 1 seconds"),
    "signals that are ignored": (
        lambda: [[signal.signal(n, signal.SIG_IGN) for n in signals.INTERRUPTING], time.sleep(60)],
        "no progress",
    ),
}


@pytest.fixture
def scene(clip: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path) -> dict[str, Path]:
    source = clip("in.mp4", frames=12, audio="aac")
    (folder := tmp_path / "out").mkdir()
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 12),)))
    return {"media": source, "manifest": manifest, "folder": folder, "out": folder / "out.mp4"}


@pytest.mark.parametrize("end", ENDS)
def test_however_it_ends_it_is_one_line_and_exit_4(
    end: str, scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, said = ENDS[end]

    def broken(media: Any, manifest: Any, staging: Any, jobs: int, report: Any) -> Any:
        staging.output.write_bytes(b"half of it")
        return fault()

    small = functools.partial(Policy, GIB)

    monkeypatch.setitem(pipeline.RENDERERS, "video", broken)
    monkeypatch.setattr(
        child, "ChildOptions", functools.partial(ChildOptions, timeout_seconds=1 if "no progress" in said else 60)
    )
    monkeypatch.setattr(pipeline, "Policy", lambda memory_bytes, **rest: small(**rest))
    code, out, err = command("render", scene["media"], scene["manifest"], scene["out"])
    assert (code, out, err.count("\n")) == (4, "", 1), err
    assert said in err
    assert list(scene["folder"].iterdir()) == []


def test_a_slow_child_that_goes_on_does_not_hang() -> None:
    def work(report: ReportProgress) -> str:
        for number in range(8):
            time.sleep(0.4)
            report("frames", number, 8)
        return "done"

    reported: list[int] = []
    given = child.run(
        work, ChildOptions(Policy(GIB), timeout_seconds=2), lambda unit, done, total: reported.append(done)
    )
    assert (given.value, reported) == ("done", list(range(8)))


def test_reading_is_a_sign_of_life(clip: Any) -> None:
    from veridact.media.video import open_media

    with open_media(clip("a.mp4", frames=2)) as media:

        def work(report: ReportProgress) -> str:
            for _ in range(8):
                time.sleep(0.4)
                media.reader().read(1)
            return "done"

        assert child.run(work, ChildOptions(Policy(GIB), keep=(media.fd,), timeout_seconds=2), silently).value == "done"


def test_errors_come_back_as_they_were() -> None:
    def refuse(error: BaseException) -> child.Work:
        def work(report: ReportProgress) -> None:
            raise error

        return work

    with pytest.raises(ManifestError, match="tracks") as refused:
        child.run(refuse(ManifestError("rules", "$.tracks", "no")), ChildOptions(Policy(GIB)), silently)
    assert (refused.value.layer, refused.value.path, refused.value.reason) == ("rules", "$.tracks", "no")
    with pytest.raises(OSError, match="No space") as full:
        child.run(refuse(OSError(errno.ENOSPC, "No space left", "out")), ChildOptions(Policy(GIB)), silently)
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, "out")
    for bug in (ZeroDivisionError("boom"), SystemExit("boom"), KeyboardInterrupt("boom")):
        with pytest.raises(ChildBugError, match="boom") as found:
            child.run(refuse(bug), ChildOptions(Policy(GIB)), silently)
        assert type(bug).__name__ in found.value.__notes__[0]


LIES = {
    "no JSON": b"\x80\x04\x95pickle\n",
    "no object": b"[1]\n",
    "depth": b"[" * 100_000 + b"\n",
    "an unknown error": b'{"error":"SystemExit","text":"x","more":{}}\n',
    "a class that is no error": b'{"error":"VeridactError.__subclasses__","text":"x","more":{}}\n',
    "an unknown word": b'{"evaluate":"x"}\n',
    "that all is well": b'{"error":"MediaError","text":"x","more":{"exit_code":0}}\n',
}


@pytest.mark.parametrize("lie", LIES)
def test_a_child_that_lies_is_refused(lie: str) -> None:
    def work(report: ReportProgress) -> None:
        for fd in range(3, 50):
            try:
                os.write(fd, LIES[lie])
            except OSError:
                continue
        os._exit(0)

    with pytest.raises(MediaError) as refused:
        child.run(work, ChildOptions(Policy(GIB)), silently)
    assert refused.value.exit_code == 4


def test_messages_of_a_child_hold_nothing_that_a_terminal_would_act_on() -> None:
    def work(report: ReportProgress) -> None:
        raise MediaError("\x1b]0;owned\x07\x1b[2J\nsecond line")

    with pytest.raises(MediaError) as refused:
        child.run(work, ChildOptions(Policy(GIB)), silently)
    assert str(refused.value).isprintable()


def test_the_bytes_do_not_depend_on_it(
    clip: Any, picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    spoken = AudioRange(
        id="speech-0001", stream=1, label="speech", review="added", origin=Origin(by="hand"), start_ms=200, end_ms=600
    )
    film, still = clip("in.mkv", frames=30, audio="libopus"), picture("in.png")
    jobs = {
        "out.mkv": (film, make_manifest(film, (make_track(1, (8, 8, 20, 16), 30),), container="mkv", audio=(spoken,))),
        "out.png": (still, make_manifest(still, (make_track(1, (8, 8, 20, 16), 1),))),
    }
    for name, (source, manifest) in jobs.items():
        made = set()
        for mode in policy.MODES:
            (folder := tmp_path / f"{mode}-{name}").mkdir()
            arguments = (source, saved(manifest, f"{name}.json"), folder / name, "--sandbox", mode)
            code, _, err = command("render", *arguments)
            assert code == 0, err
            made.add(tuple(path.read_bytes() for path in sorted(folder.iterdir())))
        assert len(made) == 1


def missing(policy: Policy) -> int:
    raise syscalls.KernelError("Function not implemented")


def attested(path: Path, key: Path) -> dict[str, Any]:
    predicate: dict[str, Any] = attestation.opened(path.read_bytes(), attestation.public_key(key))["predicate"]
    return predicate


def test_the_attestation_says_what_was_on(
    scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = scene["folder"].parent / "key"
    assert command("keygen", "-o", key)[0] == 0

    def sandbox_of(name: str, mode: str) -> Any:
        out, facts = scene["folder"] / f"{name}.mp4", scene["folder"] / f"{name}.json"
        options = ("--sandbox", mode, "--attest", facts, "--sign", key)
        code, _, err = command("render", scene["media"], scene["manifest"], out, *options)
        assert code == 0, err
        return attested(facts, key.with_name("key.pub"))["sandbox"]

    abi = policy.landlock.version()
    layers = ["limits", "no-new-privileges", "landlock", "seccomp"]
    assert sandbox_of("a", "require") == {"layers": layers, "landlockAbi": abi, "missing": []}
    assert sandbox_of("b", "off") == {"layers": [], "landlockAbi": 0, "missing": []}
    monkeypatch.setitem(policy.LAYERS, "landlock", missing)
    assert sandbox_of("c", "auto") == {
        "layers": ["limits", "no-new-privileges", "seccomp"],
        "landlockAbi": 0,
        "missing": ["landlock: Function not implemented"],
    }


@pytest.mark.parametrize("layer", policy.LAYERS)
def test_what_is_required_and_missing_is_exit_8(
    layer: str, scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(policy.LAYERS, layer, missing)
    arguments = ("render", scene["media"], scene["manifest"], scene["out"], "--sandbox")
    code, _, err = command(*arguments, "require")
    assert (code, layer in err, err.count("\n")) == (8, True, 1), err
    assert list(scene["folder"].iterdir()) == []


@pytest.mark.parametrize("kind", ["video", "picture"])
def test_the_command_itself_decodes_nothing(
    kind: str, scene: dict[str, Path], picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    source, manifest, out = scene["media"], scene["manifest"], scene["out"]
    if kind == "picture":
        source, out = picture("in.png"), scene["folder"] / "out.png"
        manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 1),)), "picture.json")
    parent = os.getpid()

    def only_in_a_child(opening: Callable[..., Any]) -> Callable[..., Any]:
        def opened(*given: Any, **options: Any) -> Any:
            if os.getpid() == parent:
                raise ZeroDivisionError("decoded in the command itself")
            return opening(*given, **options)

        return opened

    monkeypatch.setattr(av, "open", only_in_a_child(av.open))
    monkeypatch.setattr(Image, "open", only_in_a_child(Image.open))
    receipt = out.with_name(f"{out.name}.audit.jsonl")
    assert command("render", source, manifest, out)[0] == 0
    files = ("--input", source, "--manifest", manifest, "--output", out)
    for arguments in (
        ("verify", receipt, *files, "--content", "--rerun"),
        ("lint", manifest, source),
        ("show", source, manifest, "-o", scene["folder"] / "sheet.png"),
        ("export", manifest, "--format", "cvat", "--media", source),
    ):
        code, said, err = command(*arguments)
        assert code in {0, 1} - ({1} if arguments[0] != "lint" else set()), (arguments, said, err)
    with pytest.raises(ZeroDivisionError):
        av.open(str(source))


def test_the_key_that_signs_is_not_in_the_process_that_decodes(
    scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = scene["folder"].parent / "key"
    command("keygen", "-o", key)
    read, loaded = attestation.private_key, []

    def noted(path: Path) -> Any:
        loaded.append(not children(os.getpid()))
        return read(path)

    monkeypatch.setattr(attestation, "private_key", noted)
    options = ("--attest", scene["folder"] / "a.json", "--sign")
    assert command("render", scene["media"], scene["manifest"], scene["out"], *options, key)[0] == 0
    assert loaded == [True]
    scene["out"].unlink()
    (scene["folder"] / "a.json").unlink()
    code, _, err = command("render", scene["media"], scene["manifest"], scene["out"], *options, scene["media"])
    assert (code, "no private key" in err, scene["out"].exists()) == (2, True, False)


ENDLESS = """
import time
from veridact.render import pipeline
def hold(*arguments):
    while True:
        time.sleep(0.1)
pipeline.RENDERERS["video"] = hold
from veridact.cli.entry import render; render()
"""


def children(process: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_child_dies_with_the_command(number: signal.Signals, scene: dict[str, Path]) -> None:
    arguments = [scene["media"], scene["manifest"], scene["out"]]
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE
    ) as process:
        until = time.monotonic() + 30
        while not (found := children(process.pid)) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(number)
        process.wait()
    [child] = found
    while (alive := Path(f"/proc/{child}").exists()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive
    assert (list(scene["folder"].iterdir()) == []) == (number != signal.SIGKILL)


def test_the_help_names_the_choices(command: Any) -> None:
    assert "--sandbox [auto|require|off]" in command("render", "--help")[1]


def test_the_limits_are_documented() -> None:
    text = (ROOT / "docs" / "limits.md").read_text()
    assert f"{child.TIMEOUT_SECONDS} seconds" in text
    assert f"| {pipeline.MEMORY_BYTES // GIB} GiB, and {pipeline.BYTES_PER_PIXEL_PER_JOB} bytes a pixel" in text
    assert f"{verify.CONTENT_BYTES_A_PIXEL:,} bytes a pixel" in text
    security = (ROOT / "SECURITY.md").read_text()
    assert all(f"| {layer} |" in security for layer in policy.LAYERS)


def test_a_render_is_confined_to_its_hidden_folder(
    scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the hidden folder may be written, and nothing of the footage's folder be read."""
    seen: list[ChildOptions] = []
    run = child.run

    def noted(work: Any, options: ChildOptions, report: Any) -> Any:
        seen.append(options)
        return run(work, replace(options, mode="require"), report)

    monkeypatch.setattr(child, "run", noted)
    assert command("render", scene["media"], scene["manifest"], scene["out"], "--jobs", 2)[0] == 0
    [options] = seen
    assert [path.parent for path in options.policy.writable] == [scene["folder"]]
    assert options.policy.readable == ()
    assert options.policy.memory_bytes == pipeline.MEMORY_BYTES + 2 * 64 * 48 * pipeline.BYTES_PER_PIXEL_PER_JOB
    assert json.dumps(sorted(map(str, policy.code_folders()))).count(str(scene["folder"].parent)) == 0


COUNTED = """
import os, time
def threads():
    return len(os.listdir("/proc/self/task"))
def before():
    print("before", threads(), file=sys.stderr)
def after():
    until = time.monotonic() + 5  # one that was joined may stand in the list for a moment longer
    while threads() > 1 and time.monotonic() < until:
        time.sleep(0.01)
    print("after", threads(), file=sys.stderr)
import sys
os.register_at_fork(before=before, after_in_parent=after)
from veridact.cli.main import main
main()
"""


@pytest.mark.parametrize("tool", ["locate", "render", "verify", "lint"])
def test_a_command_has_one_thread_when_it_forks(
    tool: str, scene: dict[str, Path], command: Any, tmp_path: Path
) -> None:
    """OpenBLAS, which numpy starts, has ended its threads by then."""
    receipt = scene["folder"] / "out.mp4.audit.jsonl"
    arguments = {
        "locate": (scene["media"], "--labels", "text", "--detector", "nobody"),
        "render": (scene["media"], scene["manifest"], scene["out"]),
        "verify": (receipt, "--content", "--output", scene["out"], "--manifest", scene["manifest"]),
        "lint": (scene["manifest"], scene["media"]),
    }
    if tool == "verify":
        assert command("render", *arguments["render"])[0] == 0
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, tool, *map(str, arguments[tool])],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    counts = [line.split() for line in done.stderr.splitlines() if line.startswith(("before", "after"))]
    assert counts, done.stderr
    assert {count for when, count in counts if when == "after"} == {"1"}
