"""Measurements: the engine beside what else could run the same core, and how soon a webhook arrives.

python -m benchmarks            # everything, and docs/benchmarks.md
python -m benchmarks --help
"""
