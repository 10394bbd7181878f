"""The settings of one installation of Cueline: from the environment (`CUELINE_*`), a TOML file, or a command's options.

A wrong or unknown setting stops the start. One message names all of them with the remedy (`SettingsError`). If a misspelt
`CUELINE_BOOTSRTAP` were silently ignored, a worker would connect to another cluster.

Order of precedence: options of the command line, the environment, the file named by `CUELINE_CONFIG` (otherwise `cueline.toml` in the
working folder, if it exists), the defaults below. All times are in seconds, all sizes in bytes.
"""

from __future__ import annotations

import os
import re
import ssl
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX: Final = "CUELINE_"
FILE: Final = "cueline.toml"
NOT_SETTINGS: Final = frozenset({"CONFIG", "VERBOSE", "BROKER", "REQUIRE_KAFKA"})
"""`CUELINE_CONFIG` names the file, `CUELINE_VERBOSE` prints failures in full; the others control the project's tests
(`tests/conftest.py`).
"""

NEVER_EMPTY: Final = frozenset({"BOOTSTRAP", "APP", "PREFIX", "COMMAND_KEY", "SASL_USERNAME", "SASL_PASSWORD", "SSL_PASSWORD"})
"""Settings that an empty variable must not set. A secret that was not injected would switch signing off, and a name that was not filled in
would connect to the topics of another installation.
"""

NO_PREFIX: Final = "none"
"""The word for no prefix. An empty variable cannot express it: see `NEVER_EMPTY`."""

MIB: Final = 1 << 20


