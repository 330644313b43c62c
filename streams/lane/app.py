"""The Faust app that the lane runs in."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, NoReturn

import faust
from faust.types.auth import CredentialsT
from yarl import URL

from streams.lane.errors import EXIT_BUG, Refused, stop_refused
from streams.lane.lane import Lane
from streams.lane.settings import LaneSettings
from streams.lane.tables import TableManager
from streams.lane.transport import Transport

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1", "rocksdict": "0.3.29"}

# The consumer's thread decodes batches; with Python's 5 ms it would keep every socket call of the main loop waiting.
_GIL_SWITCH_S = 0.0005

log = logging.getLogger(__name__)


def check_versions() -> None:
    """Raise Refused unless exactly the pinned versions are installed, whose internals the lane overrides."""
    wrong = [f"{name} {version(name)} (need {need})" for name, need in PINNED.items() if version(name) != need]
    if wrong:
        raise Refused(f"Installed versions do not fit: {', '.join(wrong)}. Install the pinned ones.")


def lock_directory(directory: Path) -> IO[bytes]:
    """Hold the directory while the returned file is open. Raises Refused if another process holds it."""
    directory.mkdir(parents=True, exist_ok=True)
    held = (directory / "lock").open("wb")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise Refused(
            f"{directory} is in use by another worker. Give each worker a data directory of its own."
        ) from None
    return held


class LaneApp(faust.App):
    """A Faust app with a lane. Ends the process when a stop takes longer than `stop_timeout_s`."""

    lane: Lane

    _watch: threading.Timer | None = None
    _directory_lock: IO[bytes] | None = None

    async def on_first_start(self) -> None:
        """Take the data directory for this process alone, and hear signals even when the event loop is stuck."""
        await super().on_first_start()
        try:
            self._directory_lock = lock_directory(Path(self.lane.settings.datadir))
        except Refused as error:
            stop_refused(log, error)
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) not in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler):
                # Between any two bytecodes. The handler of asyncio in its place does nothing: it reads the wakeup fd.
                signal.signal(number, self._bound_stop)

    async def on_stop(self) -> None:
        """Finish the batches in hand, commit, and leave; bounded."""
        self._bound_stop()
        await super().on_stop()

    def _bound_stop(self, *_: object) -> None:
        if self._watch is None:
            self._watch = threading.Timer(self.lane.settings.stop_timeout_s, _give_up)
            self._watch.daemon = True
            self._watch.start()


def make_app(settings: LaneSettings, credentials: CredentialsT | None = None, **options: Any) -> LaneApp:
    """A Faust app whose transport moves record batches.

    `credentials` are Faust's, for every connection. `options` go to `faust.App`. Exits with one sentence on
    versions that do not fit.
    """
    try:
        check_versions()
    except Refused as error:
        stop_refused(log, error)
    app = LaneApp(settings.app_id, **{**_options(settings), "broker_credentials": credentials, **options})
    app.lane = Lane(app, settings)
    app.transport = Transport(app.conf.broker_consumer, app)
    app.producer_transport = app.transport
    return app


def run(app: LaneApp, loglevel: str = "info") -> NoReturn:
    """Run the worker until SIGTERM or SIGINT; exits 0 after a clean stop."""
    sys.setswitchinterval(_GIL_SWITCH_S)
    worker = app.Worker(loglevel=loglevel, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.execute_from_commandline()


def _give_up() -> None:
    log.critical("The stop took too long; ending now. Nothing unfinished was acknowledged.")
    logging.shutdown()
    os._exit(EXIT_BUG)


def _options(settings: LaneSettings) -> dict[str, Any]:
    return {
        "broker": [URL(f"kafka://{server.strip()}") for server in settings.bootstrap.split(",")],
        "datadir": settings.datadir,
        "autodiscover": False,
        "store": "memory://",  # the lane's tables bring their own
        "TableManager": TableManager,
        "table_standby_replicas": 0,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "consumer_auto_offset_reset": "earliest",
        "worker_redirect_stdouts": False,
        **_broker_options(settings),
        **_web_options(settings),
    }


def _broker_options(settings: LaneSettings) -> dict[str, Any]:
    return {
        "broker_session_timeout": settings.session_timeout_s,
        "broker_rebalance_timeout": settings.rebalance_timeout_s,
        "broker_heartbeat_interval": settings.heartbeat_s,
        "broker_request_timeout": max(settings.request_timeout_s, settings.session_timeout_s),
        "broker_commit_interval": settings.commit_interval_s,
        "consumer_max_fetch_size": settings.partition_fetch_max_bytes,
        "producer_max_batch_size": settings.producer_batch_bytes,
        "producer_compression_type": settings.compression,
        "producer_request_timeout": settings.delivery_timeout_s,
    }


def _web_options(settings: LaneSettings) -> dict[str, Any]:
    return {
        "web_enabled": settings.web_enabled,
        "web_bind": settings.web_host,
        "web_port": settings.web_port,
        "canonical_url": settings.node_url or f"http://{settings.web_host}:{settings.web_port}",
        "web_tables_enabled": False,
        "web_graph_enabled": False,
        "web_router_enabled": False,
        "web_stats_enabled": False,
    }
