"""Manifests that many tests of the schema start from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schema import reading
from schema.manifest import Manifest

MANIFESTS = Path(__file__).parents[2] / "manifests"


@pytest.fixture(scope="session")
def manifests() -> Path:
    """The folder of the documented examples."""
    return MANIFESTS


@pytest.fixture(scope="session")
def example() -> Callable[[str], Manifest]:
    """An example by name: `street` is manifests/valid-street.json."""

    def load(name: str) -> Manifest:
        return reading.read((MANIFESTS / f"valid-{name}.json").read_bytes()).manifest

    return load


@pytest.fixture(scope="session")
def document() -> Callable[[str], dict[str, Any]]:
    """An example by name as plain values that a test may change."""

    def load(name: str) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads((MANIFESTS / f"valid-{name}.json").read_bytes())
        return tree

    return load