class SettingsError(Exception):
    """The settings are wrong; `problems` names each one and its remedy."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Names(NamedTuple):
    """The topics of one installation (DESIGN §7)."""

    events: str
    actions: str
    decisions: str
    receipts: str
    dead_letters: str
    rules: str
    changelog: str


def _legal_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]*", text):
        raise ValueError("names of topics and transactional ids contain only letters, digits, '.', '_' and '-'")
    return text


HOST: Final = re.compile(r"[^\s:;,/@\[\]]+|\[[0-9A-Fa-f:.%]+\]")
"""A host name or an address; an IPv6 address is in brackets."""


def _servers(text: str) -> str:
    servers = [server.strip() for server in text.split(",")]
    for server in servers:
        if "://" in server:
            raise ValueError(f"{server!r} is a URL; write host:port without {server.partition('://')[0]}://, for example kafka-1:9092")
        host, _, port = server.rpartition(":")
        if not HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ValueError(f"{server!r} is not host:port; write for example kafka-1:9092,kafka-2:9092")
    return ",".join(servers)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


LegalName = Annotated[str, AfterValidator(_legal_name)]
Prefix = Annotated[LegalName, AfterValidator(lambda text: "" if text == NO_PREFIX else text)]
ExistingFile = Annotated[Path, AfterValidator(_existing)]


class Settings(BaseSettings):
    """Every setting with its default. Get one with `load()`; it does not change afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True, env_ignore_empty=True, allow_inf_nan=False
    )

    # ---- where -----------------------------------------------------------------------------------------------------
    bootstrap: Annotated[str, AfterValidator(_servers)] = Field(
        "127.0.0.1:9092", description="bootstrap brokers, host:port, comma-separated"
    )
    app: LegalName = Field(
        "cueline",
        min_length=1,
        max_length=100,
        description="name of the consumer group; also the prefix of the transactional ids and of the changelog's name",
    )
    prefix: Prefix = Field("cueline.", max_length=100, description="prefix of all topic names; none: no prefix")

    # ---- topics ----------------------------------------------------------------------------------------------------
    partitions: int = Field(
        8, ge=1, le=10_000, description="partitions of each topic when `cueline topics create` creates it; the number cannot change later"
    )
    profile: Literal["dev", "prod"] = Field("dev", description="dev: one broker, replication 1; prod: replication 3, min.insync.replicas 2")
    clock: Literal["broker", "log"] = Field(
        "broker", description="broker: `events` has the brokers' time; log: historic records have their own, and workers write no ticks"
    )

    # ---- trust -----------------------------------------------------------------------------------------------------
    command_key: SecretStr | None = Field(
        None, description="at least 16 characters; commands carry an HMAC made with it, and unsigned ones are dead letters"
    )
    accept_foreign_keys: bool = Field(
        False, description="fold records whose key does not belong to their partition (a producer with another partitioner)"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="protocol between every client and the brokers"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("PLAIN", description="SASL mechanism of the login")
    sasl_username: str | None = Field(None, description="name to log in with")
    sasl_password: SecretStr | None = Field(None, description="password to log in with")
    ssl_cafile: ExistingFile | None = Field(None, description="PEM file of trusted authorities; otherwise the system's")
    ssl_certfile: ExistingFile | None = Field(None, description="PEM file of the client's own certificate")
    ssl_keyfile: ExistingFile | None = Field(None, description="PEM file of that certificate's key")
    ssl_password: SecretStr | None = Field(None, description="password of that key")
    ssl_check_hostname: bool = Field(True, description="whether a broker's certificate must name its host")

    # ---- pace ------------------------------------------------------------------------------------------------------
    checkpoint_interval: float = Field(0.1, ge=0.01, le=2, description="seconds between two checkpoints of a busy partition, 0.01 to 2")
    checkpoint_bytes: int = Field(
        4 * MIB, ge=MIB // 4, le=16 * MIB, description="bytes of changes that trigger an early checkpoint, 256 KiB to 16 MiB"
    )
    memory: int = Field(
        1024 * MIB,
        ge=256 * MIB,
        le=1024 * 1024 * MIB,
        description="bytes that a worker may use in addition to its users' encoded states and the index of timers; it reads slower, saves "
        "earlier and keeps fewer decoded states; decisions do not change",
    )
    heartbeat: float = Field(60, ge=1, le=3_600, description="seconds after which an idle partition saves its position")
    transaction_timeout: float = Field(10, ge=5, le=900, description="seconds after which the broker ends a dead worker's transaction")
    session_timeout: float = Field(20, ge=1, le=300, description="seconds of silence after which the group considers a worker dead")
    max_poll_records: int = Field(2_000, ge=1, le=100_000, description="maximum records of one fetch")
    tick_interval: float = Field(0.1, ge=0.01, le=10, description="seconds between two checks for timers that are due by the system clock")
    max_ahead: float = Field(
        600, ge=1, le=315_360_000, description="seconds that a record may be ahead of the worker's clock before its partition stops"
    )
    watchdog: float = Field(
        60, ge=5, le=86_400, description="seconds without progress after which a worker ends itself; at least session_timeout + 10"
    )
    broker_patience: float = Field(
        45, ge=5, le=86_400, description="seconds for which a worker waits while no broker answers; then it ends with exit code 69"
    )

    # ---- looking in ------------------------------------------------------------------------------------------------
    http_host: str = Field("127.0.0.1", description="address of /healthz, /readyz and /metrics")
    http_port: int | None = Field(8080, ge=-1, lt=1 << 16, description="their port; 0: any free port, -1: no server")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problems = list(self._disagreements())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _disagreements(self) -> list[str]:
        found = []
        sasl, tls = self.security_protocol.startswith("SASL"), self.security_protocol.endswith("SSL")
        if sasl and not (self.sasl_username and self.sasl_password):
            found.append(f"security_protocol {self.security_protocol} needs sasl_username and sasl_password")
        if not sasl and (self.sasl_username or self.sasl_password):
            found.append(f"a login is given, but security_protocol {self.security_protocol} sends none: use SASL_SSL or SASL_PLAINTEXT")
        if not tls and (self.ssl_cafile or self.ssl_certfile or self.ssl_keyfile):
            found.append(f"TLS files are given, but security_protocol {self.security_protocol} does not encrypt: use SSL or SASL_SSL")
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            found.append("ssl_certfile and ssl_keyfile go together")
        if self.command_key is not None and len(self.command_key.get_secret_value().strip()) < 16:
            found.append("command_key is shorter than 16 characters (blanks around it do not count)")
        if self.watchdog < self.session_timeout + 10:
            found.append("watchdog must be at least session_timeout + 10: a rebalance that waits for a dead worker still makes progress")
        if self.checkpoint_interval * 3 > self.transaction_timeout:
            found.append("checkpoint_interval must be far below transaction_timeout (a third at most)")
        return found

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read options, environment and file; no `.env` file and no secrets folder."""
        return init_settings, env_settings, _FileSource(settings_cls)

    @cached_property
    def names(self) -> Names:
        """Return the names of this installation's topics."""
        plain = ("events", "actions", "decisions", "receipts", "dead-letters", "rules", f"{self.app}-users-changelog")
        return Names(*(self.prefix + name for name in plain))

    @property
    def servers(self) -> list[str]:
        """Return the bootstrap servers, each host:port."""
        return self.bootstrap.split(",")

    @property
    def signing_key(self) -> bytes | None:
        """Return the command key's bytes."""
        return None if self.command_key is None else self.command_key.get_secret_value().encode()

    def share(self, partitions: int, parts: int, least: int) -> int:
        """Return one partition's share in bytes of one of `parts` equal parts of `memory`; never below `least`, because one record must
        fit.
        """
        return max(least, self.memory // parts // partitions)

    @property
    def port(self) -> int | None:
        """Return the port of the HTTP server (0: any free one), or None for no server."""
        return None if self.http_port is None or self.http_port < 0 else self.http_port

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context of every client, or None for plain connections."""
        if not self.security_protocol.endswith("SSL"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            context.check_hostname = self.ssl_check_hostname
            if self.ssl_certfile:
                password = None if self.ssl_password is None else self.ssl_password.get_secret_value()
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, password)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise SettingsError(f"ssl_cafile, ssl_certfile, ssl_keyfile: cannot be used for TLS: {error}") from error
        return context

    def client(self) -> dict[str, Any]:
        """Return the arguments that every aiokafka client (consumer, producer, admin) takes: servers, login and encryption."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "client_id": f"cueline-{self.app}",
            "security_protocol": self.security_protocol,
            "ssl_context": self.tls,
        }
        if self.sasl_username and self.sasl_password:
            arguments["sasl_mechanism"] = self.sasl_mechanism
            arguments["sasl_plain_username"] = self.sasl_username
            arguments["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return arguments


def load(**options: Any) -> Settings:  # noqa: ANN401 - the values are what pydantic is there to check
    """Read the settings. `options` (those that are not None) override all other sources.

    Raises `SettingsError` that names every wrong or unknown setting.
    """
    given = {name: value for name, value in options.items() if value is not None}
    wrong = _unknown_variables(os.environ) + _empty_variables(os.environ, given)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError(*wrong, *(_problem(detail, given) for detail in error.errors())) from None
    except SettingsError as error:
        raise SettingsError(*wrong, *error.problems) from None
    if wrong:
        raise SettingsError(*wrong)
    return settings


class _FileSource(PydanticBaseSettingsSource):
    """The TOML file: a flat table of settings by their names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ANN401 - pydantic's signature
        raise NotImplementedError  # `__call__` returns the whole file; pydantic then reports unknown settings

    def __call__(self) -> dict[str, Any]:
        path = _file()
        if path is None:
            return {}
        try:
            return tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"{PREFIX}CONFIG: {path} cannot be read: {error.strerror}; name an existing file or unset it") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: not TOML: {error}") from None


def _file() -> Path | None:
    named = os.environ.get(PREFIX + "CONFIG")
    if named:
        return Path(named)
    return Path(FILE) if Path(FILE).is_file() else None


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    known = {name.upper() for name in Settings.model_fields} | NOT_SETTINGS
    names = (name.upper().removeprefix(PREFIX) for name in environ if name.upper().startswith(PREFIX))
    return [_unknown(PREFIX + name, [PREFIX + other for other in known]) for name in sorted(names) if name not in known]


def _empty_variables(environ: Mapping[str, str], options: Mapping[str, object]) -> list[str]:
    """List the variables that are empty and must not be, unless an option overrides them."""
    found = []
    for variable in sorted(environ):
        name = variable.upper().removeprefix(PREFIX)
        if variable.upper().startswith(PREFIX) and name in NEVER_EMPTY and name.lower() not in options and not environ[variable].strip():
            found.append(f"{variable.upper()}: it is set, but empty: was it not filled in? Give it a value, or unset it")
    return found


def _unknown(name: str, known: list[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"{name}: there is no such setting; " + (f"did you mean {near[0]}?" if near else "unset it")


def _problem(detail: ErrorDetails, options: Mapping[str, object]) -> str:
    if not detail["loc"]:
        return "settings: " + detail["msg"].removeprefix("Value error, ")
    name = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        return f"{_file() or 'options'}: " + _unknown(name, list(Settings.model_fields))
    field = Settings.model_fields.get(name)
    meaning = f" It is {field.description}." if field is not None and field.description else ""
    secret = field is not None and "Secret" in str(field.annotation)
    got = "" if secret else f", not {detail['input']!r}"
    reason = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{_origin(name, options)}: {reason}{got}.{meaning}"


def _origin(name: str, options: Mapping[str, object]) -> str:
    """Return where a setting came from, for the person who must correct it."""
    if name in options:
        return "--" + name.replace("_", "-")
    if any(variable.upper() == PREFIX + name.upper() for variable in os.environ):
        return PREFIX + name.upper()
    return f"{name} in {_file()}"
