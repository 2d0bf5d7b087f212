"""Free text where usually a word of the muxer stands: it never reaches an output, and an output that holds it fails."""

from pathlib import Path
from typing import Any

import av
import pytest

from render import check
from schema import formatter

SECRET = "Jane Doe, 12 Elm Street"


def relabelled(source: Path, target: Path, tags: dict[str, str]) -> Path:
    """The streams of a file in a new one, with tags on the first."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        streams = [made.add_stream_from_template(s) for s in given.streams]
        streams[0].metadata.update(tags)
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                made.mux(packet)
    return target


LANGUAGES = {"eng": True, SECRET: False, "en-US-x-jane": False, "Eng": False, "": False}


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_a_language_is_kept_as_one(
    language: str, clip: Any, make_manifest: Any, make_track: Any, command: Any, tmp_path: Path
) -> None:
    """Matroska holds any text as the language of a stream."""
    source = relabelled(clip("plain.mkv", frames=5), tmp_path / "in.mkv", {"language": language} if language else {})
    manifest, out = tmp_path / "m.json", tmp_path / "out.mkv"
    manifest.write_bytes(formatter.write(make_manifest(source, (make_track(1, (8, 8, 20, 16), 5),), container="mkv")))
    code, _, said = command("render", source, manifest, out)
    assert code == 0, said
    with av.open(str(out)) as made:
        kept = made.streams[0].metadata.get("language")
    assert kept == (language if LANGUAGES[language] else None)
    receipt = out.with_name("out.mkv.audit.jsonl").read_bytes()
    assert SECRET.encode() not in out.read_bytes() + receipt
    assert (b'"language"' in receipt) == (bool(language) and not LANGUAGES[language])


@pytest.mark.parametrize("name", ["language", "handler_name", "encoder", "title"])
def test_an_output_with_free_text_fails_its_check(name: str, clip: Any, tmp_path: Path) -> None:
    plain = clip("plain.mkv", frames=5)
    with av.open(str(relabelled(plain, tmp_path / "same.mkv", {}))) as made:
        assert check.stray_tags(made) == []
    with av.open(str(relabelled(plain, tmp_path / "evil.mkv", {name: SECRET}))) as made:
        assert SECRET in made.streams[0].metadata.values()
        assert check.stray_tags(made) == [name]
