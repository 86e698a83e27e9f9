"""Settings: read once, explicitly; errors name the variable and say what would be right."""

from __future__ import annotations

import pytest

from streams.settings import SettingsError, read_settings, variables


def test_defaults_need_nothing() -> None:
    settings = read_settings({})
    assert settings.bootstrap == "127.0.0.1:9092"
    assert settings.partitions == 4
    assert settings.kafka() == {"bootstrap_servers": "127.0.0.1:9092"}


def test_flags_win_over_the_environment_and_none_is_no_flag() -> None:
    environment = {"LOYALTY_PARTITIONS": "6", "LOYALTY_LOG_LEVEL": "warning"}
    assert read_settings(environment, partitions=8, log_level=None).partitions == 8
    assert read_settings(environment).log_level == "WARNING"


@pytest.mark.parametrize(
    ("variable", "value", "right"),
    [
        ("KAFKA_BOOTSTRAP", "kafka", "host:port"),
        ("KAFKA_BOOTSTRAP", "kafka:99999", "host:port"),
        ("LOYALTY_PARTITIONS", "many", "1 to 1000"),
        ("LOYALTY_PARTITIONS", "0", "1 to 1000"),
        ("LOYALTY_BATCH_RECORDS_MAX", "0", "1 to 200000"),
        ("LOYALTY_TASK_IDLE_MS_MAX", "-1", "0 to 60000"),
        ("LOYALTY_APPLICATION_ID", "a b", "letters, digits"),
        ("LOYALTY_STORE", "disk", "memory"),
        ("LOYALTY_LOG_LEVEL", "loud", "DEBUG, INFO, WARNING or ERROR"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_the_remedy(variable: str, value: str, right: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_settings({variable: value})
    assert str(error.value).startswith(f"{variable}={value} cannot be used")
    assert right in str(error.value)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        read_settings({"LOYALTY_PARTITIONS": "x", "LOYALTY_STORE": "y"})
    assert len(str(error.value).splitlines()) == 2


def test_secrets_are_never_shown() -> None:
    environment = {
        "LOYALTY_CODE_KEY": "0123456789abcdef-secret",
        "LOYALTY_TLS": "true",
        "LOYALTY_SASL_MECHANISM": "PLAIN",
        "LOYALTY_SASL_USER": "loyalty",
        "LOYALTY_SASL_PASSWORD": "hunter2-secret",
    }
    assert "secret" not in repr(read_settings(environment))
    with pytest.raises(SettingsError) as error:
        read_settings({"LOYALTY_CODE_KEY": "short-secret"})
    assert "short-secret" not in str(error.value)
    assert "LOYALTY_CODE_KEY" in str(error.value)


SASL = {"LOYALTY_SASL_MECHANISM": "PLAIN", "LOYALTY_SASL_USER": "u", "LOYALTY_SASL_PASSWORD": "p"}


def test_a_password_in_the_clear_is_refused() -> None:
    with pytest.raises(SettingsError, match="LOYALTY_TLS=true"):
        read_settings(SASL)


def test_a_password_in_the_clear_is_allowed_on_loopback_when_asked_for() -> None:
    asked = {**SASL, "LOYALTY_SASL_WITHOUT_TLS": "true"}
    assert read_settings(asked).kafka()["security_protocol"] == "SASL_PLAINTEXT"
    with pytest.raises(SettingsError, match="in the clear"):
        read_settings({**asked, "KAFKA_BOOTSTRAP": "127.0.0.1:9092,kafka.example:9092"})


def test_a_mechanism_needs_user_and_password() -> None:
    with pytest.raises(SettingsError, match="LOYALTY_SASL_USER"):
        read_settings({"LOYALTY_SASL_MECHANISM": "PLAIN", "LOYALTY_TLS": "true"})


def test_tls_files_that_do_not_exist_are_told_before_anything_starts() -> None:
    settings = read_settings({"LOYALTY_TLS": "true", "LOYALTY_TLS_CA_FILE": "/nowhere/ca.pem"})
    with pytest.raises(SettingsError, match="LOYALTY_TLS_CA_FILE"):
        settings.kafka()


def test_every_setting_is_described() -> None:
    assert all(text for _, text, _ in variables())
