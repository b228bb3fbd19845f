"""Pools: several workers of one class behind one handle."""
