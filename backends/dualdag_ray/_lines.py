"""What an error of Ray's says, line by line."""

from __future__ import annotations

import re

__all__ = ["lines"]


def lines(error: BaseException) -> list[str]:
    """Return the lines of an error's message that say something, without colours; one empty line where none does.

    Parameters
    ----------
    error : BaseException
        Of Ray's, often with a whole traceback of another process as its message.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return [line.strip() for line in plain.splitlines() if line.strip()] or [""]
