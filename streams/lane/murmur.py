"""The partition of a key, as Java's default partitioner computes it."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_CACHE_MAX: Final = 65_536
_KEY_CACHED_MAX_BYTES: Final = 128


def murmur2(key: bytes) -> int:
    """Kafka's 32 bit murmur2 of the key, unsigned."""
    length: i64 = len(key)
    whole: i64 = length & ~3
    at: i64 = 0
    h: i64 = _SEED ^ length
    while at < whole:
        k: i64 = i64(key[at]) | i64(key[at + 1]) << 8 | i64(key[at + 2]) << 16 | i64(key[at + 3]) << 24
        k = k * _M & _MASK  # below 2^63: a product of 32 and 31 bits
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
        at += 4
    if at < length:
        tail: i64 = 0
        while length > at:
            length -= 1
            tail = tail << 8 | i64(key[length])
        h = (h ^ tail) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of `partitions`; the same as Java, aiokafka and `murmur2_random` choose."""
    positive = _known.get(key)
    if positive is None:
        positive = murmur2(key) & 0x7FFFFFFF
        if len(key) <= _KEY_CACHED_MAX_BYTES:
            if len(_known) >= _CACHE_MAX:
                _known.clear()
            _known[key] = positive
    return positive % partitions


# A dict: the compiled code would call an lru_cache slowly.
_known: Final[dict[bytes, int]] = {}
