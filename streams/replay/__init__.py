"""The pipeline without a broker, for trying a policy on recorded topics and for regression tests."""

from streams.replay.files import replay
from streams.replay.pipeline import Output, Pipeline

__all__ = ["Output", "Pipeline", "replay"]
