"""Exit reasons as they travel: JSON, with texts cut to what a frame or a goodbye record has room for.

Exceptions travel as text only: their class may not be importable, or not safe to rebuild, in the process that reads this.
Pure; ``runtime/record.py`` writes the record, and the supervisor's ``autopsy.py`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from actors.exits import ExitKind, ExitReason

MAX_BYTES = 64 * 1024  # of a goodbye record
MAX_INNER = 8  # reasons below a reason that travel with it
MAX_NOTES = 8

# Characters of each text that travel.
LIMITS = {
    "signal": 32,
    "cause": 200,
    "exc_type": 200,
    "message": 4096,
    "traceback": 32 * 1024,
    "dump": 16 * 1024,
    "during": 600,
    "status": 200,
    "oom": 32,
    "child_id": 200,
}
NOTE_LIMIT = 1024
# Characters that no text is cut below: names of signals and the like stay whole.
LEAST = 32

_INTEGERS = ("incarnation", "pid", "exit_code", "errno", "count", "max_rss_bytes")
_NUMBERS = ("uptime", "period", "silent_for", "cpu_seconds")
_FLAGS = ("core", "requested", "stopped", "truncated")
_DEFAULTS = {field.name: field.default for field in attrs.fields(ExitReason)}


def to_json(reason: ExitReason) -> dict[str, Any]:
    """Return what ``from_json`` takes: values that JSON has, defaults left out, texts cut to what travels."""
    return _facts(bounded(reason, 1))


def to_json_within(reason: ExitReason, limit: int) -> dict[str, Any]:
    """Return what ``to_json`` does, with texts cut until it takes at most *limit* bytes; of a low limit, the kind is left."""
    for divisor in (1, 4, 16, 64):
        facts = _facts(bounded(reason, divisor))
        if len(json.dumps(facts)) <= limit:  # all of it is ASCII
            return facts
    return {"kind": str(reason.kind), "truncated": True}


def to_bytes(reason: ExitReason) -> bytes:
    """Return what ``from_bytes`` takes, at most ``MAX_BYTES``; the longest texts are cut further if need be."""
    return json.dumps(to_json_within(reason, MAX_BYTES)).encode()


def from_json(facts: Mapping[str, Any]) -> ExitReason:
    """Return the reason that ``to_json`` made *facts* of.

    A key that is unknown, and a value of another type than ours, are ignored; texts are cut.

    Raises:
        ValueError: There is no kind, or none that we know.
    """
    return bounded(_read(facts, MAX_INNER + 1), 1)


def from_bytes(data: bytes) -> ExitReason | None:
    """Return the reason that ``to_bytes`` made *data* of; None for anything else, such as half a record."""
    if len(data) > MAX_BYTES:
        return None
    try:
        facts = json.loads(data)
        return from_json(facts) if isinstance(facts, dict) else None
    except (ValueError, RecursionError):
        return None


def bounded(reason: ExitReason, divisor: int, depth: int = MAX_INNER) -> ExitReason:
    """Return *reason* with texts of at most their limit divided by *divisor*, but for short ones."""
    values: dict[str, Any] = {}
    for name, limit in LIMITS.items():
        text = getattr(reason, name)
        kept = max(limit // divisor, LEAST)
        if text is not None and len(text) > kept:
            # The end of a traceback says what went wrong; everything else does so at its beginning.
            values[name] = (
                text[len(text) - kept :] if name == "traceback" else text[:kept]
            )
    notes = tuple(note[: NOTE_LIMIT // divisor] for note in reason.notes[:MAX_NOTES])
    if notes != reason.notes:
        values["notes"] = notes
    inner = (
        bounded(reason.inner, divisor, depth - 1)
        if reason.inner is not None and depth
        else None
    )
    is_cut = bool(values) or (inner is None and reason.inner is not None)
    return attrs.evolve(
        reason, **values, inner=inner, truncated=reason.truncated or is_cut
    )


def _read(facts: Mapping[str, Any], depth: int) -> ExitReason:
    values: dict[str, Any] = {}
    for names, types in (
        (LIMITS, str),
        (_INTEGERS, int),
        (_NUMBERS, (int, float)),
        (_FLAGS, bool),
    ):
        for name in names:
            value = facts.get(name)
            if isinstance(value, types) and (
                types is bool or not isinstance(value, bool)
            ):
                values[name] = value
    notes = facts.get("notes")
    if isinstance(notes, list):
        values["notes"] = tuple(note for note in notes if isinstance(note, str))
    inner = facts.get("inner")
    if isinstance(inner, dict) and depth:
        values["inner"] = _read(inner, depth - 1)
    return ExitReason(ExitKind(str(facts.get("kind"))), **values)


def _facts(reason: ExitReason) -> dict[str, Any]:
    values = attrs.asdict(reason, recurse=False)
    facts = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
    facts["kind"] = str(reason.kind)
    if reason.notes:
        facts["notes"] = list(reason.notes)
    if reason.inner is not None:
        facts["inner"] = _facts(reason.inner)
    return facts
