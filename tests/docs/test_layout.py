"""The shape of the code: short modules, honest names, a sentence for each, and nothing of one machine."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from trailwatch.version import __version__

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "trailwatch"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST_MODULE = 300
BANNED = frozenset(
    {"util", "utils", "helper", "helpers", "manager", "handler", "processor", "base", "common", "misc", "stuff"}
)
MACHINE_PATHS = re.compile(r"/(?:home|Users)/[a-z][a-z0-9]+/|/root/")


def _name(module: Path) -> str:
    return module.relative_to(ROOT).as_posix()


def _tracked() -> list[Path]:
    """Every text file of the project; of a copy without its history, everything below the folders that hold it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.split("\n") if listed.returncode == 0 else []
    files = [ROOT / name for name in names if name] or [
        p for f in ("src", "tests", "docs") for p in (ROOT / f).rglob("*")
    ]
    return [path for path in files if path.is_file() and path.suffix not in (".png", ".gz", ".pyc")]


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def _definitions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_is_short_says_what_it_is_and_has_honest_names(module):
    text = module.read_text(encoding="utf-8")
    tree = ast.parse(text)

    assert ast.get_docstring(tree), "a module begins with one sentence on its place in the story"
    assert sum(1 for line in text.splitlines() if line.strip()) <= LONGEST_MODULE, "split it where a reader would"
    banned = {name: words for name in (module.stem, *_definitions(tree)) if (words := _words(name) & BANNED)}
    assert banned == {}, "a name says what it is, not that it is something"


def test_every_folder_of_modules_is_a_package():
    folders = {module.parent for module in MODULES}

    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_no_file_names_a_path_of_the_machine_it_was_made_on():
    here = re.compile(rf"{MACHINE_PATHS.pattern}|{re.escape(str(ROOT))}\b")
    found = {
        path.relative_to(ROOT).as_posix(): match[0]
        for path in _tracked()
        if path != Path(__file__) and (match := here.search(path.read_text(encoding="utf-8", errors="replace")))
    }

    assert found == {}


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assigned = [
        _name(m) for m in MODULES if re.search(r"^__version__ *=", m.read_text(encoding="utf-8"), re.MULTILINE)
    ]

    assert assigned == ["src/trailwatch/version.py"]
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "trailwatch.version.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:(?:a|b|rc|\.dev)\d+)?", __version__)


def test_the_changelog_has_the_version_or_says_that_it_is_unreleased():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## [{__version__}]" in text or "## [Unreleased]" in text


def test_no_id_of_a_test_shows_a_set(request: pytest.FixtureRequest) -> None:
    """How a set is written depends on the hash seed, and processes that share a run must collect the same tests."""
    shown = [
        item.nodeid
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        for value in item.callspec.params.values()
        if isinstance(value, set | frozenset) and str(value) in item.callspec.id
    ]
    assert shown == []
