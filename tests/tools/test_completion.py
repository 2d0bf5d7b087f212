"""Tab completion: what the beginning of a line offers, in the protocol of each shell, and that no error is printed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.cli import locate, main, render, runner
from veridact.schema import reader
from veridact.schema.manifest import Manifest
from veridact.tools.edit import completion, operations, query

ROOT = Path(__file__).parents[2]
Example = Callable[[str], Manifest]
Ask = Callable[..., list[str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], manifests: Path) -> Ask:
    """The candidates for words as bash splits them, the last one incomplete; checks that no error is printed."""

    def candidates(*words: str, command: Any = main.veridact, name: str = "veridact") -> list[str]:
        monkeypatch.setenv(f"_{name.upper()}_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", "\n".join([name, *words]).replace("STREET", f"{manifests}/valid-street.json"))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        code = runner.run(command, name, [])
        out, err = capfdbinary.readouterr()
        assert (code, err) == (0, b"")
        return [line.partition(",")[2] for line in out.decode().splitlines() if line]

    return candidates


EDIT = {
    "no word yet": ([""], list(operations.VERBS)),
    "a verb": (["re"], ["reject", "resize", "retime", "relabel"]),
    "ids that can be rejected": (["reject", "p"], ["plate-0001", "person-0001", "person-name-0001",
                                                   "phone-number-0001"]),
    "any id can be accepted": (["accept", "face"], ["face-0001", "face-0002"]),
    "ids that are not named yet": (["merge", "face-0001", "f"], []),
    "a selection": (["reject", "wh"], ["where"]),
    "no selection besides ids": (["reject", "face-0001", "wh"], []),
    "the next operation": (["accept", "face-0001", "the"], ["then"]),
    "a verb after then": (["accept", "face-0001", "then", "rej"], ["reject"]),
    "a reviewer for one operation": (["accept", "face-0001", "reviewer", "=", "r"], ["r7"]),
    "one reviewer is enough": (["accept", "reviewer", "=", "r7", "rev"], []),
    "a label of a track": (["relabel", "face-0001", "p"], ["plate-0001", "person-0001", "person-name-0001",
                                                          "phone-number-0001", "plate", "person"]),
    "a label of a range": (["relabel", "person-name-0001", "e"], ["email"]),
    "a label to add": (["add", "ph"], ["phone_number"]),
    "a stream to add to": (["add", "face", "3-9", "stream", "="], ["0", "1", "all"]),
    "effects of pictures": (["effect", "plate-0001", "b"], ["blur"]),
    "effects of sound": (["effect", "person-name-0001", "b"], ["beep"]),
    "effects of a label": (["effect", "label", "=", "plate", "s"], ["solid"]),
    "a label that has an effect": (["effect", "label", "=", "pl"], ["plate"]),
    "a shape": (["effect", "plate-0001", "mosaic", "shape", "=", ""], ["box", "ellipse"]),
    "parameters that are not given yet": (["effect", "plate-0001", "mosaic", "cells", "=", "4", "sh"],
                                          ["shape=box", "shape=ellipse"]),
    "solid has no cells": (["effect", "plate-0001", "solid", "c"], []),
    "a stream": (["stream", ""], ["0", "1"]),
    "what becomes of it": (["stream", "1", ""], ["render", "drop", "then"]),
    "a scope": (["scope", "ev"], ["everything"]),
    "where a track is split": (["split", "face-0001", "a"], ["at"]),
    "when a box is set": (["move", "face-0001", "1,2,3,4", "a"], ["at"]),
    "a field": (["accept", "where", "rea"], ["reason"]),
    "an operator": (["accept", "where", "score", ""], ["=", "!="]),
    "a value": (["accept", "where", "label", "=", "p"], ["plate", "person", "person_name", "phone_number"]),
    "a value after !=": (["accept", "where", "label", "!", "=", "pl"], ["plate"]),
    "a join": (["accept", "where", "label", "==", "face", ""], ["and", "or", "then"]),
    "no time": (["accept", "where", "start", "=", ""], []),
    "--where": (["accept", "--where", '"label = face and rev'],
                ["label = face and review", "label = face and reviewer"]),
    "a field in quotes brings its operators": (["--where", '"sc'],
                                               [f"score {s}" for s in ("=", "!=", "<", "<=", ">", ">=")]),
    "text has no order": (["--where", '"label '], ["label =", "label !="]),
    "a value in quotes": (["--where", '"(id = face-0001 or by = h'], ["(id = face-0001 or by = hand"]),
    "--where= in one word": (["--where", "=", "label", "=", "pl"], ["plate"]),
    "an open quote within": (["--where", "'reason = \"a po"], []),
    "--reviewer": (["accept", "face-0001", "--reviewer", ""], ["r7"]),
    "--reviewer=": (["--reviewer", "=", ""], ["r7"]),
    "options": (["accept", "--re"], ["--reviewer", "--reason"]),
}  # fmt: skip


@pytest.mark.parametrize("case", EDIT)
def test_what_edit_offers(case: str, ask: Ask) -> None:
    words, expected = EDIT[case]
    assert ask("edit", "STREET", *words) == expected


def test_the_manifest_may_follow_the_option(ask: Ask) -> None:
    assert ask("edit", "--reviewer", "r7", "STREET", "--where", '"by = h') == ["by = hand"]


def test_commands_and_fixed_values(ask: Ask) -> None:
    assert ask("ed") == ["edit"]
    assert ask("export", "STREET", "--format", "log") == ["log-csv", "log-html"]
    assert ask("--devi", command=locate.locate, name="locate") == ["--device"]
    assert ask("--sandbox", "", command=render.render, name="render") == ["auto", "require", "off"]


def _hostile(text: str) -> bytes:
    tree = json.loads((ROOT / "manifests" / "valid-street.json").read_bytes())
    tree["tracks"][0]["reviewer"] = tree["tracks"][0]["reason"] = text
    return json.dumps(tree).encode()


UNSAFE = ("x;id", "$(id)", "`id`", "a b", "r*", "~root", "-r", "a\nplain,b", "\x1b[2J", "a,b", "x:y", "'", "")


@pytest.mark.parametrize("text", UNSAFE)
def test_a_manifest_puts_nothing_into_the_line_that_a_shell_would_interpret(text: str) -> None:
    manifest = reader.read(_hostile(text)).manifest
    assert text not in completion.reviewers(manifest)
    assert set(completion.expression("reason = ", manifest, quoted=True)) == {"reason = s38"}
    offered = completion.operation(["accept"], "", manifest)
    assert all(completion.SAFE.fullmatch(value.removeprefix("reviewer=")) for value in offered)


def _broken(path: Path, kind: str) -> None:
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "too large":
        path.write_bytes(b" " * (16 << 20) + (ROOT / "manifests" / "valid-street.json").read_bytes())
    elif kind != "missing":
        path.write_bytes({"no JSON": b"{", "another document": b"{}", "deep": b"[" * 100_000, "no text": b"\xff"}[kind])


@pytest.mark.parametrize(
    "kind", ["missing", "no JSON", "another document", "deep", "no text", "a folder", "a pipe", "too large"]
)
def test_a_broken_manifest_completes_nothing_and_prints_nothing(kind: str, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    _broken(path, kind)
    assert ask("edit", str(path), "accept", "face") == []
    assert ask("edit", str(path), "--reviewer", "") == []
    assert ask("edit", str(path), "--where", '"label = ') == []
    assert ask("edit", str(path), "acc") == ["accept"]


def test_standard_input_is_never_read(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert ask("edit", "-", "accept", "face") == []


def test_a_manifest_in_the_home_folder(ask: Ask, monkeypatch: pytest.MonkeyPatch, manifests: Path) -> None:
    monkeypatch.setenv("HOME", str(manifests))
    assert ask("edit", "~/valid-street.json", "accept", "plate") == ["plate-0001"]
    assert ask("edit", "~nobody-of-this-name/valid-street.json", "accept", "plate") == []


ODD = {"no words": {}, "no number": {"COMP_WORDS": "veridact", "COMP_CWORD": "x"}, "nothing": {"COMP_WORDS": ""}}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("case", ODD)
def test_an_odd_environment_is_no_error(
    case: str, shell: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("COMP_WORDS", "COMP_CWORD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"_VERIDACT_COMPLETE": f"{shell}_complete", **ODD[case]}.items():
        monkeypatch.setenv(name, value)
    assert runner.run(main.veridact, "veridact", []) == 0
    assert capfd.readouterr().err == ""


def test_an_unknown_request_says_what_to_give(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_VERIDACT_COMPLETE", "bash_sauce")
    assert runner.run(main.veridact, "veridact", []) == 2
    assert capfd.readouterr().err == (
        "error: _VERIDACT_COMPLETE=bash_sauce: give one of bash_source, zsh_source, fish_source\n"
    )


WHOLE_WORDS = {
    "zsh": ("zsh", "veridact edit {m} effect label=pl", "4", "plain\nlabel=plate\n_\n"),
    "zsh with a state": ("zsh", "veridact edit {m} reject plate", "4", "plain\nplate-0001\nedited\n"),
    "zsh joins an option": ("zsh", "veridact edit {m} --reviewer=r", "3", "plain\n--reviewer=r7\n_\n"),
    "fish": ("fish", "veridact edit {m} effect label=pl", "label=pl", "plain,label=plate\n"),
    "fish with a state": ("fish", "veridact edit {m} reject plate", "plate", "plain,plate-0001\tedited\n"),
    "fish joins an option": ("fish", "veridact edit {m} --reviewer=r", "--reviewer=r", "plain,--reviewer=r7\n"),
}


@pytest.mark.parametrize("case", WHOLE_WORDS)
def test_zsh_and_fish_get_whole_words(
    case: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], manifests: Path
) -> None:
    shell, line, at, expected = WHOLE_WORDS[case]
    monkeypatch.setenv("_VERIDACT_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", line.format(m=manifests / "valid-street.json"))
    monkeypatch.setenv("COMP_CWORD", at)
    assert runner.run(main.veridact, "veridact", []) == 0
    assert capfd.readouterr().out == expected


def _installed(folder: Path, name: str) -> str:
    """A script that runs a command of this tree, as an installation has one; its path."""
    path = folder / name
    code = f"from veridact.cli.entry import {name}; {name}()"
    path.write_text(f'#!/bin/sh\nexec env PYTHONPATH="{ROOT}" "{sys.executable}" -c "{code}" "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", ["veridact", "locate", "render"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_command_prints_the_script_of_each_shell(shell: str, name: str, tmp_path: Path) -> None:
    environment = {**os.environ, f"_{name.upper()}_COMPLETE": f"{shell}_source"}
    done = subprocess.run([_installed(tmp_path, name)], env=environment, capture_output=True, check=True)
    assert f"_{name.upper()}_COMPLETE={shell}_complete".encode() in done.stdout
    assert done.stderr == b""


BASH = """
eval "$(_VERIDACT_COMPLETE=bash_source {veridact})"
COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_veridact_completion {veridact}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("veridact edit STREET effect label = pl", "plate\n"),
        ("veridact edit STREET accept --where '\"label = face and sc'", "".join(
            f"label = face and score {sign}\n" for sign in ("=", "!=", "<", "<=", ">", ">="))),
        ("veridact edit STREET --reviewer ''", "r7\n"),
    ],
)  # fmt: skip
def test_bash_itself_gets_the_candidates(words: str, expected: str, tmp_path: Path, manifests: Path) -> None:
    script = BASH.format(
        veridact=_installed(tmp_path, "veridact"),
        words=words.replace("STREET", f"{manifests}/valid-street.json"),
    )
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (expected, "")


