"""Readers: files are inputs known by their content, one op per file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from dualdag.errors import did_you_mean
from dualdag.frames._construct import lazily
from dualdag.frames._errors import MissingFileError
from dualdag.frames._lazy import wrap
from dualdag.frames._meta import Meta, as_numbers, quietly
from dualdag.frames._ops import Handle, node_of
from dualdag.frames._run import plain
from dualdag.frames._spelling import spell_function
from dualdag.frames._steps import resolve, step
from dualdag.frames._words import words
from dualdag.graph import Node, caller_site, file, files

__all__ = ["READERS", "read"]

_KINDS = {"read_pickle": "any", "read_hdf": "any"}
#: Readers of files; the others ask databases, the clipboard or a catalogue, whose content has no name.
_FILES = words(
    "read_csv read_excel read_feather read_fwf read_hdf read_json read_orc read_parquet read_pickle read_sas "
    "read_spss read_stata read_table read_xml"
)
READERS = _FILES | words("read_clipboard read_html read_iceberg read_sql read_sql_query read_sql_table")
_FOLDERS = frozenset({"read_parquet", "read_orc", "read_feather"})
_MAGIC = re.compile(r"[*?\[]")
_HEADED = frozenset({"read_csv", "read_table", "read_fwf"})


def read(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the lazy frame of a file, of all files that a pattern matches, or of a folder.

    Parameters
    ----------
    name : str
        The reader, such as ``"read_csv"``.
    args, kwargs
        As the user gave them.

    Raises
    ------
    MissingFileError
        When there is no such file.
    """
    own = resolve(name)
    _, place, given = spell_function(name, own, args, kwargs)
    first = next(iter(given), "")
    target: Any = args[0] if args else kwargs.get(first)
    rest = {key: one for key, one in given.items() if key != first}
    kind = "series" if rest.get("typ") == "series" else _KINDS.get(name, "frame")
    node = _node(target)
    pieces = rest.get("chunksize") is not None or rest.get("iterator") is True
    if name not in _FILES or place or pieces or not (node is not None or isinstance(target, (str, os.PathLike, list))):
        return _at_once(own, args, kwargs)
    if node is not None:
        return _several(wrap(Handle(node_of(node, (step("read", name, rest),)), kind)), rest)
    if isinstance(target, list):
        return _concat(name, [os.fspath(one) for one in target], rest, kind)
    return _several(_path(name, os.fspath(target), rest, kind), rest)


def _node(target: Any) -> Node[Any] | None:
    convert = getattr(type(target), "__dualdag_node__", None)
    return convert(target) if convert is not None else None


