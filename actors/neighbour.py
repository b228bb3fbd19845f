"""Makes sure that the package ``transports`` is ours before anything is imported from it.

Other distributions, and files of users, have the same name; what they lack would be a riddle.
"""

from __future__ import annotations

import os

import transports


def check(ours: str, theirs: str) -> None:
    """Refuse a ``transports`` at *theirs* that does not lie beside ``actors`` at *ours*.

    Raises:
        ImportError: It does not.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(ours)))  # noqa: PTH100, PTH120 - runs in every process
    if os.path.dirname(os.path.dirname(os.path.abspath(theirs))) != home:  # noqa: PTH100, PTH120 - likewise
        msg = (
            f"actors needs its own package transports, in {home}, and found another one: {theirs}; "
            "rename that one, or run 'pip uninstall transports' if it was installed"
        )
        raise ImportError(msg)


check(__file__, transports.__file__ or "")
