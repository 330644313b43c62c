"""The one table of postal codes, and that its documentation is the same table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.connectors.verdicts import NO_CANDIDATE, NOT_CHECKED, TABLE, DpvCodes, ambiguous, graded

DOCUMENT = Path(__file__).parents[3] / "docs" / "validation.md"


@pytest.mark.parametrize(
    ("codes", "grade", "confidence", "deliverable"),
    [
        (DpvCodes("Y", "AABB", "Y", "N"), "confirmed", 0.98, True),
        (DpvCodes("Y", "AABB"), "confirmed", 0.98, True),
        (DpvCodes("Y", "AABBRR", "Y", "N"), "confirmed", 0.98, True),
        (DpvCodes("Y", "AABBR1", "Y", "N"), "mailbox_missing", 0.70, None),
        (DpvCodes("Y", "AABB", "N", "N"), "inactive", 0.60, None),
        (DpvCodes("Y", "AABB", "Y", "Y"), "vacant", 0.60, None),
        (DpvCodes("Y", "AABBR7", "Y", "N"), "no_delivery", 0.60, False),
        (DpvCodes("Y", "AAF1", "Y", "N"), "military", 0.95, True),
        (DpvCodes("Y", "AAU1", "Y", "N"), "confirmed_by_zip", 0.90, True),
        (DpvCodes("Y", "AAG1", "Y", "N"), "confirmed_by_zip", 0.90, True),
        (DpvCodes("Y", "", None, None), "confirmed_barely", 0.80, True),
        (DpvCodes("S", "AACC", "Y", "N"), "unit_unknown", 0.70, None),
        (DpvCodes("S", "AAC1", "Y", "N"), "unit_unknown", 0.70, None),
        (DpvCodes("D", "AAN1", "Y", "N"), "unit_missing", 0.60, None),
        (DpvCodes("N", "AAM3", "Y", "N"), "not_confirmed", 0.15, False),
        (DpvCodes("", "A1"), "not_checked", 0.15, None),
        (DpvCodes(None, None), "not_checked", 0.15, None),
        (DpvCodes("Z", "AABB"), "not_checked", 0.15, None),
    ],
)
def test_each_combination_of_codes_has_its_grade(
    codes: DpvCodes, grade: str, confidence: float, deliverable: bool | None
):
    found = graded(codes)

    assert (found.name, found.confidence, found.deliverable) == (grade, confidence, deliverable)


def test_footnotes_are_read_two_letters_at_a_time():
    assert graded(DpvCodes("Y", "AABBR7")).name == "no_delivery"
    assert graded(DpvCodes("Y", "XR7AABB")).name == "confirmed_barely"


def test_only_a_confirmed_address_may_be_rewritten():
    assert {grade.name for grade, fits in TABLE if grade.standard and not fits(DpvCodes("Y", "AABB"))} <= {
        "inactive", "vacant", "military", "mailbox_missing", "confirmed_by_zip", "confirmed_barely"
    }  # fmt: skip
    assert not any(graded(DpvCodes(code, "AABB")).standard for code in ("S", "D", "N", "", None))


def test_the_document_shows_the_same_table():
    told = {"yes": True, "no": False, "unknown": None}
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\d.]+) \| (\w+) \| (\w+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    shown = {name: (float(confidence), told[deliverable], told[form]) for name, confidence, deliverable, form in rows}

    grades = [*(grade for grade, _ in TABLE), NOT_CHECKED, NO_CANDIDATE]
    expected = {grade.name: (grade.confidence, grade.deliverable, grade.standard) for grade in grades}

    assert {**shown, "ambiguous": None} == {**expected, "ambiguous": None}


def test_several_candidates_are_worth_half_at_most():
    assert ambiguous(graded(DpvCodes("Y", "AABB"))).confidence == 0.5
    assert ambiguous(NOT_CHECKED).confidence == 0.15
