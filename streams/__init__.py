"""Where it happens: all that touches Kafka, Faust, files, clocks and the network. What should happen, `triggers` decides.

What `__all__` names is public, and docs/embedding.md describes it. Each name is imported when it is first used: `cueline --help` does not
wait for a Kafka client.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.client import Client
    from streams.ingest.feed import CannotFeed, Fed
    from streams.kafka.clients import TopicMissing, Unreachable
    from streams.settings import Settings, SettingsError
    from streams.settings import load as load_settings

__all__ = ["CannotFeed", "Client", "Fed", "Settings", "SettingsError", "TopicMissing", "Unreachable", "load_settings"]

_HOMES = {
    "CannotFeed": "ingest.feed",
    "Client": "client",
    "Fed": "ingest.feed",
    "Settings": "settings",
    "SettingsError": "settings",
    "TopicMissing": "kafka.clients",
    "Unreachable": "kafka.clients",
    "load_settings": "settings:load",
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
