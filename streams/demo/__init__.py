"""The demo and the development stack: every process of the product and simulated platforms, on one machine."""

from streams.demo.run import run_demo, run_dev

__all__ = ["run_demo", "run_dev"]