def _at_once(own: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    made = own(*plain(args), **plain(kwargs))
    if isinstance(made, list):
        return [lazily(one) for one in made]
    return {key: lazily(one) for key, one in made.items()} if isinstance(made, dict) else lazily(made)


def _path(name: str, path: str, rest: dict[str, Any], kind: str) -> Any:
    local = "://" not in path
    there = os.path.expanduser(path)  # noqa: PTH111 - the user's spelling is kept
    if _MAGIC.search(path) and not (local and os.path.exists(there)):  # noqa: PTH110
        from dualdag.hashing import expand

        found = expand(there)
        if not found:
            raise MissingFileError(f"{name}() at {caller_site()}: no file matches {path!r}.")
        return _concat(name, found, rest, kind)
    if local and os.path.isdir(there) and name in _FOLDERS:  # noqa: PTH112
        inside = files(f"{path.rstrip('/')}/**")
        return wrap(Handle(node_of(inside, (step("read folder", name, path, rest),)), kind))
    return wrap(_one(name, path, rest, kind))


def _one(name: str, path: str, rest: dict[str, Any], kind: str) -> Handle:
    if not _is_there(path):
        raise MissingFileError(f"{name}() at {caller_site()}: there is no file {path!r}.{_near(path)}")
    node = node_of(file(path), (step("read", name, rest),))
    return Handle(node, kind, lambda: _header(name, path, rest))


def _is_there(path: str) -> bool:
    if "://" not in path:
        return os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111
    if path.startswith(("memory://", "file://")):
        import fsspec

        fs, root = fsspec.core.url_to_fs(path)
        return bool(fs.exists(root))
    return True  # asking a remote place costs a round trip; the run will tell


def _near(path: str) -> str:
    folder, base = os.path.split(os.path.expanduser(path))  # noqa: PTH111
    if "://" in path or not os.path.isdir(folder or "."):  # noqa: PTH112
        return ""
    told = did_you_mean(base, os.listdir(folder or "."))  # noqa: PTH208
    return told if "Did you mean" in told else ""


def _concat(name: str, paths: list[str], rest: dict[str, Any], kind: str) -> Any:
    handles = [_one(name, path, rest, kind) for path in paths]

    def told() -> Meta | None:
        meta = handles[0].meta
        alike = meta is not None and _headed_alike(name, paths, rest)
        return Meta(meta.obj, exact=False) if meta is not None and alike else None

    if len(handles) == 1:
        return wrap(handles[0])
    node = node_of(handles, (step("concat files"),))
    return wrap(Handle(node, "frame", told, (handles[0],)))


def _several(made: Any, rest: dict[str, Any]) -> Any:
    """Give the sheets of a workbook by name where several were asked for."""
    sheets = rest.get("sheet_name", 0)
    if isinstance(sheets, list):
        return {sheet: wrap(Handle(made._handle.node[sheet], "frame")) for sheet in sheets}
    if sheets is None:
        return {sheet: lazily(one) for sheet, one in made.compute().items()}
    return made


def _headed_alike(name: str, paths: list[str], rest: dict[str, Any]) -> bool:
    """Tell whether all files have the columns of the first."""
    if any("://" in path for path in paths):
        return False
    if name == "read_parquet":
        import pyarrow.parquet as pq

        names = pq.read_schema(paths[0]).names
        return all(pq.read_schema(path).names == names for path in paths)
    if name == "read_fwf" or not rest.keys() <= {"parse_dates", "dtype", "usecols", "index_col", "sep", "names"}:
        return False
    lines = {_first_line(path) for path in paths}
    return len(lines) == 1


def _first_line(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123 - many small files: the quickest way
        return stream.readline(1 << 20)


def _header(name: str, path: str, rest: dict[str, Any]) -> Meta | None:
    """Tell what the first line or the footer of a file says of its columns."""
    if "://" in path and not path.startswith(("memory://", "file://")):
        return None
    there = os.path.expanduser(path) if "://" not in path else path  # noqa: PTH111
    if name == "read_parquet":
        return _footer(there, rest)
    if name not in _HEADED:
        return None
    given = {key: one for key, one in rest.items() if key not in ("skipfooter", "nrows", "dtype", "engine")}
    header = quietly(lambda: resolve(name)(there, **given, nrows=0))
    return Meta(as_numbers(header), exact=False)


def _footer(path: str, rest: dict[str, Any]) -> Meta | None:
    import io

    import pandas as pd
    import pyarrow.parquet as pq

    if "://" in path:
        return None
    told = pq.read_metadata(path)
    buffer = io.BytesIO()
    schema = told.schema.to_arrow_schema()
    pq.write_table(schema.empty_table(), buffer)
    empty = quietly(lambda: pd.read_parquet(io.BytesIO(buffer.getvalue()), **rest))
    return Meta(empty, exact=_all_there(told, schema))


def _all_there(told: Any, schema: Any) -> bool:
    """Tell whether no whole number or truth value is missing: then types are what the schema says."""
    import pyarrow.types as kinds

    turned = {field.name for field in schema if kinds.is_integer(field.type) or kinds.is_boolean(field.type)}
    if any(kinds.is_nested(field.type) for field in schema):
        return False
    for group in range(told.num_row_groups):
        for number in range(told.num_columns):
            column = told.row_group(group).column(number)
            if column.path_in_schema in turned and (column.statistics is None or column.statistics.null_count):
                return False
    return True
