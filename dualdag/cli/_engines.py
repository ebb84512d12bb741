"""What `dualdag doctor` tells of engines: whether each is installed, what a run would reach, and whether that works."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, NamedTuple

from dualdag.config import environment, settings
from dualdag.errors import BackendError, BackendNotInstalledError, DualdagError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Found", "engines"]

_PACKAGES = {"dask": ("dask", "distributed"), "ray": ("ray",), "ray-workflow": ("ray",)}
_ADDRESSES = {"dask": "DASK_SCHEDULER_ADDRESS", "ray": "RAY_ADDRESS"}
_SCHEMES = {"tcp": "dask", "tls": "dask"}
#: Seconds that an address has to answer, and an engine to start, run one task and end.
_ANSWER, _START = 2.0, 120.0

_PROGRAM = """
import sys, time, dualdag
begun = time.monotonic()
one = dualdag.task(version=1)(abs)(-1)
found = dualdag.run(one, backend=sys.argv[1], workers=1, store=sys.argv[2], progress="off")
took = time.monotonic() - begun
dualdag.shutdown()
print(f"\\nran a task in {took:.1f} s" if found == 1 else f"\\n1 came back as {found!r}")
"""


class Found(NamedTuple):
    """What was found of one engine; `state` and `fix` as a check of the doctor has them."""

    name: str
    state: str
    text: str
    fix: str = ""


def engines(*, start: bool) -> Iterator[Found]:
    """Say of each engine's backend, and of each that another package offers, whether it works here.

    Parameters
    ----------
    start : bool
        Whether to start or join each and run a task; without, only what is quick is looked at.
    """
    others = [point.name for point in entry_points(group="dualdag.backends") if point.name not in _PACKAGES]
    for name in (*_PACKAGES, *others):
        yield _engine(name, start=start)


def _engine(name: str, *, start: bool) -> Found:
    from dualdag.execution import get_backend

    try:
        get_backend(name, workers=1)
    except BackendNotInstalledError as error:
        text = str(error)
        return Found(name, "missing", "not installed", text[max(text.find("pip install"), 0) :])
    except BackendError as error:
        # It is there and not for this environment, as workflows are on a newer Ray.
        what, _, fix = str(error).partition("pip install")
        fix = f"pip install{fix}".partition(", or ")[0] if fix else ""
        return Found(name, "missing", what.rstrip(" ."), fix)
    except Exception as error:  # noqa: BLE001 - another's code may raise anything
        return Found(name, "problem", f"{type(error).__name__}: {error}", f'pip install --upgrade "dualdag[{name}]"')
    versions = _versions(name)
    asked, how, fix = _reached(name)
    if fix:
        return Found(name, "problem", f"{versions}; {how}", fix)
    if not start:
        return Found(name, "ok", f"{versions}; {how}")
    works, told = _try(asked)
    fix = "" if works else f"see the message; the same by hand: DUALDAG_BACKEND={asked} dualdag run FLOW"
    return Found(name, "ok" if works else "problem", f"{versions}; {how}; {told}", fix)


def _versions(name: str) -> str:
    packages = _PACKAGES.get(name)
    if packages is None:
        homes = [p.dist for p in entry_points(group="dualdag.backends") if p.name == name and p.dist is not None]
        return f"{homes[0].name} {homes[0].version}" if homes else "installed"
    found = []
    for package in packages:
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)


def _reached(name: str) -> tuple[str, str, str]:
    """Return what a run is to be given, what it reaches, and what mends it where nothing is there."""
    asked, source = name, ""
    with suppress(DualdagError):
        chosen = settings().backend
        scheme = chosen.partition("://")[0] if isinstance(chosen, str) else ""
        if "://" in str(chosen) and _SCHEMES.get(scheme, scheme) == name:
            asked, source = chosen, "the settings"
    variable = _ADDRESSES.get(name, "")
    place = asked if source else environment().get(variable, "")
    if not place or place in {"dask://threads", "dask://sync", "local"}:
        where = "in this process" if place.startswith("dask://") else "a cluster of its own on this machine"
        return asked, f"a run {'is' if place.startswith('dask://') else 'starts'} {where}", ""
    source = source or variable
    if place == "auto" or _answers(place):
        return asked, f"a run joins {place} (from {source})", ""
    fix = f"start it there, or unset {source}" if source == variable else "start it there, or name another backend"
    return asked, f"nothing answers at {place} (from {source})", fix


def _answers(place: str) -> bool:
    host, _, port = place.rpartition("://")[2].partition("/")[0].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _try(asked: str) -> tuple[bool, str]:
    """Run a task on a backend in a process of its own, which can be ended whatever the engine does."""
    with (
        tempfile.TemporaryDirectory(prefix="dualdag-", ignore_cleanup_errors=True) as folder,
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _PROGRAM, asked, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            told, _ = process.communicate(timeout=_START)
        except subprocess.TimeoutExpired:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.communicate()
            return False, f"did not run a task within {_START:g} s"
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    last = lines[-1] if lines else f"ended with status {process.returncode}"
    return process.returncode == 0 and last.startswith("ran a task"), last
