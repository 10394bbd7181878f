"""Decides what should happen: a pure fold from a log of records to decisions about users.

Nothing in this package knows a clock, a socket, Kafka, Faust or asyncio; the records' own timestamps are the only time.
What `__all__` names is public, and docs/embedding.md describes it. Each name is imported when it is first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triggers.base.model import LogRecord, Out, Place
    from triggers.definitions.model import RuleSet
    from triggers.engine.driver import Engine, MissingRules, Saved
    from triggers.engine.interface import Options, Output
    from triggers.language.documents import RuleErrors
    from triggers.records.events import NeedsNewer
    from triggers.rules.checks import load as load_rules
    from triggers.rules.folder import read_folder
    from triggers.scenarios.running import run_scenarios
    from triggers.testing import Story

__all__ = [
    "Engine",
    "LogRecord",
    "MissingRules",
    "NeedsNewer",
    "Options",
    "Out",
    "Output",
    "Place",
    "RuleErrors",
    "RuleSet",
    "Saved",
    "Story",
    "load_rules",
    "read_folder",
    "run_scenarios",
]

_HOMES = {
    "Engine": "engine.driver",
    "LogRecord": "base.model",
    "MissingRules": "engine.driver",
    "NeedsNewer": "records.events",
    "Options": "engine.interface",
    "Out": "base.model",
    "Output": "engine.interface",
    "Place": "base.model",
    "RuleErrors": "language.documents",
    "RuleSet": "definitions.model",
    "Saved": "engine.driver",
    "Story": "testing",
    "load_rules": "rules.checks:load",
    "read_folder": "rules.folder",
    "run_scenarios": "scenarios.running",
}
"""Where each public name is defined, and under which name if it is another one."""


if not TYPE_CHECKING:  # a type checker would take any name for one that is there

    def __getattr__(name: str) -> object:
        """Import a public name from where it is defined."""
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, other = _HOMES[name].partition(":")
        found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), other or name)
        return found
