"""Faust's table manager with the lane's recovery."""

from __future__ import annotations

import logging
from typing import cast

from faust.tables.manager import TableManager as FaustTableManager
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from streams.lane.errors import Refused, stop_refused
from streams.lane.lane import lane_of
from streams.lane.recovery import Recovery
from streams.lane.table import BatchTable
from streams.lane.topics import require_topics

log = logging.getLogger(__name__)


class TableManager(FaustTableManager):
    """Recovers batch tables at lane speed, and does not sleep a second before it starts."""

    _recovery: Recovery | None = None

    @property
    def recovery(self) -> Recovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """Check the topics, subscribe, and wait for the first assignment.

        The check comes before the subscription, at which many brokers would create what is missing.
        """
        try:
            await self._require_topics()
        except Refused as error:
            stop_refused(log, error)
        await self._update_channels()
        await self.recovery.start()

    async def _require_topics(self) -> None:
        lane, conf = lane_of(self.app), self.app.conf
        changelogs = [cast(BatchTable, table).spec for table in self.values()]
        auth = credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context)
        await require_topics(lane.settings.bootstrap, [*lane.topics.values(), *changelogs], auth)
