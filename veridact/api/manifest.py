"""A manifest together with the bytes that it was read from, which receipts name by their digest."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from veridact import atomic_write
from veridact.api.paths import path_of
from veridact.files import read_limited
from veridact.schema import digests, reader, strict_json, writer
from veridact.schema import manifest as schema


@dataclass(frozen=True, repr=False)
class Manifest:
    """A valid manifest, from `read`, `from_bytes`, `from_model`, `locate` or `edit`. It never changes.

    `model` is the document as pydantic models (`veridact.schema.manifest`), whose fields are also here, by the names of
    docs/manifest.md. Two manifests are equal where their content is, however it was formatted.

    >>> manifest = Manifest.read("m.json")
    >>> manifest.tracks[0].segments[0].keys[0].box  # left, top, width, height in pixels
    (8, 8, 20, 16)
    >>> Manifest.from_bytes(manifest.to_bytes()) == manifest
    True
    """

    model: schema.Manifest
    raw: bytes = field(compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Manifest":
        """The manifest in a file of at most 64 MiB.

        Raises `ManifestError` where it is not valid, `UsageError` where there is no such regular file, `MachineError`
        where it may not be read.
        """
        return cls.from_bytes(read_limited(path_of(path), "manifest", strict_json.MAX_BYTES))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Manifest":
        """The manifest in UTF-8 JSON; raises `ManifestError` where it is not valid."""
        found = reader.read(data)
        return cls(found.manifest, found.raw)

    @classmethod
    def from_model(cls, model: schema.Manifest) -> "Manifest":
        """A manifest that a program made or changed, formatted; raises `ManifestError` where it is not valid."""
        return cls.from_bytes(writer.write(model))

    def to_bytes(self) -> bytes:
        """The bytes that it was read from, or was formatted to where it was located or edited."""
        return self.raw

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes `to_bytes()` to a file, whole or not at all.

        Raises `SafetyError` where something exists at `path`, or, with `overwrite`, where it is not a regular file.
        """
        target = Path(path)
        if overwrite and (target.exists() or target.is_symlink()):
            atomic_write.replace(target, self.raw)
        else:
            atomic_write.write_new(target, self.raw)

    @cached_property
    def file_sha256(self) -> str:
        """SHA-256 of the bytes, as lower-case hex."""
        return digests.sha256_hex(self.raw)

    @cached_property
    def manifest_sha256(self) -> str:
        """SHA-256 of the content in canonical form, as lower-case hex: the same however it is formatted."""
        return digests.manifest_sha256(self.model)

    @cached_property
    def plan_sha256(self) -> str:
        """SHA-256, as lower-case hex, of what decides the output: the same for manifests that render the same bytes."""
        return digests.plan_sha256(self.model)

    @property
    def source(self) -> schema.Source:
        """The media file that it was made for: digest, size in bytes, streams."""
        return self.model.source

    @property
    def producers(self) -> tuple[schema.Producer, ...]:
        """The models, tools and people whose proposals it holds."""
        return self.model.producers

    @property
    def output(self) -> schema.Output:
        """The container and profile to write, and which streams are rendered or dropped."""
        return self.model.output

    @property
    def scope(self) -> Literal["listed", "everything"]:
        """Whether what is listed is covered, or everything but what is listed with the label `keep`."""
        return self.model.scope

    @property
    def effects(self) -> schema.Effects:
        """The effect of each label, by medium."""
        return self.model.effects

    @property
    def tracks(self) -> tuple[schema.Track, ...]:
        """The covers of the picture: boxes in pixels of the picture as displayed, frames from 0, ends excluded."""
        return self.model.tracks

    @property
    def audio(self) -> tuple[schema.AudioRange, ...]:
        """The covers of the sound, in milliseconds, ends excluded."""
        return self.model.audio

    def __repr__(self) -> str:
        source = f"{self.source.kind} {self.source.sha256[:16]}…"
        return f"<Manifest for {source}: {len(self.tracks)} tracks, {len(self.audio)} audio ranges>"
