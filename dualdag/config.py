"""Settings: the one reader of the environment.

An argument wins over `configure`, which wins over the environment, which wins over
``[tool.dualdag]`` in ``pyproject.toml``, which wins over the default.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from dualdag.errors import ConfigError, did_you_mean

__all__ = [
    "Settings",
    "check_zone",
    "configure",
    "cores",
    "environment",
    "parse_bytes",
    "project_table",
    "put_back_environment",
    "set_environment",
    "settings",
    "user_cache_folder",
]

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, resolved.

    Parameters
    ----------
    backend : str or object
        Name or URL of a backend, or a client of an engine.
    backend_options : mapping
        Passed to the engine when dualdag starts it.
    store : str
        Any fsspec URL, or a local folder.
    engine : {"auto", "pandas", "polars"}
        What frames' partitions run on.
    workers : int
        Workers of the embedded backends.
    progress : {"auto", "bar", "lines", "off"}
        How progress is shown.
    memory : int or None
        Bytes that frames and streaming keep to; None for what the machine grants.
    durable : bool
        Whether to fsync, so that a crash of the machine loses nothing either.
    secret : str, callable, or None
        Signs records; ``file:PATH`` reads it from there.
    trust : {"unsigned", "sign", "require"} or None
        Whether records are signed, and whether unsigned ones are accepted; None for ``"require"`` with a
        secret, else ``"unsigned"``.
    payload : {"pickle", "safe"}
        Whether values may be stored as pickle, which can run code when it is read.
    tz : str
        IANA zone of cadences that name none.
    interactive : bool
        Whether frames show their first rows.
    now : datetime or None
        The clock of plans and runs; None for the real one.
    flow : str or None
        The flow that the command line takes when none is named.
    """

    backend: Any = "local"
    backend_options: Mapping[str, Any] = field(default_factory=dict)
    store: str = ".dualdag"
    engine: str = "auto"
    workers: int = 0
    progress: str = "auto"
    memory: int | None = None
    durable: bool = False
    secret: Any = field(default=None, repr=False)
    trust: str | None = None
    payload: str = "pickle"
    tz: str = "UTC"
    interactive: bool = False
    now: datetime | None = None
    flow: str | None = None


_NAMES = tuple(f.name for f in fields(Settings))
_ENVIRONMENT = ("backend", "store", "engine", "workers", "progress", "memory", "durable", "secret",
                "trust", "payload", "tz")  # fmt: skip
_lock = threading.Lock()
_configured: dict[str, Any] = {}


_BYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kKMGT]?i?)B?", re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_bytes(value: object) -> int | None:
    """Return the bytes in ``"2GB"``, ``"512MiB"``, ``"1k"`` or a number, or None if it is none of these.

    Examples
    --------
    >>> parse_bytes("2GB"), parse_bytes("1KiB")
    (2000000000, 1024)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value > 0 else None
    match = _BYTES.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    unit = match[2].lower()
    base = 1024 if unit.endswith("i") else 1000
    return int(float(match[1]) * base ** _POWERS[unit.rstrip("i")]) or None


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment() -> dict[str, str]:
    """Return a copy of the process's environment, for the workers that it starts."""
    return dict(os.environ)


