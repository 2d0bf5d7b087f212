"""The documents are complete: the tour names every module, the index every page, THIRD-PARTY.md every dependency."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREE = ("schema", "locate", "render", *(f"veridact/{name}" for name in "media sandbox audit tools cli".split()))
PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder, pattern in ((".", "*.md"), ("docs", "*.md"), ("docs/adr", "*.md"), ("manifests", "*.md"))
    for path in (ROOT / folder).glob(pattern)
)


def named_in_tour() -> list[str]:
    """The modules of docs/tour.md as paths: a file belongs to the folder that was named last before it."""
    folder, found = "", []
    for word in re.findall(r"`([\w./]+)`", (ROOT / "docs" / "tour.md").read_text()):
        if word.endswith("/") and (ROOT / word).is_dir():
            folder = word
        elif word.endswith(".py"):
            found.append(word if "/" in word else folder + word)
    return found


def test_every_module_that_the_tour_names_is_there() -> None:
    assert [name for name in named_in_tour() if not (ROOT / name).is_file()] == []


def test_every_module_is_named_in_the_tour_or_by_its_package() -> None:
    """A module may stand in the docstring of its package instead, between backticks, with `.py`."""
    modules = [p for folder in TREE for p in sorted((ROOT / folder).rglob("*.py")) if p.name != "__init__.py"]
    toured = set(named_in_tour())
    by_package = [p for p in modules if f"`{p.name}`" in p.with_name("__init__.py").read_text()]
    assert len(modules) > 150
    assert [
        str(p.relative_to(ROOT)) for p in modules if p not in by_package and str(p.relative_to(ROOT)) not in toured
    ] == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [str(p.relative_to(ROOT / "docs")) for p in sorted((ROOT / "docs").rglob("*.md")) if p.name != "README.md"]
    assert [page for page in pages if f"]({page})" not in index] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    path = ROOT / page
    links = {link for link in re.findall(r"\]\(([^)#\s]+)", path.read_text()) if not link.startswith("https://")}
    assert {link for link in links if not (path.parent / link).exists()} == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_every_path_that_a_page_names_is_there(page: str) -> None:
    """Paths of Python files from the top of the repository, between backticks; NAME stands for any."""
    paths = re.findall(r"`((?:[a-z_]+/)+\w+\.py)`", (ROOT / page).read_text())
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).is_file()] == []


def test_records_are_numbered_in_a_row() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def dependencies() -> Iterator[str]:
    """Everything that pyproject.toml names: the base, all extras, all groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    for requirement in (r for requirements in lists for r in requirements if isinstance(r, str)):
        yield canonical(re.split(r"[\s\[<>=!~;]", requirement)[0])


def licences() -> dict[str, str]:
    """The licence of each package in the tables of THIRD-PARTY.md."""
    found: dict[str, str] = {}
    columns: list[str] = []
    for line in (ROOT / "THIRD-PARTY.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if "package" in cells:
            columns = cells
        elif cells and set(cells[0]) != {"-"}:
            row = dict(zip(columns, cells, strict=True))
            found |= {canonical(name.split()[0]): row["licence"] for name in row["package"].split(",")}
    return found


def test_every_dependency_has_its_licence() -> None:
    known = licences()
    assert sorted({name for name in dependencies() if not known.get(name)}) == []


def test_the_changelog_is_in_the_form_it_names() -> None:
    """Keep a Changelog: `[Unreleased]` on top, then versions in descending order, each with its known sections."""
    text = (ROOT / "CHANGELOG.md").read_text()
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert heads[0] == "[Unreleased]"
    versions = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\]( - \d{4}-\d\d-\d\d)?", head) for head in heads[1:]]
    assert versions
    assert all(versions)
    numbers = [tuple(map(int, v.groups()[:3])) for v in versions if v]
    assert numbers == sorted(numbers, reverse=True)
    sections = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Output bytes"}
    for released in text.split("\n## ")[2:]:
        assert "### Output bytes" in released, "each release says what changed in output bytes, or that nothing did"


def test_the_version_stands_in_one_place() -> None:
    import veridact

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "veridact.__version__"}
    assert f"## [{veridact.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
