"""What works here, and the command that fixes what does not."""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dualdag import __version__
from dualdag.report import print_table

__all__ = ["Check", "examine", "show"]

_NEEDED = ("pandas", "numpy", "pyarrow", "fsspec", "msgspec", "blake3", "pebble", "cloudpickle")
_OPTIONAL = {"polars": "polars", "dask": "dask", "distributed": "dask", "ray": "ray", "s3fs": "s3"}
_BACKENDS = ("sync", "local", "processes", "dask", "ray")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    what : str
        What was looked at.
    ok : bool
        Whether it works, or is not needed.
    found : str
        What was found.
    fix : str
        The command that fixes it; empty where there is nothing to fix.
    """

    what: str
    ok: bool
    found: str
    fix: str = ""


def examine(store: str | None) -> list[Check]:
    """Look at versions, backends and the store.

    Parameters
    ----------
    store : str or None
        Which store; None takes that of the settings.
    """
    return [Check("python", True, platform.python_version()), Check("dualdag", True, __version__),
            *_packages(), *_backends(), *_store(store)]  # fmt: skip


def _packages() -> Iterator[Check]:
    for name in _NEEDED:
        try:
            yield Check(name, True, version(name))
        except PackageNotFoundError:
            yield Check(name, False, "not installed", f"pip install {name}")
    for name, extra in _OPTIONAL.items():
        try:
            yield Check(name, True, version(name))
        except PackageNotFoundError:
            yield Check(name, True, "not installed (optional)", f'pip install "dualdag[{extra}]"')


def _one() -> int:
    return 1


def _backends() -> Iterator[Check]:
    from dualdag import _api
    from dualdag.errors import BackendNotInstalledError
    from dualdag.graph import task

    for name in _BACKENDS:
        what = f"backend {name}"
        if name in _OPTIONAL:
            from dualdag.execution import get_backend

            try:
                get_backend(name, workers=1, options={})
                yield Check(what, True, "installed")
            except BackendNotInstalledError as error:
                yield Check(what, True, "not installed (optional)", str(error).rpartition(": ")[2])
            continue
        try:
            found = _api.run(
                task(version=1)(_one)(), backend=name, workers=1, store=f"memory://doctor-{uuid.uuid4().hex}",
                progress="off",
            )  # fmt: skip
            yield Check(what, found == 1, "works")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what there is to tell
            yield Check(what, False, f"{type(error).__name__}: {error}", "pip install --upgrade dualdag")


def _store(url: str | None) -> Iterator[Check]:
    import dualdag
    from dualdag.config import settings
    from dualdag.errors import DualdagError

    place = settings(store=url).store
    what = f"store {place}"
    try:
        found = dualdag.store(place).self_test()
    except DualdagError as error:
        yield Check(what, False, str(error), "dualdag doctor --store ANOTHER_FOLDER")
        return
    yield Check(what, True, found)


def show(checks: list[Check], *, as_json: bool) -> None:
    """Print what was found.

    Parameters
    ----------
    checks : list of Check
        What `examine` found.
    as_json : bool
        Whether to print one JSON document.
    """
    if as_json:
        document: dict[str, Any] = {"ok": all(c.ok for c in checks), "checks": [asdict(c) for c in checks]}
        print(json.dumps(document, indent=2))
        return
    rows = [[c.what, "ok" if c.ok else "PROBLEM", c.found, c.fix] for c in checks]
    print_table(["", "", "found", "to fix or add"], rows)
