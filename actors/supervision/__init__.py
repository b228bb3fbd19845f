"""Supervision: decisions as pure functions of values, effects in thin modules."""