def put_back_environment(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Undo a change of the process's environment, but for what was set anew since.

    Parameters
    ----------
    before, after : mapping
        From `environment`, before and after the change.
    """
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new or os.environ.get(name) != new:
            continue
        if old is None:
            del os.environ[name]
        else:
            os.environ[name] = old


def set_environment(values: Mapping[str, str | None]) -> None:
    """Set variables of the process's environment, and take away those that are None.

    Parameters
    ----------
    values : mapping
        By name.
    """
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def user_cache_folder() -> Path:
    """Return the folder for what may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "dualdag"


_CHOICES = {
    "engine": ("auto", "pandas", "polars"),
    "progress": ("auto", "bar", "lines", "off"),
    "trust": ("unsigned", "sign", "require"),
    "payload": ("pickle", "safe"),
}


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ConfigError(f"{name}={value!r} makes no sense: use 1 or 0.")


def _check(name: str, value: Any, where: str) -> Any:
    """Return the value of one setting as its type, or raise ConfigError that names where it was given."""
    label = f"{name} ({where})"
    if name == "workers":
        try:
            count = int(value)
        except (TypeError, ValueError):
            count = 0
        if count < 1 or isinstance(value, (bool, float)):
            raise ConfigError(f"{label}={value!r} makes no sense: use a whole number from 1.")
        return count
    if name in {"durable", "interactive"}:
        return _flag(label, value)
    if name == "memory":
        size = parse_bytes(value)
        if size is None:
            raise ConfigError(f'{label}={value!r} makes no sense: use bytes, or text such as "4GB".')
        return size
    choices = _CHOICES.get(name)
    if choices and value not in choices:
        raise ConfigError(f"{label}={value!r} makes no sense: use one of {', '.join(choices)}.")
    if name == "store":
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(value, str) or not value or "\0" in value:
            raise ConfigError(f"{label}={value!r} is no folder and no URL.")
    if name == "flow" and not isinstance(value, str):
        raise ConfigError(f"{label}={value!r} is no file and no module.")
    if name == "now" and not isinstance(value, datetime):
        raise ConfigError(f"{label}={value!r} makes no sense: use a datetime.")
    if name == "now" and value.tzinfo is None:
        return value.astimezone()
    if name == "tz":
        check_zone(label, value)
    if name == "backend_options" and not isinstance(value, Mapping):
        raise ConfigError(f"{label}={value!r} makes no sense: use a dict.")
    return value


def check_zone(label: str, value: object) -> None:
    """Raise ConfigError unless `value` is the IANA name of a time zone; `label` says what was given."""
    from zoneinfo import ZoneInfo

    try:
        if isinstance(value, str):
            ZoneInfo(value)
            return
        cause: Exception | None = None
    except (KeyError, ValueError, OSError) as error:
        cause = error
    raise ConfigError(
        f"{label}={value!r} is not a time zone known here: use an IANA name such as 'UTC' or 'Europe/Berlin' "
        "(where the system has no zone data: pip install tzdata)."
    ) from cause


def _from_environment() -> dict[str, Any]:
    found = {}
    for name in _ENVIRONMENT:
        variable = f"DUALDAG_{name.upper()}"
        value = os.environ.get(variable)
        # A secret that came out empty must not pass for none: the store would be believed without it.
        if value or (name == "secret" and value is not None):
            found[name] = _check(name, value, variable)
    return found


def _parents(start: Path) -> Iterator[Path]:
    """Yield `start` and its parents, up to the root of the repository or the home folder."""
    home = Path.home()
    for folder in (start, *start.parents):
        yield folder
        if (folder / ".git").exists() or folder == home:
            return


def _pyproject() -> Path | None:
    for folder in _parents(Path.cwd()):
        path = folder / "pyproject.toml"
        if path.is_file():
            return path
    return None


_tables: dict[tuple[str, int], dict[str, Any]] = {}


def project_table() -> dict[str, Any]:
    """Return ``[tool.dualdag]`` of the nearest ``pyproject.toml``, or an empty dict."""
    path = _pyproject()
    if path is None:
        return {}
    key = (str(path), path.stat().st_mtime_ns)
    if key not in _tables:
        import tomllib

        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        _tables[key] = table.get("tool", {}).get("dualdag", {})
    found = _tables[key]
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: [tool.dualdag] must be a table.")
    return found


def _from_project() -> dict[str, Any]:
    found = {}
    for name, value in project_table().items():
        if name not in _NAMES:
            raise ConfigError(f"[tool.dualdag] has no setting {name!r}.{did_you_mean(name, _NAMES)}")
        if name == "secret" and not str(value).startswith("file:"):
            raise ConfigError(
                '[tool.dualdag] holds a secret, which whoever reads the file knows: write secret = "file:PATH", or '
                "set DUALDAG_SECRET."
            )
        found[name] = _check(name, value, "[tool.dualdag]")
    path = _pyproject()
    if path is not None:
        # What a file names lies beside that file, whatever folder the command is typed in.
        if "store" in found and "://" not in found["store"]:
            found["store"] = str(path.parent / found["store"])
        if "secret" in found:
            found["secret"] = f"file:{path.parent / Path(found['secret'].removeprefix('file:')).expanduser()}"
        if "flow" in found and found["flow"].endswith(".py"):
            found["flow"] = str(path.parent / found["flow"])
    return found


def _default_store() -> str:
    folders = list(_parents(Path.cwd()))
    for folder in folders:
        if (folder / ".dualdag").is_dir():
            return str(folder / ".dualdag")
    for folder in folders:
        if (folder / "pyproject.toml").is_file():
            return str(folder / ".dualdag")
    return str(Path.cwd() / ".dualdag")


def settings(**overrides: Any) -> Settings:
    """Return the settings in force.

    Parameters
    ----------
    **overrides
        Arguments of a call; None means "not given".

    Raises
    ------
    ConfigError
        For a name that is no setting or a value that makes no sense.

    Examples
    --------
    >>> settings(backend="sync").backend
    'sync'
    """
    given = {k: _check(k, v, "argument") for k, v in overrides.items() if v is not None and _known(k)}
    with _lock:
        configured = dict(_configured)
    merged = {**_from_project(), **_from_environment(), **configured, **given}
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)", merged.get("store", "")):
        scheme, _, path = merged["store"].partition(":")
        raise ConfigError(f"store {merged['store']!r} is neither a path nor a URL: write {scheme}://{path}")
    if "store" not in merged:
        merged["store"] = _default_store()
    elif "://" not in merged["store"]:
        merged["store"] = str(Path(merged["store"]).expanduser().absolute())
    merged.setdefault("workers", cores())
    return replace(Settings(), **merged)


def _known(name: str) -> bool:
    if name not in _NAMES:
        raise ConfigError(f"there is no setting {name!r}.{did_you_mean(name, _NAMES)}")
    return True


class configure:  # noqa: N801 - used as a function
    """Set the process's settings; as a context manager, for a block.

    Parameters
    ----------
    **values
        Settings by name; None takes the setting back.

    Raises
    ------
    ConfigError
        For a name that is no setting or a value that makes no sense.

    Examples
    --------
    >>> with configure(backend="sync"):
    ...     settings().backend
    'sync'
    """

    def __init__(self, **values: Any) -> None:
        checked = {k: None if v is None else _check(k, v, "configure") for k, v in values.items() if _known(k)}
        with _lock:
            self._before = dict(_configured)
            for name, value in checked.items():
                if value is None:
                    _configured.pop(name, None)
                else:
                    _configured[name] = value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with _lock:
            _configured.clear()
            _configured.update(self._before)
