"""Everything that may be set, read once by an explicit call.

`read_settings(environment, flags)` is the only place that looks at environment variables; flags win. An error
names the variable and says what would be right.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)


class SettingsError(ValueError):
    """The settings cannot be used; the text has one line for each of them, naming variable and remedy."""


class Settings(BaseModel):
    """Settings of a worker and of the tools for the same cluster. Times are in the unit they name."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    bootstrap: str = Field("127.0.0.1:9092", description="host:port of one or more brokers, comma separated")
    application_id: str = Field(
        "loyalty",
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$",
        description="consumer group, and prefix of the changelog and of the transactional ids; "
        "letters, digits, dot, dash and underscore",
    )
    partitions: int = Field(4, ge=1, le=1000, description="partitions of every topic, 1 to 1000")
    replication: int = Field(1, ge=1, le=9, description="replicas of every topic, 1 to 9")
    retention_ms: int = Field(
        -1,
        ge=-1,
        description="how long records are kept, counted from the event's own time, in ms; -1 = for ever",
    )
    ahead_ms_max: int = Field(
        -1,
        ge=-1,
        description="how far ahead of the brokers' clocks an event may lie, in ms: 'loyalty topics' has the brokers "
        "refuse what is further; -1 = any",
    )
    batch_records_max: int = Field(
        20_000, ge=1, le=200_000, description="records in one batch and so in one transaction, 1 to 200000"
    )
    task_idle_ms_max: int = Field(
        20,
        ge=0,
        le=60_000,
        description="how long records wait for topics of their task that are caught up, in ms, 0 to 60000",
    )
    commit_linger_ms_max: int = Field(
        0, ge=0, le=10_000, description="how long a batch that is not full waits for more, in ms, 0 to 10000"
    )
    skip_lost_records: bool = Field(
        False,
        description="true or false: go on without records that Kafka has deleted before they were applied; false: refuse to "
        "begin",
    )
    session_ms: int = Field(
        10_000, ge=1_000, le=300_000, description="silence after which a worker is thought dead, in ms"
    )
    rebalance_seconds: int = Field(
        60, ge=5, le=600, description="how long workers have for handing tasks over, in seconds, 5 to 600"
    )
    transaction_ms_max: int = Field(
        30_000, ge=1_000, le=900_000, description="after which the broker aborts an open transaction, in ms"
    )
    store: Literal["memory", "rocksdb"] = Field(
        "memory", description="where rows are kept: memory, or rocksdb for more rows than memory holds"
    )
    store_cache_mb: int = Field(
        256,
        ge=8,
        le=1_000_000,
        description="memory for what rocksdb caches and has not yet written, all tasks together, "
        "in MiB, 8 to 1000000",
    )
    state_dir: Path = Field(
        Path(".loyalty"), description="a directory of this worker's own, for the rows of rocksdb"
    )
    code_key: SecretStr | None = Field(None, description="secret key of the referral codes, 16 bytes or more")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    tls: bool = Field(False, description="true or false: talk TLS to the brokers")
    tls_ca_file: Path | None = Field(None, description="PEM file of the certificate authority")
    tls_certificate_file: Path | None = Field(None, description="PEM file of this client's certificate")
    tls_key_file: Path | None = Field(None, description="PEM file of this client's key")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    sasl_user: str | None = Field(None, description="user name")
    sasl_password: SecretStr | None = Field(None, description="password of that user")
    sasl_without_tls: bool = Field(
        False, description="true or false: allow a password in the clear, on loopback addresses only"
    )

    @field_validator("bootstrap")
    @classmethod
    def _bootstrap_is_host_and_port(cls, value: str) -> str:
        for server in value.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{server.strip()!r} is not host:port")
        return ",".join(server.strip() for server in value.split(","))

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_capitals(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("code_key")
    @classmethod
    def _key_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < 16:
            raise ValueError("it is too short")
        return value

    @model_validator(mode="after")
    def _password_is_protected(self) -> Settings:
        if self.sasl_mechanism is not None:
            if self.sasl_user is None or self.sasl_password is None:
                raise ValueError(
                    f"{_VARIABLES['sasl_mechanism']} needs {_VARIABLES['sasl_user']} and "
                    f"{_VARIABLES['sasl_password']} beside it"
                )
            if not self.tls and not (self.sasl_without_tls and self._on_loopback()):
                raise ValueError(
                    f"{_VARIABLES['sasl_mechanism']} without TLS sends the password in the clear: set "
                    f"{_VARIABLES['tls']}=true (or, for brokers on loopback addresses only, "
                    f"{_VARIABLES['sasl_without_tls']}=true)"
                )
        if not self.tls and (self.tls_ca_file or self.tls_certificate_file or self.tls_key_file):
            raise ValueError(f"TLS files are given, but TLS is off: set {_VARIABLES['tls']}=true")
        return self

    def _on_loopback(self) -> bool:
        return all(_is_loopback(server.rpartition(":")[0]) for server in self.bootstrap.split(","))

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS context for the brokers, None without TLS. Certificates and host names are verified.

        Raises SettingsError when a file cannot be read.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.tls_ca_file)
            if self.tls_certificate_file is not None:
                context.load_cert_chain(self.tls_certificate_file, self.tls_key_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"the TLS files ({_VARIABLES['tls_ca_file']} …) cannot be used: {error}"
            ) from None
        return context

    def kafka(self) -> dict[str, Any]:
        """Connection arguments for an aiokafka client."""
        context = self.ssl_context()
        arguments: dict[str, Any] = {"bootstrap_servers": self.bootstrap}
        if self.sasl_mechanism is not None:
            assert self.sasl_password is not None
            arguments["security_protocol"] = "SASL_SSL" if context else "SASL_PLAINTEXT"
            arguments["sasl_mechanism"] = self.sasl_mechanism
            arguments["sasl_plain_username"] = self.sasl_user
            arguments["sasl_plain_password"] = self.sasl_password.get_secret_value()
        elif context is not None:
            arguments["security_protocol"] = "SSL"
        if context is not None:
            arguments["ssl_context"] = context
        return arguments


_VARIABLES: Final[Mapping[str, str]] = {
    name: "KAFKA_BOOTSTRAP" if name == "bootstrap" else f"LOYALTY_{name.upper()}"
    for name in Settings.model_fields
}


def variables() -> list[tuple[str, str, Any]]:
    """Every environment variable with what it sets and its default, for help texts."""
    return [
        (_VARIABLES[name], field.description or "", field.default)
        for name, field in Settings.model_fields.items()
    ]


def read_settings(environment: Mapping[str, str], **flags: Any) -> Settings:
    """Build the settings from environment variables and flags (None = not given); flags win.

    Raises SettingsError.
    """
    given: dict[str, Any] = {}
    for name, variable in _VARIABLES.items():
        value = flags.get(name)
        if value is None:
            value = environment.get(variable) or None
        if value is not None:
            given[name] = value
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(given, dict(item)) for item in error.errors())) from None


def _explain(given: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    if not item["loc"]:
        return str(item["msg"]).removeprefix("Value error, ")
    name = str(item["loc"][0])
    variable = _VARIABLES.get(name, name)
    wanted = Settings.model_fields[name].description if name in Settings.model_fields else "not a setting"
    secret = name in ("code_key", "sasl_password")
    shown = "" if secret else f"={given.get(name)}"
    return f"{variable}{shown} cannot be used: it must be {wanted}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
