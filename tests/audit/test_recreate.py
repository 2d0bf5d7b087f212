"""`veridact recreate`: exact versions from the receipt alone, and no line that a tampered receipt could add."""

import json
import re
from collections.abc import Callable
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from veridact import __version__
from veridact.audit import receipt_toolchain, recreate
from veridact.render.toolchain import KNOWN_PACKAGES, PACKAGES
from veridact.schema import receipt

ROOT = Path(__file__).parents[2]
SHA256 = "0123456789abcdef" * 4
LOCK = (ROOT / "requirements" / "base.txt").read_text()


@pytest.fixture
def audit(picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> Path:
    """The receipt of a picture."""
    source = picture("in.png")
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 1),)))
    assert command("render", source, manifest, tmp_path / "out.png")[0] == 0
    return tmp_path / "out.png.audit.jsonl"


def rewritten(audit: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes the genesis entry of a receipt and chains it anew."""
    bodies = [(e.type, e.body) for e in receipt.read(audit.read_bytes())[1][:-1]]
    change(bodies[0][1])
    audit.write_bytes(receipt.chain(bodies))


def packages(text: str) -> dict[str, str]:
    """Names and exact versions as pip reads them: comments and options left out."""
    lines = [re.sub(r"(^|\s+)#.*$", "", line) for line in text.splitlines()]
    wanted = [Requirement(line) for line in lines if line and not line.startswith("--")]
    assert all(len(r.specifier) == 1 and not (r.url or r.marker or r.extras) for r in wanted)
    return {r.name: str(r.specifier) for r in wanted}


def test_it_names_the_packages_of_this_release_with_the_hashes_of_its_lock_file(audit: Path, command: Any) -> None:
    code, out, err = command("recreate", audit)
    assert (code, err) == (0, "")
    assert packages(out) == {"veridact": f"=={__version__}"} | {name: f"=={version_of(name)}" for name in PACKAGES}
    for name in PACKAGES:
        pinned = f"{name}=={version_of(name)}"
        hashes = LOCK.split(f"{pinned} \\\n    ")[1].splitlines()[0]
        assert f"{pinned}  # {hashes}\n" in out
    assert "--only-binary=av,numpy,pillow\n" in out
    assert receipt.head(receipt.read(audit.read_bytes())[1]) in out


def test_older_versions_come_from_the_receipt_and_have_no_hash(audit: Path, command: Any) -> None:
    def older(genesis: dict[str, Any]) -> None:
        genesis["tool"]["version"] = "0.1.0rc2"
        for package, version in zip(genesis["toolchain"], ("0.1.0rc2", "17.0.1", "2.4.6", "12.0.0.post1"), strict=True):
            package["version"] = version

    rewritten(audit, older)
    code, out, _ = command("recreate", audit)
    assert code == 0
    assert packages(out) == {
        "veridact": "==0.1.0rc2", "av": "==17.0.1", "numpy": "==2.4.6", "pillow": "==12.0.0.post1",
    }  # fmt: skip
    assert re.findall(r"^(\S+)  # --hash", out, re.MULTILINE) == ["numpy==2.4.6"]


def test_a_disclosed_receipt_will_do(audit: Path, command: Any) -> None:
    disclosed = audit.with_name("disclosed.jsonl")
    assert command("disclose", audit, "--salt-file", audit.with_name("salt"), "-o", disclosed)[0] == 0
    code, out, _ = command("recreate", disclosed)
    assert (code, packages(out)) == (0, packages(command("recreate", audit)[1]))


INJECTED_NAMES = (
    "av\nevil", "av\r\nevil", "av\u2028evil", "av # ", "av;", "av @ https://example.org/av.whl", "-r other.txt",
    "--index-url", "av[extra]", "av==1 --hash", "../av", "\uff41v", "av\x00", "av\x0b", "", "-av", "av-", "a" * 101,
)  # fmt: skip
INJECTED_VERSIONS = (
    "18.1.0\nevil==1", "18.1.0\n", "18.1.0 ", " 18.1.0", "18.1.0\\", "18.1.0,>1", "18.*", ">=18", "18.1.0;x",
    "18.1.0 --hash=sha256:0", "18.1.0#", "v18", "18.1.0-1", "\uff118", "\u0663.1", "18.1.0+", "18..1", "", "1" * 30,
    "18.1.0+a\nb", "18.1.0+Ä", "01", "latest",
)  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [
    *(("name", name) for name in INJECTED_NAMES), *(("version", version) for version in INJECTED_VERSIONS),
    ("version", None), ("version", ["1"]), ("sha256", "0" * 63), ("sha256", "0" * 64 + "\n"), ("sha256", "G" * 64),
])  # fmt: skip
def test_a_receipt_made_up_whole_adds_no_line(field: str, value: Any, audit: Path, command: Any) -> None:
    rewritten(audit, lambda g: g["toolchain"][1].update({field: value}))
    code, out, err = command("recreate", audit)
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_veridacts_own_version_is_read_as_strictly(audit: Path, command: Any) -> None:
    def change(genesis: dict[str, Any]) -> None:
        genesis["tool"]["version"] = genesis["toolchain"][0]["version"] = "0.2.0\nevil==1"

    rewritten(audit, change)
    assert command("recreate", audit)[:2] == (1, "")


def test_a_package_that_veridact_never_uses_is_refused(audit: Path, command: Any) -> None:
    """pip runs what it installs: a receipt that anyone may have written does not choose a name."""
    rewritten(audit, lambda g: g["toolchain"].append({"name": "evil-package", "version": "1.0", "sha256": SHA256}))
    code, out, err = command("recreate", audit)
    assert (code, out, "evil-package" in err, err.count("\n")) == (1, "", True, 1)
    assert "pillow-heif" in KNOWN_PACKAGES


NO_RECEIPT: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda raw: b"",
    "a truncated one": lambda raw: b"".join(raw.splitlines(keepends=True)[:-1]),
    "a changed one": lambda raw: raw.replace(b'"18.1.0"', b'"18.1.1"'),
    "two": lambda raw: raw * 2,
    "another document": lambda raw: json.dumps({"schema": "veridact.manifest/1"}).encode() + b"\n",
    "a picture": lambda raw: b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("case", NO_RECEIPT)
def test_what_is_no_receipt_is_refused(case: str, audit: Path, command: Any) -> None:
    audit.write_bytes(NO_RECEIPT[case](audit.read_bytes()))
    code, out, err = command("recreate", audit)
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_the_lock_file_of_the_release_is_read_whole() -> None:
    pinned = re.findall(r"^(\S+==\S+)", LOCK, re.MULTILINE)
    assert list(recreate._locked(LOCK)) == pinned
    assert {f"{name}=={version_of(name)}" for name in PACKAGES} <= set(pinned)


NUMBERS = st.integers(0, 10**20 - 1)
LOCAL = st.lists(st.text("abc019", min_size=1, max_size=40), min_size=1, max_size=10)
VERSIONS = st.builds(
    lambda epoch, release, pre, post, dev, local: (
        (f"{epoch}!" if epoch else "") + ".".join(map(str, release)) + pre + post + dev + local
    ),
    NUMBERS, st.lists(NUMBERS, min_size=1, max_size=10),
    st.one_of(st.just(""), st.builds(lambda kind, n: f"{kind}{n}", st.sampled_from(["a", "b", "rc"]), NUMBERS)),
    st.one_of(st.just(""), NUMBERS.map(".post{}".format)), st.one_of(st.just(""), NUMBERS.map(".dev{}".format)),
    st.one_of(st.just(""), LOCAL.map(lambda parts: "+" + ".".join(parts))),
)  # fmt: skip


@given(VERSIONS)
def test_every_version_in_the_normal_form_of_pep_440_is_taken(version: str) -> None:
    normal = str(Version(version))
    assert receipt_toolchain._VERSION.fullmatch(normal)


@given(st.one_of(st.from_regex(receipt_toolchain._VERSION), st.text("0123.abrcpostdev+!\n v-", max_size=12)))
@example("0!1.0")
@example("1.0\n")
def test_no_other_text_is_taken_for_a_version(text: str) -> None:
    if receipt_toolchain._VERSION.fullmatch(text):
        assert str(Requirement(f"av=={text}").specifier) == f"=={text}"
        assert Version(text)
        assert not re.search(r"[\s#;,]", text)


@given(st.one_of(st.from_regex(receipt_toolchain._NAME), st.text(max_size=8)))
def test_no_other_text_is_taken_for_a_name(text: str) -> None:
    if receipt_toolchain._NAME.fullmatch(text):
        assert Requirement(f"{text}==1").name == text
