"""Every scenario file, through the same code as the engine. None is pending."""

from __future__ import annotations

import pytest

from tests.scenarios import runner


@pytest.mark.parametrize("name", runner.names())
def test_the_scenario_ends_as_it_says(name: str) -> None:
    problems, _ = runner.run(runner.load(name))

    assert problems == []


@pytest.mark.parametrize("name", runner.names())
def test_every_order_of_the_scenario_ends_in_the_same_digest(name: str) -> None:
    case = runner.load(name)
    _, digest = runner.run(case)

    outcomes = [runner.run(case, order) for order in case.orders]

    assert outcomes == [([], digest) for _ in case.orders]
