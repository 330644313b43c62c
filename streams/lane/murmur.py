"""The partition of a key, as Java's default partitioner computes it."""

from __future__ import annotations

import struct
from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_CACHE_MAX = 65_536
_KEY_CACHED_MAX_BYTES = 128


def murmur2(key: bytes) -> int:
    """Kafka's 32 bit murmur2 of the key, unsigned."""
    length = len(key)
    words = length // 4
    h = _SEED ^ length
    for k in struct.unpack_from(f"<{words}I", key):
        k = k * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if tail := key[words * 4 :]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of `partitions`; the same as Java, aiokafka and `murmur2_random` choose."""
    positive = _positive_cached(key) if len(key) <= _KEY_CACHED_MAX_BYTES else _positive(key)
    return positive % partitions


def _positive(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


_positive_cached = lru_cache(_CACHE_MAX)(_positive)
