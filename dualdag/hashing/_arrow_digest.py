"""Digests of Arrow and Polars data: of the values, whatever the chunks, offsets and bytes under a null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError
from dualdag.hashing._encode import encode
from dualdag.hashing._streams import BLOCK, Items, feed, hasher, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ArrowColumn", "arrow_digest", "arrow_values", "parameters", "polars_digest"]


class ArrowColumn:
    """Digest of a column of one Arrow type, fed array by array.

    Positions of nulls, lengths and values go to hashers of their own, and nested types to columns of
    their own, so that it does not matter where one array ends and the next begins.

    Parameters
    ----------
    kind : pyarrow.DataType
        The type of every array that will come.
    nbytes : int
        About how many bytes will come.
    """

    __slots__ = ("children", "items", "lengths", "nulls", "plain", "rows", "values")

    def __init__(self, kind: Any, nbytes: int = 0) -> None:
        import pyarrow as pa

        self.plain = _plain_type(kind)
        self.nulls = hasher()
        self.lengths = hasher(nbytes)
        self.values = hasher(nbytes)
        self.rows = 0
        self.children = [ArrowColumn(one) for one in _inner_types(self.plain)]
        known = self.children or pa.types.is_struct(self.plain) or pa.types.is_null(self.plain)
        # Unions, and what later versions of Arrow bring, go by their Python objects.
        self.items = None if known or _is_text(self.plain) or _is_fixed(self.plain) else Items()

    def add(self, array: Any) -> None:
        """Take one more array (not a chunked one), a few megabytes at a time."""
        import pyarrow as pa

        if pa.types.is_dictionary(array.type):  # made plain once, not once per piece
            values = _plain_array(array.dictionary, self.plain)
            array = pa.DictionaryArray.from_arrays(array.indices, values, safe=False)
        rows = len(array)
        step = max(8, rows * BLOCK // max(array.nbytes, 1)) if rows else 1
        for start in range(0, rows, step):
            self._add(_plain_array(array.slice(start, step), self.plain))

    def _add(self, array: Any) -> None:
        import numpy as np
        import pyarrow as pa

        before, self.rows = self.rows, self.rows + len(array)
        if pa.types.is_null(self.plain):
            return
        if array.null_count:
            missing = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)) + before
            self.nulls.update(missing.astype("<i8").view(np.uint8))
            array = array.drop_null()  # what lies under a null is garbage
        if not len(array):
            return
        if self.items is not None:
            self.items.add(array.to_pylist())
        elif pa.types.is_struct(self.plain):
            for child, values in zip(self.children, array.flatten(), strict=True):
                child.add(values)
        elif self.children:
            self._add_lists(array)
        elif _is_text(self.plain):
            self._add_text(array)
        else:
            feed(self.values, _fixed_values(array))

    def _add_lists(self, array: Any) -> None:
        import pyarrow as pa

        types = pa.types
        if types.is_fixed_size_list(array.type):
            self.children[0].add(array.flatten())
        elif types.is_list_view(array.type) or types.is_large_list_view(array.type):
            self._add_lengths(array.sizes.to_numpy())
            self.children[0].add(array.flatten())
        else:
            ends = array.offsets.to_numpy()
            self._add_lengths(ends[1:] - ends[:-1])
            first, count = int(ends[0]), int(ends[-1] - ends[0])
            inner = [array.keys, array.items] if types.is_map(array.type) else [array.values]
            for child, values in zip(self.children, inner, strict=True):
                child.add(values.slice(first, count))

    def _add_text(self, array: Any) -> None:
        import numpy as np
        import pyarrow as pa

        _, offsets, characters = array.buffers()
        wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
        ends = np.frombuffer(offsets, "<i8" if wide else "<i4")[array.offset : array.offset + len(array) + 1]
        self._add_lengths(ends[1:] - ends[:-1])
        if characters is not None:
            self.values.update(memoryview(characters)[int(ends[0]) : int(ends[-1])])

    def _add_lengths(self, lengths: Any) -> None:
        self.lengths.update(lengths.astype("<i8", copy=False).view("u1"))

    def digest(self) -> bytes:
        """Return the digest of all values so far, without their type."""
        return seal(
            b"arrow",
            self.rows.to_bytes(8, "little"),
            self.nulls.digest(),
            self.lengths.digest(),
            self.values.digest(),
            self.items.digest() if self.items is not None else b"",
            *(child.digest() for child in self.children),
        )


def _plain_type(kind: Any) -> Any:
    """Return the type as which values of `kind` are hashed: no dictionary, run ends, views, extension."""
    import pyarrow as pa

    while True:
        if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        elif isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_string_view(kind):
            return pa.large_string()
        elif pa.types.is_binary_view(kind):
            return pa.large_binary()
        else:
            return kind


def _plain_array(array: Any, plain: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    while array.type != plain:
        if pa.types.is_dictionary(array.type):
            array = _plain_array(array.dictionary, plain).take(array.indices)
        elif pa.types.is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)
        elif isinstance(array.type, pa.BaseExtensionType):
            array = array.storage
        else:
            array = array.cast(plain)
    return array


def _inner_types(kind: Any) -> list[Any]:
    import pyarrow as pa

    types = pa.types
    if types.is_struct(kind):
        return [kind.field(i).type for i in range(kind.num_fields)]
    if types.is_map(kind):
        return [kind.key_type, kind.item_type]
    lists = (
        types.is_list,
        types.is_large_list,
        types.is_fixed_size_list,
        types.is_list_view,
        types.is_large_list_view,
    )
    return [kind.value_type] if any(is_one(kind) for is_one in lists) else []


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return any(
        (
            pa.types.is_string(kind),
            pa.types.is_large_string(kind),
            pa.types.is_binary(kind),
            pa.types.is_large_binary(kind),
        )
    )


def _is_fixed(kind: Any) -> bool:
    try:
        return not kind.num_fields and kind.bit_width >= 0
    except ValueError:
        return False


def _fixed_values(array: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    if pa.types.is_boolean(array.type):
        return array.to_numpy(zero_copy_only=False)
    width = array.type.bit_width // 8
    if not width:
        return np.empty(0, np.uint8)
    data = np.frombuffer(array.buffers()[1], np.uint8)[array.offset * width : (array.offset + len(array)) * width]
    return data.view(f"<f{width}") if pa.types.is_floating(array.type) else data


def _chunks(array: Any) -> Iterator[Any]:
    import pyarrow as pa

    return iter(array.chunks) if isinstance(array, pa.ChunkedArray) else iter((array,))


def arrow_values(array: Any) -> bytes:
    """Return the digest of the values of an Arrow array, chunked or not, without its type."""
    column = ArrowColumn(array.type, array.nbytes)
    for chunk in _chunks(array):
        column.add(chunk)
    return column.digest()


def parameters(kind: Any) -> list[bytes]:
    """Return what users' extension types in an Arrow type say of themselves, which its name does not tell."""
    import pyarrow as pa

    if isinstance(kind, pa.ExtensionType):
        return [kind.__arrow_ext_serialize__(), *parameters(kind.storage_type)]
    plain = _plain_type(kind)
    inner = [plain] if plain != kind else _inner_types(kind)
    return [part for one in inner for part in parameters(one)]


