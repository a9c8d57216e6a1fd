"""The key-encryption key, which opens everything: in a file, in the environment, or kept by a command.

Whoever loses it loses the members; whoever has it beside a dump can read them. Where it is said is deploy/kek.py.
"""

from members.kek.changing import ChangingKek
from members.kek.command import CommandKek
from members.kek.local import Kek
from members.kek.provider import KekProvider

__all__ = ["ChangingKek", "CommandKek", "Kek", "KekProvider"]
