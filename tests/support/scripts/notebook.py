"""Runs the cells of a file in ``__main__`` one after the other, as a notebook does: ``python notebook.py FILE``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    main = sys.modules["__main__"]
    del main.__file__  # a notebook has none
    for number, cell in enumerate(Path(sys.argv[1]).read_text().split("# %%\n")):
        future = "" if number < 2 else "from __future__ import annotations\n"
        code = compile(future + cell, f"<cell {number}>", "exec")
        exec(code, vars(main))
