"""One Metadata request on a plain socket: is somebody there, and is it the cluster that we started?"""

import socket
import struct

_METADATA = struct.pack(">hhih", 3, 2, 1, -1) + struct.pack(">i", 0)  # key, version, correlation, no client, no topic


def free_port() -> int:
    """A loopback port that was free a moment ago; whoever starts a broker on it must check that it got it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def cluster_id(port: int, timeout_s: float) -> str | None:
    """Id of the cluster on that port if it has at least one live broker; None if nobody answers so."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
            return _cluster_of(_frame(connection))
    except (OSError, struct.error):
        return None


def _frame(connection: socket.socket) -> bytes:
    (length,) = struct.unpack(">i", _exactly(connection, 4))
    return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise ConnectionError("closed in mid-answer")
        received += chunk
    return received


def _cluster_of(answer: bytes) -> str | None:
    """Metadata v2: correlation, [node_id, host, port, rack], cluster_id, …"""
    (brokers,) = struct.unpack_from(">i", answer, 4)
    at = 8
    for _ in range(brokers):
        _, at = _text(answer, at + 4)
        _, at = _text(answer, at + 4)
    return _text(answer, at)[0] if brokers > 0 else None


def _text(answer: bytes, at: int) -> tuple[str | None, int]:
    (length,) = struct.unpack_from(">h", answer, at)
    end = at + 2 + max(length, 0)
    return (None if length < 0 else answer[at + 2 : end].decode()), end
