"""No broker, no table, no log: the core itself over the same input, as the ceiling of one core of this machine.

Prints the count and the digest of its outputs, against which the outputs of the others are checked.
"""

import sys
import time

import msgspec

from benchmarks.digest import Digest
from benchmarks.generate import Keyed, changes
from benchmarks.subject import encode, fold


def run(count: int, customers: int, follows: float) -> dict[str, float | int | str]:
    """Fold in memory; the input is made and encoded before the clock starts."""
    inputs = [_record(keyed) for keyed in changes(count, customers, follows=follows)]
    states: dict[str, bytes] = {}
    digest = Digest()
    elapsed, cpu = time.monotonic(), time.process_time()
    for customer_id, change, timestamp_ms in inputs:
        states[customer_id], outs = fold(states.get(customer_id), change, timestamp_ms)
        for _, key, value in outs:
            digest.add(key, value)
    elapsed, cpu = time.monotonic() - elapsed, time.process_time() - cpu
    return {"elapsed_s": elapsed, "cpu_s": cpu, "outputs": digest.count, "digest": str(digest)}


def _record(keyed: Keyed) -> tuple[str, bytes, int]:
    return keyed.customer_id, encode(keyed.change), keyed.timestamp_ms


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))).decode() + "\n")
