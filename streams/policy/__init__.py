"""Policies: read, checked with all errors at once, and compiled to the tables that the core reads."""

from streams.policy.compile import compile_policy, load_policy, policy_of
from streams.policy.document import PolicyDocument, PolicyError, check_document, read_document

__all__ = [
    "PolicyDocument",
    "PolicyError",
    "check_document",
    "compile_policy",
    "load_policy",
    "policy_of",
    "read_document",
]
