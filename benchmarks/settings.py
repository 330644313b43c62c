"""What one run of the throughput comparison is made of, handed to each contender as JSON."""

import msgspec

PARTITIONS = 4


class Contest(msgspec.Struct, frozen=True):
    """One contender's task: fold every record of `topic` and write what the core says.

    `binding`: find the customer of each record by its identity row first.
    """

    bootstrap: str
    topic: str
    group: str
    directory: str
    outputs: tuple[str, ...]
    partitions: int = PARTITIONS
    deciders: int = 0
    binding: bool = False
