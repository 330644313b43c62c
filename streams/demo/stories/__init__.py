"""The stories: who does what at which platform, and what every platform must hold in the end."""

from streams.demo.stories.addresses import CHECKOUT, UNVERIFIED
from streams.demo.stories.consent import OPT_OUT
from streams.demo.stories.erasing import FORGOTTEN
from streams.demo.stories.garbage import GARBAGE
from streams.demo.stories.loops import NO_LOOP
from streams.demo.stories.merging import ONE_CUSTOMER
from streams.demo.stories.outage import OUTAGE
from streams.demo.stories.story import Row, Story, Told
from streams.demo.stories.unlinking import WRONG_LINK

IDENTITY = (ONE_CUSTOMER, WRONG_LINK, FORGOTTEN)
STORIES = (CHECKOUT, UNVERIFIED, OPT_OUT, NO_LOOP, OUTAGE, GARBAGE, *IDENTITY)

__all__ = [
    "CHECKOUT",
    "FORGOTTEN",
    "GARBAGE",
    "IDENTITY",
    "NO_LOOP",
    "ONE_CUSTOMER",
    "OPT_OUT",
    "OUTAGE",
    "STORIES",
    "UNVERIFIED",
    "WRONG_LINK",
    "Row",
    "Story",
    "Told",
]
