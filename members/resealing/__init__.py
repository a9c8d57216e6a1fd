"""Re-sealing: all members of an account brought over to its newest keys and protections, while everything goes on."""

from members.resealing.progress import Progress, load_progress
from members.resealing.run import reseal

__all__ = ["Progress", "load_progress", "reseal"]
