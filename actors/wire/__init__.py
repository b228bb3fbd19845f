"""From messages to bytes and back; the only place that unpickles is ``codec.py``."""
