"""Leaves a thread behind when it is imported."""

from __future__ import annotations

import threading

threading.Thread(target=threading.Event().wait, name="left", daemon=True).start()
