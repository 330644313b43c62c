"""A sum over records that is the same in whatever order they come, and however they are spread over topics."""

import hashlib

_MODULUS = 1 << 128


class Digest:
    """Equal digests and counts: the same records with the same keys and bytes."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, key: bytes, value: bytes) -> None:
        self.count += 1
        content = hashlib.blake2b(key + b"\0" + value, digest_size=16).digest()
        self._sum = (self._sum + int.from_bytes(content)) % _MODULUS

    def __str__(self) -> str:
        return f"{self._sum:032x}"
