"""``python -m dualdag``."""

from __future__ import annotations

from dualdag.cli import main

if __name__ == "__main__":
    main()
