"""Two Hypothesis profiles: `quick` is the same examples every time; `hunt` looks for new ones, and longer."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example]

settings.register_profile(
    "quick", max_examples=30, derandomize=True, deadline=None, database=None, suppress_health_check=SLOW
)
settings.register_profile("hunt", max_examples=3000, deadline=None, database=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("WRITEBACK_TEST_PROFILE", "quick"))
