"""Settings: what they default to, where they come from, and how a wrong one is named."""

import os
from pathlib import Path

import pytest

from streams.settings import Settings, SettingsError, load


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine and no file of the working folder leaks into these tests."""
    for name in list(os.environ):
        if name.upper().startswith("CUELINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def problems_of(**options: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(**options)
    return caught.value.problems


def test_defaults_fit_a_first_look_at_a_broker_on_this_machine() -> None:
    settings = load()
    assert settings.servers == ["127.0.0.1:9092"]
    assert settings.names.events == "cueline.events"
    assert settings.names.changelog == "cueline.cueline-users-changelog"
    assert settings.client() == {
        "bootstrap_servers": ["127.0.0.1:9092"],
        "client_id": "cueline-cueline",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_options_go_before_the_environment_and_that_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cueline.toml").write_text('app = "file"\nprefix = "file."\npartitions = 3\n')
    monkeypatch.setenv("CUELINE_APP", "environment")
    monkeypatch.setenv("CUELINE_PREFIX", "environment.")
    settings = load(app="option", profile=None)
    assert (settings.app, settings.prefix, settings.partitions) == ("option", "environment.", 3)
    assert settings.names.changelog == "environment.option-users-changelog"


def test_a_file_named_by_the_environment_replaces_the_one_of_the_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cueline.toml").write_text('app = "here"')
    (tmp_path / "other.toml").write_text('app = "other"')
    monkeypatch.setenv("CUELINE_CONFIG", str(tmp_path / "other.toml"))
    assert load().app == "other"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUELINE_PARTITIONS", "")
    assert load().partitions == 8


@pytest.mark.parametrize("name", ["COMMAND_KEY", "PREFIX", "APP", "BOOTSTRAP", "SASL_USERNAME", "SASL_PASSWORD", "SSL_PASSWORD"])
@pytest.mark.parametrize("nothing", ["", "  "])
def test_a_name_or_secret_that_was_not_filled_in_is_refused_and_named(monkeypatch: pytest.MonkeyPatch, name: str, nothing: str) -> None:
    """Otherwise it would mean: no signing, or another installation's cluster and topics."""
    monkeypatch.setenv("CUELINE_" + name, nothing)
    assert f"CUELINE_{name}: it is set, but empty: was it not filled in? Give it a value, or unset it" in problems_of()


def test_the_prefix_none_means_no_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is refused, so an installation with bare names needs a word."""
    monkeypatch.setenv("CUELINE_PREFIX", "none")
    assert load().names.events == "events"


def test_an_option_goes_before_an_empty_variable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUELINE_PREFIX", "")
    assert load(prefix="shop.").prefix == "shop."


def test_a_misspelt_variable_stops_the_start_and_the_nearest_right_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUELINE_BOOTSRTAP", "kafka:9092")
    assert problems_of() == ("CUELINE_BOOTSRTAP: there is no such setting; did you mean CUELINE_BOOTSTRAP?",)


def test_the_variables_of_the_test_suite_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUELINE_BROKER", "kafka:9092")
    monkeypatch.setenv("CUELINE_REQUIRE_KAFKA", "1")
    assert load() == Settings()


def test_a_misspelt_name_in_the_file_is_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "cueline.toml").write_text("partition = 3")
    assert problems_of() == ("cueline.toml: partition: there is no such setting; did you mean partitions?",)


def test_all_wrong_settings_are_named_at_once_each_by_where_it_came_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cueline.toml").write_text('profile = "staging"')
    monkeypatch.setenv("CUELINE_PARTITIONS", "many")
    monkeypatch.setenv("CUELINE_NONE_SUCH", "1")
    named = {problem.split(":")[0] for problem in problems_of(bootstrap="kafka")}
    assert named == {"CUELINE_NONE_SUCH", "CUELINE_PARTITIONS", "--bootstrap", "profile in cueline.toml"}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"bootstrap": "kafka"}, "kafka-1:9092,kafka-2:9092"),
        ({"bootstrap": "kafka:0"}, "is not host:port"),
        ({"bootstrap": "kafka-1:9092;kafka-2:9092"}, "is not host:port"),
        ({"bootstrap": ":9092"}, "is not host:port"),
        ({"bootstrap": "::1:9092"}, "is not host:port"),
        ({"prefix": "a b"}, "only letters, digits"),
        ({"app": ""}, "at least 1 character"),
        ({"checkpoint_interval": 5}, "seconds between two checkpoints of a busy partition"),
        ({"command_key": "short"}, "shorter than 16 characters"),
        ({"command_key": " " * 16}, "shorter than 16 characters"),
        ({"max_ahead": float("inf")}, "finite number"),
        ({"max_ahead": 1e300}, "less than or equal to"),
        ({"watchdog": float("nan")}, "finite number"),
        ({"watchdog": float("inf")}, "finite number"),
        ({"watchdog": 29}, "watchdog must be at least session_timeout + 10"),
        ({"session_timeout": 60}, "watchdog must be at least session_timeout + 10"),
        ({"security_protocol": "SASL_SSL"}, "needs sasl_username and sasl_password"),
        ({"sasl_username": "me", "sasl_password": "it"}, "use SASL_SSL or SASL_PLAINTEXT"),
        ({"ssl_cafile": "/none/such.pem"}, "there is no file"),
        ({"checkpoint_interval": 2, "transaction_timeout": 5}, "far below transaction_timeout"),
    ],
)
def test_a_wrong_value_is_answered_with_what_would_be_right(options: dict[str, object], part: str) -> None:
    assert part in "\n".join(problems_of(**options))


def test_a_secret_never_stands_in_a_message_or_a_printed_setting() -> None:
    secret = "correct horse battery staple"
    assert secret not in repr(load(command_key=secret))
    assert secret not in "\n".join(problems_of(sasl_username="me", sasl_password=secret))
    assert "short" not in problems_of(command_key="short")[0].replace("shorter", "")


def test_a_file_that_is_no_toml_or_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cueline.toml").write_text("app: cueline")
    assert problems_of()[0].startswith("cueline.toml: not TOML")
    monkeypatch.setenv("CUELINE_CONFIG", "none-such.toml")
    assert problems_of()[0].startswith("CUELINE_CONFIG: none-such.toml cannot be read")


def test_a_login_reaches_every_client() -> None:
    settings = load(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="me", sasl_password="it")
    client = settings.client()
    assert client["ssl_context"] is settings.tls is not None
    assert (client["sasl_mechanism"], client["sasl_plain_username"], client["sasl_plain_password"]) == ("SCRAM-SHA-512", "me", "it")


def test_a_certificate_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = load(security_protocol="SSL", ssl_cafile=tmp_path / "ca.pem")
    with pytest.raises(SettingsError, match="ssl_cafile"):
        settings.client()


def test_port_minus_one_turns_http_off() -> None:
    assert load(http_port=-1).port is None
    assert load(http_port=0).port == 0


def test_a_url_is_no_bootstrap_server_and_the_message_says_why() -> None:
    with pytest.raises(SettingsError, match="is a URL; write host:port without http://"):
        load(bootstrap="http://kafka:9092")