def _type_name(kind: Any) -> str:
    import pyarrow as pa

    told = parameters(kind)
    if told:
        return f"{kind} {told!r}"
    # The width of offsets is no part of the content, and a concatenation may change it.
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return "binary"
    return str(kind)


def _metadata(metadata: Any) -> list[tuple[bytes, bytes]]:
    return sorted(metadata.items()) if metadata else []


def arrow_digest(obj: Any) -> bytes | None:
    """Return the digest of an Arrow array, chunked array, record batch or table; None for anything else."""
    import pyarrow as pa

    if isinstance(obj, (pa.Array, pa.ChunkedArray)):
        tag = b"pyarrow.ChunkedArray" if isinstance(obj, pa.ChunkedArray) else b"pyarrow.Array"
        return seal(tag, _type_name(obj.type).encode(), arrow_values(obj))
    if isinstance(obj, (pa.Table, pa.RecordBatch)):
        tag = b"pyarrow.Table" if isinstance(obj, pa.Table) else b"pyarrow.RecordBatch"
        fields = [(f.name, _type_name(f.type), f.nullable, _metadata(f.metadata)) for f in obj.schema]
        schema = encode((obj.num_rows, fields, _metadata(obj.schema.metadata)))
        return seal(tag, schema, *(arrow_values(column) for column in obj.columns))
    return None


def polars_digest(obj: Any) -> bytes | None:
    """Return the digest of a Polars series or eager frame; None for anything else.

    Raises
    ------
    CodecError
        For a lazy frame.
    """
    import polars as pl

    if isinstance(obj, pl.Series):
        return seal(b"polars.Series", *_polars_column(obj))
    if isinstance(obj, pl.DataFrame):
        parts = [seal(b"column", *_polars_column(column)) for column in obj.iter_columns()]
        return seal(b"polars.DataFrame", obj.height.to_bytes(8, "little"), *parts)
    if isinstance(obj, pl.LazyFrame):
        raise CodecError("a polars LazyFrame is a recipe, not a value: call .collect() and return the frame.")
    return None


def _polars_column(series: Any) -> tuple[bytes, bytes, bytes]:
    import polars as pl

    # Categories of an Enum are its type, and its repr may cut them short.
    categories = series.dtype.categories.to_list() if isinstance(series.dtype, pl.Enum) else None
    kind = encode((repr(series.dtype), categories))
    return encode(series.name), kind, _polars_values(series)


def _polars_values(series: Any) -> bytes:
    import polars as pl
    import pyarrow as pa

    newest = pl.CompatLevel.newest()
    if series.dtype != pl.Object:
        try:
            column = ArrowColumn(series.clear().to_arrow(compat_level=newest).type, series.estimated_size())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pl.exceptions.PolarsError):
            pass  # a type that Arrow lacks, as 128-bit integers
        else:
            for chunk in series.get_chunks():
                column.add(chunk.to_arrow(compat_level=newest))
            return column.digest()
    items = Items()
    for start in range(0, len(series), 1 << 16):
        items.add(series.slice(start, 1 << 16).to_list())
    return items.digest()
