"""The six stories: who does what at which platform, and what every platform must hold in the end."""

from streams.demo.stories.addresses import CHECKOUT, UNVERIFIED
from streams.demo.stories.consent import OPT_OUT
from streams.demo.stories.garbage import GARBAGE
from streams.demo.stories.loops import NO_LOOP
from streams.demo.stories.outage import OUTAGE
from streams.demo.stories.story import Row, Story, Told

STORIES = (CHECKOUT, UNVERIFIED, OPT_OUT, NO_LOOP, OUTAGE, GARBAGE)

__all__ = ["STORIES", "CHECKOUT", "UNVERIFIED", "OPT_OUT", "NO_LOOP", "OUTAGE", "GARBAGE", "Row", "Story", "Told"]