def test_the_names_of_commands_complete_without_importing_them(tmp_path: Path) -> None:
    code = "import sys; from veridact.cli.main import run, veridact; run(veridact, 'veridact', []); print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "_VERIDACT_COMPLETE": "bash_complete",
                   "COMP_WORDS": "veridact ", "COMP_CWORD": "1"}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    *names, modules = done.stdout.splitlines()
    assert names == [f"plain,{name}" for name in main.COMMANDS]
    assert not {"veridact.cli.locate", "veridact.schema.manifest", "numpy"} & set(modules.split())


@given(st.data())
def test_an_expression_made_of_candidates_can_be_parsed(data: st.DataObject) -> None:
    manifest = reader.read((ROOT / "manifests" / "valid-street.json").read_bytes()).manifest
    text = ""
    for _ in range(data.draw(st.integers(1, 12))):
        offered = completion.expression(text, manifest, quoted=True)
        assert all(candidate.startswith(text) for candidate in offered)
        if not offered:
            return
        text = data.draw(st.sampled_from(sorted(offered))) + " "
        if set(completion.expression(text, manifest, quoted=True)) == {f"{text}and", f"{text}or"}:
            query.parse(text)


@given(st.text(max_size=30))
def test_no_text_makes_completion_fail(text: str) -> None:
    manifest = reader.read((ROOT / "manifests" / "valid-minimal.json").read_bytes()).manifest
    assert all(c.startswith(text) for c in completion.expression(text, manifest, quoted=True))
    assert all(c.startswith(text) for c in completion.operation(["accept", "where"], text, manifest))
    assert all(c.startswith(text) for c in completion.operation(text.split(), text, manifest))
