"""Candidates to a verdict, by the shared table of postal codes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.connectors.smarty.standard import Components, standard_form
from streams.connectors.verdicts import NO_CANDIDATE, DpvCodes, Grade, ambiguous, graded
from streams.model import Address


class Analysis(msgspec.Struct, frozen=True):
    """The codes of a candidate; each may be left out."""

    dpv_match_code: str | None = None
    dpv_footnotes: str | None = None
    dpv_vacant: str | None = None
    active: str | None = None


class Candidate(msgspec.Struct, frozen=True):
    """One answer to one lookup, which it names by its place in the request."""

    input_index: int
    delivery_line_1: str | None = None
    delivery_line_2: str | None = None
    components: Components = Components()
    analysis: Analysis = Analysis()

    def grade(self) -> Grade:
        codes = self.analysis
        return graded(DpvCodes(codes.dpv_match_code, codes.dpv_footnotes, codes.active, codes.dpv_vacant))


class Judgement(msgspec.Struct, frozen=True):
    """What a validator's answer says of one address."""

    grade: Grade
    standardized: Address | None


def judged(given: Address, candidates: Sequence[Candidate]) -> Judgement:
    """The judgement of one lookup's candidates: none, one, or several, which is no answer."""
    if not candidates:
        return Judgement(NO_CANDIDATE, None)
    if len(candidates) > 1:
        best = max((candidate.grade() for candidate in candidates), key=lambda grade: grade.confidence)
        return Judgement(ambiguous(best), None)
    only = candidates[0]
    grade = only.grade()
    if not (grade.standard and only.delivery_line_1):
        return Judgement(grade, None)
    lines = (only.delivery_line_1, only.delivery_line_2 or "")
    return Judgement(grade, standard_form(given, *lines, only.components))
