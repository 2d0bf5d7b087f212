"""`make corpus`: every real file through locate, render and verify, each in a process with little time and memory.

The table has one line a file: done, refused with the reason, or BROKEN (a traceback, exit 70, a hang, a crash, a leak).
Exits 1 when anything is broken. `corpus.py [FOLDER] [FIRST:LAST] [--name PART]` does a part of it.
"""

import io
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

SECONDS = 60
MEMORY_BYTES = 1536 << 20
NOT_MEDIA = {".md", ".tsv", ".json", ".txt", ".onnx", ".tflite", ".srt", ".xml", ".yaml", ".yml", ".csv", ".vtt"}
SUFFIX = {"jpeg": ".jpg", "tiff": ".tif"}
INNOCENT = re.compile(
    r"^(File|Directory|ExifTool|MIMEType|Image(Width|Height|Size)|Megapixels|Bit|Color|Compression|Filter|Interlace"
    r"|Encoding|YCbCr|JFIF|Resolution|[XY]Resolution|Media|Track|Movie|Matrix|Duration|Video|Source|Graphics|Op|Handler"
    r"|Avg|Average|Compressor|Max|Buffer|Audio|Balance|Time|Preview|Poster|Selection|Current|Next|Major|Minor|Compatible|Preferred|Avg"
    r"|Rotation|Format|Num|Byte|Pixel|Cleaned|Planes|Samples|Strip|Rows|Photometric|Planar|Frame|Loop|Animation|GIF|Has"
    r"|Background|Transparency|VP8|WebP|Alpha|Horizontal|Vertical|EBML|Doc|Codec|Muxing|Writing|Timecode|Track|Chunk"
    r"|Block|Total|MD5|Channel|Sample|Stream|Default|Nal|Start|Language|Display|Transfer|Matrix|Primaries|Gamma|Exif"
    r"|Orientation|SRGB|Vendor|MPEG|CopyrightFlag|Emphasis|Original|MS|Intensity|Lame|Encoder$|Palette|Extra|Sub|Fill|Unknown"
    r"|Cropp|Purple|Warning|Image|Avail|Red|Green|Blue|White|Significant)",
    re.IGNORECASE,
)
"""Tags of `exiftool` that describe the pixels and samples themselves; any other tag is a leak."""


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)


def _peak(pid: int) -> int:
    """The resident memory of a process, or 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", text)
    return int(found[1]) << 10 if found else 0


def run(*arguments: object) -> tuple[int, str]:
    """A veridact command: its exit code and last words; 124 after `SECONDS`, 137 over `MEMORY_BYTES`."""
    command = [sys.executable, "-c", "from schema.cli import main; main()", *map(str, arguments)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, preexec_fn=_limited)
        code: int | None = None
        for _ in range(SECONDS * 10):
            try:
                code = process.wait(0.1)
                break
            except subprocess.TimeoutExpired:
                if _peak(process.pid) > MEMORY_BYTES:
                    process.kill()
                    process.wait()
                    return 137, f"more than {MEMORY_BYTES >> 20} MiB"
        if code is None:
            process.kill()
            process.wait()
            return 124, f"more than {SECONDS} s"
        said.seek(0)
        text = said.read().decode(errors="replace")
    if "Traceback" in text:
        return 70, text.strip().splitlines()[-1]
    return code, next((line for line in text.splitlines() if line.startswith("error")), text.strip().split("\n")[-1])


def is_jpeg(data: bytes) -> bool:
    """Whether bytes that begin like a JPEG have its headers too; sound has these three bytes by chance."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]):
            return True
    except (OSError, SyntaxError, ValueError):
        return False


def signatures(data: bytes, suffix: str) -> list[str]:
    """Further pictures or films inside a file, by their first bytes; the file's own start does not count."""
    starts = [m.start() for m in re.finditer(rb"\xff\xd8\xff[\xdb\xe0\xe1\xee\xc0-\xc2]", data) if m.start()]
    found = [f"JPEG at {start}" for start in starts if is_jpeg(data[start:])]
    found += [
        f"MP4 at {m.start()}" for m in re.finditer(rb"ftyp(isom|mp4[12]|qt  |avc1|heic|M4V)", data) if m.start() > 4
    ]
    found += [f"PNG at {m.start()}" for m in re.finditer(rb"\x89PNG\r\n\x1a\n", data) if m.start()]
    found += [f"Exif at {m.start()}" for m in re.finditer(rb"Exif\0\0(II|MM)", data)]
    return found


