"""Whether the plugin can be tested here."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

needs_plugin = pytest.mark.skipif(
    not entry_points(group="pytest11", name="actors"),
    reason="installed before there was a plugin: pip install -e . again",
)
