"""The Faust app: one agent's worth of topics, the account table, and our transport, made from settings."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final, cast

import faust
from aiokafka.errors import KafkaError, ProducerFenced
from faust.serializers.schemas import Schema
from faust.types import TP, Message
from mode import get_logger
from yarl import URL

from schemas.topics import CLOCK, TASK
from streams.consumer import Consumer
from streams.io_process import IoProcess
from streams.reader import TaskReader
from streams.settings import Settings
from streams.store import MemoryStore, StoreError, StoreFactory
from streams.table import ACCOUNTS, AccountTable, BulkTableManager, changelog_topic
from streams.task import FoldResult, TaskFactory
from streams.tasks import Tasks
from streams.transaction_manager import BatchTransactions
from streams.transactions import Transactions
from streams.transport import Transport

log = get_logger(__name__)

EXIT_BUG: Final = 70
"""Exit status after an exception: the batch was aborted, a restart tries it again."""
EXIT_FENCED: Final = 75
"""Exit status of a worker whose tasks were given to another one while it was away."""
EXIT_DISK: Final = 74
"""Exit status when the disk under the local store failed; the changelog has everything."""
EXIT_BROKER: Final = 69
"""Exit status when Kafka could not be reached or refused."""

STOP_SECONDS: Final = 10.0
"""How long a worker that is told to stop waits for its running batches."""

_NEVER_SECONDS: Final = 10**9


class Batches(Schema[Any, Any]):
    """Hands batches on as they are: reading records is the fold's business."""

    def loads_key(self, app: Any, message: Message, **kwargs: Any) -> Any:
        """The message has no key."""
        return None

    def loads_value(self, app: Any, message: Message, **kwargs: Any) -> Any:
        """The batch."""
        return message.value


class Failure:
    """Why the worker has to leave: one line for the log, and the process's exit status."""

    __slots__ = ("error", "exit_status", "text")

    def __init__(self, error: BaseException) -> None:
        self.error: Final = error
        if isinstance(error, ProducerFenced):
            self.exit_status = EXIT_FENCED
            self.text = (
                "another worker has taken over this worker's tasks; leaving so that it can start afresh"
            )
        elif isinstance(error, StoreError):
            self.exit_status = EXIT_DISK
            self.text = str(error)
        elif isinstance(error, KafkaError):
            self.exit_status = EXIT_BROKER
            name = type(error).__name__
            reason = str(error).removeprefix(f"{name}: ")
            self.text = f"Kafka failed ({name}: {reason}); leaving, and nothing was half committed"
        else:
            self.exit_status = EXIT_BUG
            self.text = (
                f"a batch failed ({type(error).__name__}: {error}); nothing of it was committed, leaving"
            )


class Progress:
    """What this worker has done since it started; for tests, the demo and the log."""

    __slots__ = ("batches", "commit_seconds", "fold_seconds", "records", "started")

    def __init__(self) -> None:
        self.batches = 0
        self.records = 0
        self.fold_seconds = 0.0
        self.commit_seconds = 0.0
        self.started = monotonic()


class StreamApp(faust.App):
    """Faust's app with what batches need: settings, the account table, and leaving on the first failure."""

    settings: Settings
    io: IoProcess
    tasks: Tasks
    task_topics: tuple[str, ...]
    progress: Progress
    failure: Failure | None
    failed: asyncio.Event

    @property
    def stream_consumer(self) -> Consumer:
        """The consumer, as what it is."""
        return cast(Consumer, self.consumer)

    @property
    def transactions(self) -> Transactions:
        """What works off batches."""
        return cast(BatchTransactions, self.stream_consumer.transactions).work

    @property
    def reader(self) -> TaskReader:
        """What reads the assigned tasks."""
        return self.stream_consumer.reader

    @property
    def assignment(self) -> int:
        """Numbers the assignments: counts up the moment the group begins to rebalance, so that whatever
        belongs to an earlier number must not be begun any more. (The group's generation only changes when
        the new assignment is there, and until then tasks may already be another worker's.)
        """
        return int(self.rebalancing_count)

    def fail(self, error: BaseException) -> None:
        """Leave: an exception in a batch ends the process, because going on would lose the batch."""
        if self.failure is None:
            self.failure = Failure(error)
            log.critical("%s", self.failure.text, exc_info=error if self._is_bug(error) else None)
            # The consumer lives in a thread of its own, and may be what failed.
            self.loop.call_soon_threadsafe(self.failed.set)

    @staticmethod
    def _is_bug(error: BaseException) -> bool:
        return not isinstance(error, KafkaError | StoreError)

    async def crash(self, reason: BaseException) -> None:
        """Faust's own way of giving up leads to ours."""
        self.fail(reason)

    def _crash(self, reason: BaseException) -> None:
        """So does its other one: a service of the app that crashes marks the app, and tells nobody to leave."""
        super()._crash(reason)
        self.fail(reason)

    async def on_stop(self) -> None:
        """Let running batches finish before their producers are closed."""
        if self._consumer is not None:
            self.reader.forget()
            await self.transactions.finish(STOP_SECONDS)
        await super().on_stop()

    def worked_off(
        self, partition: int, result: FoldResult, fold_seconds: float, commit_seconds: float
    ) -> None:
        """Count a committed step."""
        progress = self.progress
        progress.batches += 1
        progress.records += result.consumed
        progress.fold_seconds += fold_seconds
        progress.commit_seconds += commit_seconds
        log.debug(
            "task %d: %d records, %d rows, %d outputs, fold %.0f ms, commit %.0f ms",
            partition,
            result.consumed,
            len(result.rows),
            len(result.produce),
            fold_seconds * 1000,
            commit_seconds * 1000,
        )

    def _on_rebalance_when_stopped(self) -> None:
        """Nothing: the consumer's thread closes its own connections, at the end of the stop. Faust would have them
        closed in this one, whose loop is not theirs: then a stop hangs, or the process dies of a signal."""

    def _create_directories(self) -> None:
        """Nothing: a store that needs a directory makes its own."""

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        if self.should_stop:
            # A batch that a stop waits for gets its commit: who had its task next would fence it.
            await self.transactions.give_up_tasks()
        else:
            self.reader.forget()
        await super()._on_partitions_revoked(revoked)


