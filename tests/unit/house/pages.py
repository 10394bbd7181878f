"""The pages of the documentation, and the blocks in them."""

import re
from pathlib import Path
from typing import Any, NamedTuple, cast

import typer.main

from streams.cli.main import app

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    info: str
    text: str

    @property
    def name(self) -> str:
        """The file that it shows, where its first line says so: `# rules/shop.yaml`."""
        first = re.match(r"# (\S+\.yaml)\n", self.text)
        return first[1] if first else "block.yaml"

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path, *kinds: str) -> list[Block]:
    """The fenced blocks of a page whose info string is one of these."""
    text = page.read_text("utf-8")
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    made = [Block(page.name, text.count("\n", 0, match.start()) + 1, match[1].strip(), match[2]) for match in found]
    return [block for block in made if block.info in kinds]


def pages_with_rules() -> list[Path]:
    return [page for page in PAGES if page.name != "CONTRIBUTING.md"]


def rules_of(page: Path) -> list[Block]:
    """The rule files that a page shows; not scenarios, and nothing that is YAML of another kind."""
    return [
        block
        for block in blocks(page, "yaml")
        if re.search(r"^version: [12]\n", block.text, re.MULTILINE) and "scenarios:\n" not in block.text
    ]


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words name, and what is left of them; raises KeyError for one that does not exist."""
    top = typer.main.get_command(app)
    own = {option for parameter in top.params for option in parameter.opts}
    while words and words[0].startswith("-"):
        name = words[0].partition("=")[0]
        if name not in own | {"-h", "--help"}:
            raise KeyError(name)
        words = words[2:] if name in {"--config", "--bootstrap", "--app", "--prefix"} else words[1:]
    if not words:
        return None, []
    command = cast("Any", top).commands[words[0]].load()
    words = words[1:]
    if hasattr(command, "commands") and words and words[0].islower():
        command, words = command.commands[words[0]], words[1:]
    return command, words
