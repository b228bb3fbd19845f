"""Reasons for which actors end, one of each sort that is told apart."""

from __future__ import annotations

from actors.exits import ExitKind, ExitReason

NORMAL = ExitReason(ExitKind.NORMAL)
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN)
INFO = ExitReason(ExitKind.SHUTDOWN_INFO, message="done for today")
RAISED = ExitReason(ExitKind.EXCEPTION, exc_type="ValueError", message="bad order id")
TOO_LATE = ExitReason(ExitKind.KILLED, cause="shutdown_timeout")
SILENT = ExitReason(ExitKind.HEARTBEAT_LOST)
LINKED = ExitReason(ExitKind.LINKED, child_id="b")
