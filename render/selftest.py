"""Known-answer tests of the encoders that a render uses, run before any footage is decoded.

A few small pictures and audio clips, derived from a hash and so the same everywhere, are encoded with the settings of
the render. `GOLDEN` lists the digests that this release gives with its pinned wheels. Without the test, a processor,
emulator or foreign build that gives other bytes would break reproducibility silently.

`python -c "from veridact.render import selftest; print(selftest.measured())"` prints a new table.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image

from veridact.errors import MachineError
from veridact.media.containers import LOSSLESS_OF
from veridact.render.audio.decode import Block
from veridact.render.audio.pcm import add_encoder, choose_encoding
from veridact.render.pictures.stream import PILLOW_FORMAT, save_options, to_palette
from veridact.render.video import encoder, frames
from veridact.render.video.encoder import VideoSpec
from veridact.render.video.interlace import FieldOrder
from veridact.render.video.planes import Samples, frame_planes, layout_of
from veridact.schema.manifest import Manifest, Output

GOLDEN = {
    "h264 8 bit": "6a359e7c46703aba64cb7910780655d3f8285edbd394db08d7d850fb3483140c",
    "h264 10 bit": "54d6948b86cced898ae9f28b647d696b9346ae3a363d79cd2d8b679e70cbe295",
    "h264 interlaced": "115abb394900ce7d1cfdd9cd23b8d846e69516646fe088f7c6f5046e69576b00",
    "lossless 8 bit": "cf96f59307c88a665b80c76a462c5ac1b213ebcdf3f6b26fb26237f72866f304",
    "lossless 10 bit": "e9dd70e29194a875347163985c045a26c7ee6ee6fef383679727c83d3574986f",
    "lossless RGB": "ffeb91cd8a38c87606918eb6ebb21e4d55ece9b3cc24354545c8554b5d9467a4",
    "picture jpeg": "6710df8a097ec4d30a7682aecb4489563b5c835357b5ca3b463c9c007119ec2e",
    "picture png": "8aa184a3cfb51869a10b5ba3682c573acedcbb15fe9cd27077b3ad3f38e8a49c",
    "picture webp": "fd55289bebb9e0973281ad24d197f4a916dad28bcf7d542ef6da7b4b10ee27b6",
    "picture tiff": "a5a733cbf8cddd11e60ad571c1a0552dfadb865079e3e0c50192946b8b698152",
    "picture bmp": "152e869ead3907b8053753f61f4f5f9663a454958e2916fa430f96c1048acb20",
    "picture gif": "73b368029dd8aeeb1a3bf608a33a65870e8d9a7c359510ab7c0d10c5096a0762",
    "sound flac": "001cb8a4474894e4f00e24b5c1045685f02e06d84045863939ed9a13dad010b6",
    "sound alac": "f1e8e38c1e4bc8040f6df25168efee37e31fec2b9aceefc4595b6dfb308b8ed5",
}
"""For each case of `CASES`: SHA-256 over the encoded bytes and the samples that they decode to."""

_SIZE = (64, 48)
_FRAMES = 8
SPEC = VideoSpec(
    profile="h264",
    width=_SIZE[0],
    height=_SIZE[1],
    pixel_format="yuv420p",
    time_base=Fraction(1, 25),
    rate=Fraction(25),
    sample_aspect_ratio=None,
    color_range=1,
    color_primaries=2,
    color_trc=2,
    colorspace=2,
    orientation=1,
)
_AUDIO = {"flac": "mkv", "alac": "mov"}
"""The encoders of covered audio, each with a container that uses it."""
_RATE_HZ = 48000


def _noise(name: str, count: int) -> Samples:
    """`count` pseudo-random bytes: SHAKE-128 of `name`."""
    return np.frombuffer(hashlib.shake_128(name.encode()).digest(count), np.uint8)


def picture(number: int, rows: int, columns: int) -> Samples:
    """One plane of frame `number` of a moving picture, shape (rows, columns), values 16 to 235."""
    texture = _noise("texture", (rows // 4 + 1) * (columns // 4 + 1)).reshape(rows // 4 + 1, -1) // 2
    coarse = np.roll(texture.repeat(4, axis=0).repeat(4, axis=1)[:rows, :columns], number, axis=1)
    slope = np.add.outer(np.arange(rows), np.arange(columns)) % 64
    return np.asarray(16 + coarse + slope + _noise(f"noise {number}", rows * columns).reshape(rows, columns) % 16)


def _video_frames(spec: VideoSpec) -> Iterator[VideoFrame]:
    """The frames of the test clip in the pixel format of `spec`."""
    shift = layout_of(spec.pixel_format).bits - 8
    for number in range(_FRAMES):
        frame = VideoFrame(spec.width, spec.height, spec.pixel_format)
        frame.pts, frame.time_base = number, spec.time_base
        for plane in frame_planes(frame, full_range=False):
            rows, columns = plane.samples.shape
            plane.samples[:] = picture(number, rows, columns).astype(plane.samples.dtype) << shift
        yield frame


def _video(profile: str, pixel_format: str, fields: FieldOrder = "progressive") -> str:
    """The digest of the test clip: the encoder's extradata and packets, and the frames that they decode to."""
    spec = replace(SPEC, profile=profile, pixel_format=pixel_format, fields=fields)
    extradata, packets = encoder.encode(spec, _video_frames(spec))
    digest = hashlib.sha256(extradata)
    for packet in packets:
        digest.update(f"{packet.pts} {packet.is_keyframe}\n".encode() + packet.data)
    for frame in encoder.decode(spec, extradata, packets):
        digest.update(frames.digest(frame).encode())
    return digest.hexdigest()


