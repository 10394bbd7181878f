"""`cueline schema`: the JSON Schema of rule files and of scenario files, for editors."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from triggers.rules.editor import rule_schema
from triggers.scenarios.editor import scenario_schema


class Files(StrEnum):
    """What the schema is for."""

    RULES = "rules"
    SCENARIOS = "scenarios"


def schema(
    files: Annotated[Files, typer.Argument(help="The files that it describes.")] = Files.RULES,
) -> None:
    """Print a JSON Schema, with which an editor completes keys and underlines what cannot be in such a file."""
    document = rule_schema() if files is Files.RULES else scenario_schema()
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
