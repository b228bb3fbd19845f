"""The requests of actors that want to hear of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.supervision.child import Asker
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.watches import Watcher

Handle = Callable[[Asker, int, dict[str, Any], bytes], None]


class Watching:
    """Carries out the requests to watch."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        """Let actors watch the children of *lifecycle*."""
        self._lifecycle = lifecycle
        self.requests: dict[str, Handle] = {
            "watch": self._on_watch,
            "unwatch": self._on_unwatch,
        }

    def _on_watch(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        lifecycle, number = self._lifecycle, facts["number"]
        watcher = Watcher(sender, facts["watch"], facts["method"], facts["is_close"])
        if lifecycle.living(number) is not None:
            lifecycle.watches.add(watcher, number)
            return
        child = lifecycle.children.get(number)
        incarnation = 0 if child is None else child.incarnation
        reason = lifecycle.reason_of(number)
        lifecycle.watches.tell_end(watcher, reason.incarnation or incarnation, reason)

    def _on_unwatch(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._lifecycle.watches.remove(sender, facts["watch"])