def _still(container: str) -> str:
    """The digest of the test picture: the file, and the pixels that it decodes to."""
    pixels = np.stack([picture(n, _SIZE[1], _SIZE[0]) for n in range(3)], axis=2).astype(np.uint8)
    image = to_palette(pixels) if container == "gif" else Image.fromarray(pixels)
    options = save_options(
        image, Manifest.model_construct(output=Output.model_construct(container=container, quality=None))
    )
    file = BytesIO()
    image.save(file, format=PILLOW_FORMAT[container], **options | ({"subsampling": 2} if container == "jpeg" else {}))
    digest = hashlib.sha256(file.getvalue())
    with Image.open(file, formats=[PILLOW_FORMAT[container]]) as image:
        digest.update(image.convert("RGB").tobytes())
    return digest.hexdigest()


def _audio(codec: str) -> str:
    """The digest of the packets that an audio encoder makes of a tenth of a second of noise."""
    samples = _noise("sound", 4 * _RATE_HZ // 10).view("<i2").reshape(-1, 2).T // 8
    block = Block(0, Fraction(1, _RATE_HZ), _RATE_HZ, "stereo", "s16", samples)
    encoding = choose_encoding(_AUDIO[codec], "mp3", block)
    shaped = np.ascontiguousarray(samples if encoding.planar else samples.T.reshape(1, -1))
    digest = hashlib.sha256()
    with av.open(BytesIO(), "w", format="matroska") as output:
        stream = add_encoder(output, encoding)
        frame = AudioFrame.from_ndarray(shaped, "s16p" if encoding.planar else "s16", encoding.layout)
        frame.sample_rate, frame.pts = _RATE_HZ, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            digest.update(f"{packet.pts}\n".encode() + bytes(packet))
    return digest.hexdigest()


CASES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "h264 8 bit": (_video, ("h264", "yuv420p")),
    "h264 10 bit": (_video, ("h264", "yuv420p10le")),
    "h264 interlaced": (_video, ("h264", "yuv420p", "top")),
    "lossless 8 bit": (_video, ("lossless", "yuv420p")),
    "lossless 10 bit": (_video, ("lossless", "yuv420p10le")),
    "lossless RGB": (_video, ("lossless", "bgr0")),
    **{f"picture {name}": (_still, (name,)) for name in PILLOW_FORMAT},
    **{f"sound {name}": (_audio, (name,)) for name in _AUDIO},
}
"""For each case, the function that gives its digest and the arguments of that function."""


def cases_for(manifest: Manifest) -> list[str]:
    """The names of the cases whose encoders a render of this manifest uses."""
    output = manifest.output
    if manifest.source.kind == "picture":
        return [f"picture {output.container}"]
    video = [name for name in CASES if output.profile and name.startswith(f"{output.profile} ")]
    audio = f"sound {LOSSLESS_OF.get(output.container)}"
    return video + ([audio] if audio in CASES and any(s.type == "audio" for s in manifest.source.streams) else [])


def measured(names: list[str] | None = None) -> dict[str, str]:
    """The digests that this machine gives for the named cases, or for all."""
    return {name: CASES[name][0](*CASES[name][1]) for name in names or CASES}


def check(manifest: Manifest) -> None:
    """Raises `MachineError` when an encoder that the render of `manifest` uses does not give the digest in `GOLDEN`."""
    for name, digest in measured(cases_for(manifest)).items():
        if digest != GOLDEN[name]:
            raise MachineError(
                f"the encoder of this machine does not give the promised bytes ({name}); "
                "install the exact wheels that veridact asks for, on x86-64"
            )
