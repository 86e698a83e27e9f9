"""What the commands that talk to Kafka share: settings from the environment, and failures in one line."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

import click

from loyalty.errors import LoyaltyError
from streams.settings import Settings, SettingsError, read_settings

Answer = TypeVar("Answer")

UNAVAILABLE: Final = 69
"""Exit status when Kafka does not answer (`EX_UNAVAILABLE` of sysexits.h)."""

bootstrap_option = click.option(
    "--bootstrap",
    metavar="HOST:PORT",
    help="Kafka brokers, comma separated (default: KAFKA_BOOTSTRAP, else 127.0.0.1:9092).",
)


def settings_of(environment: Mapping[str, str] = os.environ, **flags: Any) -> Settings:
    """The deployment's settings: environment variables, and flags (None = not given), which win."""
    try:
        return read_settings(environment, **flags)
    except SettingsError as error:
        first, *more = str(error).splitlines()
        raise LoyaltyError(first + (f" (and {len(more)} more)" if more else "")) from error


def talk(settings: Settings, work: Callable[[Settings], Coroutine[Any, Any, Answer]]) -> Answer:
    """Run something that talks to Kafka; a broker that does not answer or refuses is one line."""
    from aiokafka.errors import InvalidTimestampError, KafkaConnectionError, KafkaError

    # What goes wrong is said once, by us.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work(settings))
    except KafkaConnectionError as error:
        raise LoyaltyError(
            f"no Kafka answers at {settings.bootstrap}: start one with 'loyalty broker', "
            "or name another in KAFKA_BOOTSTRAP",
            UNAVAILABLE,
        ) from error
    except InvalidTimestampError as error:
        raise LoyaltyError(
            f"Kafka at {settings.bootstrap} refused: a time lies farther ahead of its clock than the topic allows "
            "(message.timestamp.after.max.ms, which 'loyalty topics' sets to LOYALTY_AHEAD_MS_MAX)",
            UNAVAILABLE,
        ) from error
    except KafkaError as error:
        raise LoyaltyError(f"Kafka at {settings.bootstrap} refused: {error}", UNAVAILABLE) from error
    except SettingsError as error:
        raise LoyaltyError(str(error)) from error


async def need_topics(settings: Settings) -> None:
    """Refuse to go on without topics that are fit for work.

    :raises LoyaltyError: one is missing or has another number of partitions.
    """
    from streams.topics import worker_problems

    problems = await worker_problems(settings)
    if problems:
        more = f" (and {len(problems) - 1} more; see 'loyalty topics --check')" if len(problems) > 1 else ""
        raise LoyaltyError(f"{problems[0]}{more}")
