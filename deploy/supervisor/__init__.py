"""Keeps the processes of one machine running: starts in order, restarts what dies, stops in order."""

from deploy.supervisor.child import ChildSpec, ChildStatus, State
from deploy.supervisor.supervisor import Supervisor

__all__ = ["ChildSpec", "ChildStatus", "State", "Supervisor"]
