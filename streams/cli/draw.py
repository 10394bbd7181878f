"""`cueline draw`: a journey as a picture."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from streams.cli.check import Rules, read_rules
from triggers.language.fields import nearest
from triggers.steps.drawing import draw as drawn


def draw(
    rules: Rules,
    journey: Annotated[str, typer.Argument(help="The journey.", show_default=False)],
) -> None:
    """Print a journey as a Mermaid flowchart, for a page in Markdown or an editor that shows it."""
    checked = read_rules(rules)
    journeys = checked.journeys
    if journey not in journeys:
        some = f"there are {len(journeys)}, which cueline check lists" if journeys else "the rules have no journeys"
        hint = nearest(journey, journeys) or some
        print(f'{rules}: no journey "{journey}"; {hint}', file=sys.stderr)
        raise typer.Exit(1)
    sys.stdout.write(drawn(journeys[journey], checked.policies))
