"""Everything that decides is in the log: commands, rules and terms. A new option or setting must say where the log has it."""

import tomllib
from dataclasses import fields
from pathlib import Path

import msgspec

from streams.settings import Settings
from triggers.engine.interface import Options
from triggers.records.messages import Terms
from triggers.state.position import Position

ROOT = Path(__file__).parents[3]

OPTIONS = {
    "belongs": "the number of partitions: in every position, and of the topic itself",
    "accept_foreign_keys": "terms",
    "command_key": "each command carries its signature, and `rules` names the key of each by its id",
    "overrides": "`override:` records in `rules`",
    "taken_back": "`override:` records in `rules` that say so",
}
"""Each input of the fold other than records, and where the log has it."""
SETTINGS = {
    "accept_foreign_keys": "terms",
    "command_key": "each command carries its signature, and `rules` names the key of each by its id",
    "clock": "each record carries its time; the setting says only who writes it",
    "max_ahead": "a record that is let pass has its `override:` record in `rules`; the others are folded as they are",
    "partitions": "in every position",
    "prefix": "in the topics' names, which decisions repeat",
    "app": "in every command and position",
}
"""Each setting that can change decisions, and where the log has it."""
NOT_DECIDING = {
    *("bootstrap", "profile", "security_protocol", "sasl_mechanism", "sasl_username", "sasl_password"),
    *("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_check_hostname"),
    *("checkpoint_interval", "checkpoint_bytes", "memory", "heartbeat", "transaction_timeout", "session_timeout", "max_poll_records"),
    *("tick_interval", "watchdog", "broker_patience", "http_host", "http_port"),
}
"""Settings of pace, of place and of looking in; tests/crash runs with others than the defaults, and replays with none."""
CODECS = ("msgspec", "orjson", "minijinja", "ruamel.yaml", "xxhash")
"""Packages that read what the log holds, or make what goes out: their versions belong to the engine's number."""


def test_each_input_of_the_fold_is_in_the_log() -> None:
    assert {field.name for field in fields(Options)} == OPTIONS.keys()


def test_every_setting_is_in_the_log_or_decides_nothing() -> None:
    assert {*SETTINGS, *NOT_DECIDING} == set(Settings.model_fields)
    assert not SETTINGS.keys() & NOT_DECIDING


def test_the_terms_are_engine_time_zone_data_and_foreign_keys_and_every_position_has_them() -> None:
    names = {field.name for field in msgspec.structs.fields(Terms)}
    assert names == {"engine", "tzdata", "foreign_keys"}
    assert names <= {field.name for field in msgspec.structs.fields(Position)}


def test_the_codecs_are_pinned_exactly() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    pinned = {line.partition("==")[0] for line in needed if "==" in line}
    assert pinned >= set(CODECS)