def leaks(path: Path) -> list[str]:
    """What exiftool, mediainfo, ffprobe and a search for signatures find in an output beside its picture and sound."""
    found = signatures(path.read_bytes(), path.suffix)
    if shutil.which("exiftool"):
        told = subprocess.run(["exiftool", "-s", "-a", path], capture_output=True, text=True, check=False).stdout
        pairs = [line.partition(":")[::2] for line in told.splitlines()]
        found += [f"exiftool: {tag.strip()}={value.strip()}" for tag, value in pairs
                  if not INNOCENT.match(tag) and not value.strip().startswith("0000:00:00")]  # fmt: skip
    if shutil.which("mediainfo"):
        told = subprocess.run(["mediainfo", path], capture_output=True, text=True, check=False).stdout
        found += [
            f"mediainfo: {line}"
            for line in told.splitlines()
            if re.match(r"(Text|Menu|Other|Cover|Title|Recorded)", line)
        ]
    if shutil.which("ffprobe"):
        told = subprocess.run(
            ["ffprobe", "-v", "quiet", "-show_chapters", "-show_streams", "-show_format", path],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        found += [f"ffprobe: {line}" for line in told.splitlines()
                  if re.match(r"\[CHAPTER|codec_type=(sub|data|att)|closed_captions=1|DISPOSITION:attached_pic=1"
                              r"|TAG:(title|location|comment|creation_time|artist|date|com\.)", line)]  # fmt: skip
    return found


def left_behind(audit: Path) -> str:
    """What the receipt says that the source held and the output does not."""
    import json

    streams, names = [], set()
    for line in audit.read_text().splitlines():
        entry = json.loads(line)
        if entry["type"] == "stream":
            names |= set(entry["body"]["metadata_dropped"])
            if entry["body"]["disposition"] == "dropped":
                streams.append(str(entry["body"]["codec"]))
    return " ".join(sorted(streams)) + (f" {len(names)} names: {' '.join(sorted(names))[:60]}" if names else "")


def one(path: Path, folder: Path) -> tuple[str, str]:
    """What becomes of one file: the verdict, and the reason or what was left behind."""
    import json

    manifest = folder / "m.json"
    code, words = run("locate", "--stride", 1, "--labels", "face", "--quiet", path, "-o", manifest)
    if code:
        return verdict(code, "locate", words)
    tree = json.loads(manifest.read_bytes())
    container = tree["output"]["container"]
    out = folder / f"out{SUFFIX.get(container, '.' + container)}"
    code, words = run("render", "--allow-uncovered", path, manifest, out)
    if code:
        left = sorted(p.name for p in folder.iterdir() if p != manifest)
        return ("BROKEN", f"render left {left}") if left else verdict(code, "render", words)
    audit = out.with_name(out.name + ".audit.jsonl")
    code, words = run("verify", audit, "--input", path, "--manifest", manifest, "--output", out)
    if code:
        return "BROKEN", f"verify {code}: {words}"
    found = leaks(out)
    return ("BROKEN", "; ".join(found[:4])) if found else ("done", left_behind(audit))


def verdict(code: int, tool: str, words: str) -> tuple[str, str]:
    """Refusals are those that the contract knows: media, binding, safety, a missing extra."""
    return ("refused" if code in {3, 4, 5, 6, 7} else "BROKEN"), f"{tool} {code}: {words}"


def main(arguments: list[str]) -> int:
    name = arguments.pop(arguments.index("--name") + 1) if "--name" in arguments else ""
    words = [a for a in arguments if not a.startswith("--")]
    root = Path(words[0] if words else os.environ.get("VERIDACT_MEDIA", ""))
    if not root.is_dir() or not str(root).strip("."):
        print("corpus: give a folder of media, or set VERIDACT_MEDIA")
        return 2
    for tool in ("exiftool", "mediainfo", "ffprobe"):
        if shutil.which(tool) is None:
            print(f"corpus: {tool} is not installed; outputs are not checked with it")
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.suffix.lower() not in NOT_MEDIA and name in str(p))
    first, _, last = (words[1] if len(words) > 1 else ":").partition(":")
    counts: dict[str, int] = {}
    for path in files[int(first or 0) : int(last) if last else None]:
        with tempfile.TemporaryDirectory() as folder:
            result, why = one(path, Path(folder))
        counts[result] = counts.get(result, 0) + 1
        print(f"{result:8} {path.relative_to(root)!s:70} {why[:200]}", flush=True)
    print(", ".join(f"{n} {what}" for what, n in sorted(counts.items())), "of", sum(counts.values()))
    return 1 if counts.get("BROKEN") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
