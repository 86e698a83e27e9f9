"""A worker: the app with its agents, run until a signal or the first failure."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Final, cast

import uvloop

import compiled
from agents.accounts import add_accounts_agent
from agents.fold import TaskState as FoldState
from engine.decide import Engine
from schemas.topics import LINKS, TASK
from schemas.wire import read_ahead
from streams.app import EXIT_BUG, StreamApp, make_app
from streams.connection import report_broken_connections
from streams.io_process import IoProcess
from streams.io_server import ReadAhead
from streams.settings import Settings
from streams.store import Store
from streams.task import TaskFactory, TaskState

log = logging.getLogger(__name__)

STOP_SECONDS_MAX: Final = 20.0
LEAVE_SECONDS_MAX: Final = 5.0


def loyalty_task(engine: Engine) -> TaskFactory:
    """What makes the state of a task that decides with `engine`."""

    def new_task(partition: int, store: Store) -> TaskState:
        # The stream's records are read-only views with the very attributes that the fold asks for.
        return cast(TaskState, FoldState(store, engine))

    return new_task


def reading_ahead() -> Mapping[str, ReadAhead]:
    """What the I/O process reads of events ahead, by topic: what the fold would have to."""
    return {topic.name: read_ahead for topic in TASK if topic is not LINKS}


def run_worker(
    settings: Settings, new_task: TaskFactory, ahead: Mapping[str, ReadAhead] | None = None
) -> int:
    """Run a worker until SIGTERM or SIGINT (returns 0) or until something fails (returns the exit status).

    `new_task` makes the state that decides: `loyalty_task(engine)`, or a toy in a test. Records of the topics in
    `ahead` come with what is read of them ahead. Once it has begun to stop, the process ends within seconds, whatever hangs.

    Raises SettingsError when the TLS files cannot be used.
    """
    set_up_logging(settings.log_level)
    report_broken_connections()
    _search_cycles_seldom()
    io = IoProcess(settings, ahead or {})
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        return asyncio.run(_serve(settings, io, new_task))
    finally:
        io.end()


def set_up_logging(level: str) -> None:
    """Log to stderr. The libraries' own debug lines would show keys and values, so they stay at warnings."""
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)-8s %(name)s: %(message)s", force=True
    )
    for library in ("aiokafka", "faust", "mode", "asyncio"):
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_ours)
    # It warns of every produce request that it is about to repeat; when repeating fails, the batch fails.
    logging.getLogger("aiokafka.producer.sender").setLevel(logging.ERROR)


def _is_ours(record: logging.LogRecord) -> bool:
    """Not the services' small talk of starting and stopping, which begins with their place in a tree."""
    return record.levelno >= logging.WARNING or not str(record.msg).startswith("[^")


def _search_cycles_seldom() -> None:
    """Rows, events and records form no cycles, and there are millions of them: looking there costs a third of
    the fold's time, and a tenth where compiled classes say so themselves. What Faust and asyncio make does form
    some, a few a batch, so the search is not switched off: it begins beyond what a full batch has in use at once."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)


async def _serve(settings: Settings, io: IoProcess, new_task: TaskFactory) -> int:
    await io.connect()
    app = make_app(settings, io, new_task)
    add_accounts_agent(app)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info(
        "starting: %s on %s, batches of at most %d records, %s",
        settings.application_id,
        settings.bootstrap,
        settings.batch_records_max,
        "in Python" if compiled.in_use() is None else "compiled",
    )
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(app.failed.wait())]
    starting = asyncio.ensure_future(app.start())
    try:
        await asyncio.wait([starting, *waits], return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and not stop.is_set():
            starting.result()
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    except Exception as error:
        app.fail(error)
    _end_after(STOP_SECONDS_MAX if app.failure is None else LEAVE_SECONDS_MAX, app)
    await _stop(app)
    log.info("stopped")
    return _status(app, 0)


def _status(app: StreamApp, unless_failed: int) -> int:
    return unless_failed if app.failure is None else app.failure.exit_status


async def _stop(app: StreamApp) -> None:
    """Let running batches finish and leave the group, so that others take over at once."""
    try:
        await app.stop()
    except Exception as error:
        log.warning("while stopping: %r", error)


def _end_after(seconds: float, app: StreamApp) -> None:
    """End the process for certain, whatever hangs: nothing uncommitted is lost by it."""
    # The status is asked for in the end: a worker may be fenced while it stops.
    timer = threading.Timer(seconds, lambda: os._exit(_status(app, EXIT_BUG)))
    timer.daemon = True
    timer.start()
