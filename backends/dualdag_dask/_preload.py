"""Loaded first by each worker of a cluster of our own: Ctrl-C, which a terminal sends to all, is the driver's affair.

See https://docs.dask.org/en/stable/customize-initialization.html
"""

from __future__ import annotations

import signal
import threading
from contextlib import suppress

__all__: list[str] = []

if threading.current_thread() is threading.main_thread():
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
