"""The public names: what `__all__` says, what the page on embedding says, and that each is there."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import streams
import triggers
import triggers.engine.driver
import triggers.testing

PAGE = Path(__file__).parents[3] / "docs" / "embedding.md"


def block(info: str) -> str:
    """The code of all blocks of this kind, one after the other."""
    return "\n".join(re.findall(rf"^```{info}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("package", [triggers, streams], ids=lambda package: package.__name__)
def test_the_page_on_embedding_lists_all_public_names_and_no_other(package: ModuleType) -> None:
    part = PAGE.read_text("utf-8").split(f"From `{package.__name__}`:")[1].split("From `")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", part, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(package.__all__) == package.__all__


@pytest.mark.parametrize("package", [triggers, streams], ids=lambda package: package.__name__)
def test_every_public_name_is_there_under_the_name_that_a_type_checker_sees(package: ModuleType) -> None:
    """The imports for type checkers and the table for the interpreter say the same."""
    text = Path(str(package.__file__)).read_text("utf-8").split("if TYPE_CHECKING:")[1].split("__all__")[0]
    seen = {}
    for module, names in re.findall(r"from (\S+) import (.+)", text):
        for name in names.split(", "):
            own, _, public = name.partition(" as ")
            seen[public or own] = getattr(importlib.import_module(module), own)
    assert seen == {name: getattr(package, name) for name in package.__all__}
    assert seen.keys() == package._HOMES.keys()


@pytest.mark.parametrize("package", ["triggers", "streams"])
def test_a_package_shows_no_other_name_and_loads_nothing_before_one_is_used(package: str) -> None:
    code = (
        f"import {package}, sys; print(*(name for name in vars({package}) if name[0] != '_')); "
        f"print(*(name for name in sys.modules if name.startswith('{package}.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["TYPE_CHECKING", ""]
    with pytest.raises(AttributeError, match="has no attribute 'Partition'"):
        _ = importlib.import_module(package).Partition


def test_the_list_of_commands_loads_neither_kafka_nor_the_engine() -> None:
    code = (
        "import sys; from streams.cli.main import run; run(['--help']); "
        "print([name for name in sys.modules if name.startswith(('aiokafka', 'triggers.', 'pydantic', 'faust'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Find everything that is wrong" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_examples_of_the_page_run() -> None:
    exec(compile(block("python run"), str(PAGE), "exec"), {})


@pytest.mark.parametrize("module", [triggers.testing, triggers.engine.driver], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_run(module: ModuleType) -> None:
    tried = doctest.testmod(module)
    assert tried.attempted > 3
    assert tried.failed == 0
