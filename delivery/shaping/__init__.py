"""How politely each large receiver is sent to, and what its words call for: the rule file, checked and compiled."""

from delivery.shaping.limits import Limits
from delivery.shaping.responses import Rule
from delivery.shaping.shaping import Shaping, load

__all__ = ["Limits", "Rule", "Shaping", "load"]
