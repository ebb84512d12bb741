"""`dualdag doctor`: what works here, and the command that mends what does not."""

from __future__ import annotations

import platform
import uuid
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from dualdag import __version__
from dualdag.cli import _errors
from dualdag.cli._command import Answer
from dualdag.cli._engines import engines
from dualdag.errors import DualdagError
from dualdag.report import print_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Check", "examine", "of_checks"]

_NEEDED = (
    "pandas", "numpy", "pyarrow", "fsspec", "blake3", "msgspec", "cloudpickle", "click", "rich",
    "cronsim", "threadpoolctl", "jinja2", "graphviz-pure",
)  # fmt: skip
_OPTIONAL = {"polars": "polars", "dask": "dask", "distributed": "dask", "ray": "ray", "s3fs": "s3"}
_EMBEDDED = ("sync", "local", "processes")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    what : str
        What was looked at.
    state : {"ok", "missing", "problem"}
        Whether it works; ``"missing"`` is what nothing needs that you do not use.
    found : str
        What was found.
    fix : str
        The command that mends or adds it; empty where there is none to type.
    """

    what: str
    state: str
    found: str
    fix: str = ""


def examine(store: str | None, *, start: bool = False) -> list[Check]:
    """Look at versions, settings, backends and the store.

    Parameters
    ----------
    store : str or None
        Which store; None takes that of the settings.
    start : bool
        Whether to start or join each engine and run a task there.
    """
    system = f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
    return [
        Check("python", "ok", system),
        Check("dualdag", "ok", __version__),
        *_packages(),
        *_settings(),
        *_embedded(),
        *_engines(start=start),
        *_pictures(),
        *_store(store),
    ]


def _packages() -> Iterator[Check]:
    for name in _NEEDED:
        try:
            yield Check(name, "ok", version(name))
        except PackageNotFoundError:
            yield Check(name, "problem", "not installed", f"pip install {name}")
    for name, extra in _OPTIONAL.items():
        try:
            yield Check(name, "ok", version(name))
        except PackageNotFoundError:
            yield Check(name, "missing", "not installed", f'pip install "dualdag[{extra}]"')


def _settings() -> Iterator[Check]:
    from dualdag.config import settings

    try:
        chosen = settings()
    except DualdagError as error:
        yield Check("settings", "problem", str(error), "correct the setting that the line names")
        return
    yield Check("settings", "ok", f"backend {chosen.backend}, {chosen.workers} workers, engine {chosen.engine}")


def _one() -> int:
    return 1


def _embedded() -> Iterator[Check]:
    """Run a task on each embedded backend."""
    from dualdag import _api, execution
    from dualdag.graph import task

    for name in _EMBEDDED:
        place = f"memory://doctor-{uuid.uuid4().hex}"
        try:
            node = task(version=1)(_one)()
            found = _api.run(node, backend=name, workers=1, store=place, progress="off")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what there is to tell
            text = f"{type(error).__name__}: {error}"
            yield Check(f"backend {name}", "problem", text, "pip install --force-reinstall dualdag")
        else:
            state = "ok" if found == 1 else "problem"
            yield Check(f"backend {name}", state, "ran a task" if found == 1 else f"1 came back as {found!r}")
    execution.shutdown()


def _engines(*, start: bool) -> Iterator[Check]:
    for one in engines(start=start):
        yield Check(f"backend {one.name}", one.state, one.text, one.fix)


def _pictures() -> Iterator[Check]:
    from dualdag.graph import compile_graph, value
    from dualdag.report import draw

    try:
        draw(compile_graph([value(1)]), format="svg")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what there is to tell
        yield Check("pictures", "problem", str(error), "pip install --force-reinstall graphviz-pure")
    else:
        yield Check("pictures", "ok", "drawn")


def _store(url: str | None) -> Iterator[Check]:
    import dualdag
    from dualdag.config import settings

    place = url or ""
    try:
        place = settings(store=url).store
        found = dualdag.store(place).self_test()
    except DualdagError as error:
        text = str(error)
        at = text.find("pip install")
        fix = text[at:] if at >= 0 else "mend it, or name another: --store URL, DUALDAG_STORE=URL"
        yield Check(f"store {place}", "problem", text, fix)
    else:
        yield Check(f"store {place}", "ok", found)


def of_checks(checks: Sequence[Check]) -> Answer:
    """Return what was found; with a problem the command ends with a status of its own.

    Parameters
    ----------
    checks : sequence of Check
        From `examine`.
    """
    fine = all(check.state != "problem" for check in checks)
    document = {"ok": fine, "checks": [asdict(check) for check in checks]}
    status = _errors.DONE if fine else _errors.UNUSABLE
    return Answer(document, lambda: _show(checks, fine=fine), status)


def _show(checks: Sequence[Check], *, fine: bool) -> None:
    rows = [[check.what, check.state, check.found, check.fix] for check in checks]
    print_table(["", "", "found", "to mend or add it"], rows)
    print("all is well" if fine else "there are problems: see above")
