"""Faust's table manager with the lane's recovery."""

from __future__ import annotations

from faust.tables.manager import TableManager as FaustTableManager

from streams.lane.recovery import Recovery


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
        """Subscribe and wait for the first assignment."""
        await self._update_channels()
        await self.recovery.start()