def make_app(
    settings: Settings,
    io: IoProcess,
    new_task: TaskFactory,
    *,
    new_store: StoreFactory | None = None,
) -> StreamApp:
    """Make the app of a worker; the agents are added by the caller.

    `io` reads and writes for it; `new_task` makes the state that decides; `new_store` where its rows live, as the settings
    say by default.

    Raises SettingsError when the state directory or the TLS files cannot be used.
    """
    app = StreamApp(
        settings.application_id,
        broker=[URL(f"kafka://{server}") for server in settings.bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        processing_guarantee="exactly_once",
        datadir=str(settings.state_dir),
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # Only a batch's transaction commits; these would commit by the clock.
        broker_commit_interval=_NEVER_SECONDS,
        broker_commit_livelock_soft_timeout=_NEVER_SECONDS,
        broker_session_timeout=settings.session_ms / 1000,
        broker_heartbeat_interval=max(0.3, settings.session_ms / 4000),
        broker_rebalance_timeout=settings.rebalance_seconds,
        broker_request_timeout=max(40, settings.session_ms / 1000),
        consumer_auto_offset_reset="earliest",
        producer_linger=0,
        stream_recovery_delay=0,
        table_standby_replicas=0,
        stream_wait_empty=False,
        stream_buffer_maxsize=settings.partitions * 2 + 2,
        TableManager=BulkTableManager,
    )
    # Faust has transactions only inside what it takes for a worker.
    app.in_worker = True
    app.settings = settings
    app.io = io
    app.progress = Progress()
    app.failure = None
    app.failed = asyncio.Event()
    # At equal timestamps a due moment acts before events, so the clock goes first.
    app.task_topics = (CLOCK.name, *(topic.name for topic in TASK if topic is not CLOCK))
    changelog = changelog_topic(settings.application_id)
    app.tasks = Tasks(changelog, new_task, new_store or _store_maker(settings))
    _add_account_table(app)
    return app


def task_channel(app: StreamApp) -> Any:
    """The channel of the task topics: what an agent reads batches from.

    Faust acknowledges nothing here: `Transactions.work_off` says when a task is free again.
    """
    return app.topic(*app.task_topics, schema=Batches(), internal=False, acks=False)


def _add_account_table(app: StreamApp) -> None:
    changelog = app.topic(
        app.tasks.changelog,
        partitions=app.settings.partitions,
        key_serializer="raw",
        value_serializer="raw",
        acks=False,
        internal=False,
    )
    table = AccountTable(
        app,
        name=ACCOUNTS,
        partitions=app.settings.partitions,
        changelog_topic=changelog,
        tasks=app.tasks,
    )
    app.tables.add(table)


def _store_maker(settings: Settings) -> StoreFactory:
    if settings.store == "memory":
        return lambda partition, changelog: MemoryStore()
    from streams.state_dir import StateDirectory

    return StateDirectory(settings).open


def _credentials(settings: Settings) -> Any:
    context = settings.ssl_context()
    if settings.sasl_mechanism is not None:
        assert settings.sasl_password is not None
        return faust.SASLCredentials(
            mechanism=settings.sasl_mechanism,
            username=settings.sasl_user,
            password=settings.sasl_password.get_secret_value(),
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
