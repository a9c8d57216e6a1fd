"""Proves that every row of the vault opens in its place, and that all that stands beside a profile is made of it.

`checks` judges one member's rows (pure) · `walk` streams all accounts through it, in bounded memory.
"""

from members.verification.checks import Fault
from members.verification.walk import Finding, verify_members

__all__ = ["Fault", "Finding", "verify_members"]
