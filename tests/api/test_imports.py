"""Importing veridact changes nothing of the process that does so, and loads no more than what is asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

STATE = """
import decimal, faulthandler, gc, importlib, json, locale, logging, os, pkgutil, random, resource, signal, socket, sys
import tempfile, threading, warnings
import av, av.logging, click, cryptography, numpy, pydantic, rfc8785
from PIL import Image, ImageFile, PngImagePlugin
Image.init()

def state():
    mask = os.umask(0o77)
    os.umask(mask)
    return {
        "environment": dict(os.environ), "warning filters": list(map(str, warnings.filters)),
        "showwarning": id(warnings.showwarning),
        "signals": {str(n): str(signal.getsignal(n)) for n in signal.valid_signals()},
        "blocked signals": str(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "wakeup": signal.set_wakeup_fd(-1),
        "tempdir": tempfile.tempdir, "locale": [locale.setlocale(n) for n in (locale.LC_ALL, locale.LC_NUMERIC)],
        "picture limits": [Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK,
                           PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY],
        "picture formats": [sorted(Image.OPEN), sorted(Image.SAVE), sorted(Image.EXTENSION)],
        "FFmpeg's log": str(av.logging.get_level()), "cwd": os.getcwd(), "umask": mask, "path": list(sys.path),
        "hooks": [id(sys.excepthook), id(threading.excepthook), id(sys.unraisablehook), id(sys.displayhook)],
        "finders": list(map(str, sys.meta_path)), "streams": [id(sys.stdin), id(sys.stdout), id(sys.stderr)],
        "faulthandler": faulthandler.is_enabled(), "tracing": [sys.gettrace() is None, sys.getprofile() is None],
        "interpreter": [sys.getswitchinterval(), sys.getrecursionlimit(), sys.get_int_max_str_digits(), gc.isenabled(),
                        gc.get_threshold(), sys.dont_write_bytecode],
        "logging": [logging.root.level, len(logging.root.handlers), logging.root.manager.disable],
        "numbers": [str(decimal.getcontext()), str(numpy.geterr()), str(numpy.get_printoptions()),
                    hash(random.getstate())],
        "sockets": socket.getdefaulttimeout(),
        "limits": [resource.getrlimit(n) for n in range(16)], "nice": os.getpriority(0, 0),
        "cores": sorted(os.sched_getaffinity(0)), "threads": threading.active_count(),
        "descriptors": [n for n in range(64) if os.path.exists(f"/proc/self/fd/{n}")],
    }
"""
WALK = """
import veridact
def names():
    for found in pkgutil.walk_packages(veridact.__path__, "veridact.", onerror=lambda name: None):
        if found.name not in {"veridact.__main__"}:
            yield found.name
before = state()
for name in names():
    importlib.import_module(name)
after = state()
imported = sorted(n for n in sys.modules if n.startswith("veridact."))
print(json.dumps([before, after, imported]))
"""


def ran(code: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, check=False,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_importing_every_module_changes_nothing() -> None:
    before, after, imported = ran(STATE + WALK)
    changed = {what: (before[what], after[what]) for what in before if before[what] != after[what]}
    assert changed == {}
    assert {"veridact.api.calls", "veridact.cli.locate", "veridact.locate.isolation", "veridact.media.video"} <= set(
        imported
    )


def test_a_change_would_be_noticed() -> None:
    """The state has what a careless module would change."""
    careless = {
        "environment": "os.environ['NEW'] = '1'",
        "warning filters": "warnings.simplefilter('ignore')",
        "signals": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "tempdir": "tempfile.gettempdir()",
        "locale": "locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
        "picture limits": "Image.MAX_IMAGE_PIXELS = None",
        "FFmpeg's log": "av.logging.set_level(av.logging.DEBUG)",
        "cwd": "os.chdir('/')",
        "umask": "os.umask(0o70)",
        "path": "sys.path.insert(0, '/')",
        "hooks": "sys.excepthook = print",
        "faulthandler": "faulthandler.enable()",
        "logging": "logging.basicConfig()",
        "threads": "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "descriptors": "os.dup(0)",
    }
    lines = "\n".join(
        f"before = state()\n{code}\nafter = state()\nfound[{what!r}] = before[{what!r}] != after[{what!r}]"
        for what, code in careless.items()
    )
    found = ran(f"{STATE}\nfound = {{}}\n{lines}\nprint(json.dumps(found), flush=True)\nos._exit(0)", LC_ALL="C")
    assert found == dict.fromkeys(careless, True)


LOADED = {
    "veridact": ("import veridact", {"veridact"}),
    "veridact.api": ("import veridact.api", {"veridact", "pydantic", "rfc8785"}),
    "editing": (
        "from veridact.api import Manifest, edit; edit(Manifest.read('{manifest}'), 'reject custom-0001')",
        {"veridact", "pydantic", "rfc8785", "numpy"},
    ),
    "rendering": (
        "from veridact.api import Manifest, render; render('{media}', Manifest.read('{manifest}'), '{folder}/out.mp4')",
        {"veridact", "pydantic", "rfc8785"},
    ),
    "veridact.render": (
        "import veridact.render.pipeline",
        {"veridact", "pydantic", "rfc8785", "numpy", "av", "PIL"},
    ),
}
"""What a program does, and which of the packages below it has then loaded."""
PACKAGES = (
    "veridact", "pydantic", "rfc8785", "numpy", "av", "PIL", "click", "cryptography", "onnxruntime", "cv2", "torch",
    "presidio_analyzer", "pocketsphinx",
)  # fmt: skip


@pytest.mark.parametrize("what", LOADED)
def test_a_program_loads_what_it_uses(what: str, scene: Any) -> None:
    code, expected = LOADED[what]
    code = code.format(media=scene.media, manifest=scene.manifest, folder=scene.folder)
    loaded = set(ran(f"import json, sys\n{code}\nprint(json.dumps(list(sys.modules)))"))
    assert {name for name in PACKAGES if name in loaded} == expected
    assert "veridact.locate" not in loaded
    assert ("veridact.render" in loaded) == (what == "veridact.render")


def test_the_package_holds_its_version_alone() -> None:
    names = ran("import json, veridact\nprint(json.dumps(sorted(n for n in vars(veridact) if n[:2] != '__')))")
    assert names == []
