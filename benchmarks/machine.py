"""The machine and the versions that a measurement is worth nothing without (Linux)."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from benchmarks.race import ask
from streams.brokers import ApacheKafka

_PACKAGES = ("faust-streaming", "aiokafka", "rocksdict", "msgspec")
_QUIX_PACKAGES = ("quixstreams", "confluent-kafka")
_VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


def facts(home: Path, quix_python: str | None) -> dict[str, str]:
    """Name -> value, in the order to show them."""
    found = {
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "Memory": f"{_memory_gb():.0f} GB",
        "System": f"{platform.system()} {platform.release()}",
        "Load at the start": f"{os.getloadavg()[0]:.1f} (1 minute)",
        "Python": platform.python_version(),
        "Apache Kafka": ApacheKafka.version(),
    }
    found["The core"] = "compiled with mypyc" if list(home.glob("streams/core/*.so")) else "plain Python"
    found.update({name: version(name) for name in _PACKAGES})
    if quix_python:
        found.update(ask([quix_python, "-c", _VERSIONS, *_QUIX_PACKAGES], home))
    return found


def _cpu_model() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
