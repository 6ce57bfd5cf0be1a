"""What the library offers, and that offering it costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hookengine

PACKAGE = Path(hookengine.__file__).parent


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert hookengine.__all__ == sorted(hookengine.__all__)
    public = {name for name in dir(hookengine) if not name.startswith("_")} | {"__version__"}
    modules = {
        path.stem for path in PACKAGE.iterdir() if (path / "__init__.py").exists() or path.suffix == ".py"
    }
    foreign = {"annotations", "Any", "TYPE_CHECKING", "import_module"}
    assert public - modules - foreign == set(hookengine.__all__)


@pytest.mark.parametrize("name", hookengine.__all__)
def test_each_public_name_resolves_to_what_it_names(name: str) -> None:
    value = getattr(hookengine, name)

    assert name == "__version__" or value.__name__ == name
    assert name == "__version__" or value.__module__ != "hookengine"


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = hookengine.nothing


def test_importing_the_package_imports_nothing_of_it() -> None:
    program = (
        "import sys, hookengine; print([name for name in sys.modules if name.startswith('hookengine.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_inside_the_package_only_the_version_is_taken_from_it() -> None:
    """Anything else would be a room looking to its left, where no contract sees it."""
    taken = {
        f"{path.relative_to(PACKAGE)}: {alias.name}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "hookengine" and node.level == 0
        for alias in node.names
        if alias.name != "__version__"
    }
    assert taken == set()
