"""Which identifiers of a change may bind its record, and the identity rows that they are kept under (I1, I2)."""

from __future__ import annotations

from streams.core import canonical
from streams.core.rules import Policy
from streams.model import Change


def identifier_keys(change: Change, policy: Policy) -> list[str]:
    """The rows of the change's usable identifiers, in the policy's order (I1); blocked values are left out (I2)."""
    found: list[str] = []
    for kind in policy.identity.match:
        for given in getattr(change.identifiers, kind):
            key = _identifier_key(kind, given, policy)
            if key is not None and key != change.record and key not in found:
                found.append(key)
    return found


def ignored_identifiers(change: Change, policy: Policy) -> list[str]:
    """Why identifiers of the change bind nobody: `<kind>: blocked` or `<kind>: not usable`, never the value."""
    found: list[str] = []
    for kind in policy.identity.match:
        for given in getattr(change.identifiers, kind):
            if given.strip() and _identifier_key(kind, given, policy) is None:
                digits = "".join(one for one in given if one.isdigit())
                why = "blocked" if _blocked(policy, given, given.strip().lower(), digits) else "not usable"
                found.append(f"{kind}: {why}")
    return found


def _identifier_key(kind: str, given: str, policy: Policy) -> str | None:
    if kind == "external":
        value = given.strip()
        return value if value and not value.startswith("@") and not _blocked(policy, value) else None
    if kind == "email":
        value = canonical.email(given)
        usable = canonical.is_email(value) and not _blocked(policy, given, value)
    else:
        value = canonical.phone(given, policy.default_region)
        digits = "".join(one for one in given if one.isdigit())
        usable = canonical.is_phone(value) and not _blocked(policy, given, value, digits)
    return f"@{kind}:{value}" if usable else None


def _blocked(policy: Policy, *forms: str) -> bool:
    return any(pattern.search(form) for pattern in policy.identity.blocked for form in forms)
