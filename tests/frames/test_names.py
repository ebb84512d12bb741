"""Every public name of pandas is there, on the module and on each lazy object."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pandas
import pytest

import dualdag.pandas as pd
from dualdag.frames._names import owner_class, public
from dualdag.frames._views import View
from tests.frames.world import world

pytestmark = pytest.mark.filterwarnings("ignore")


def own_names(obj: object) -> list[str]:
    return [name for name in dir(obj) if not name.startswith("_")]


def test_every_name_of_the_module() -> None:
    assert set(pandas.__all__) <= set(dir(pd))
    for name in {*pandas.__all__, *own_names(pandas)}:
        assert hasattr(pd, name), name
    assert pd.__version__ == pandas.__version__
    scope: dict[str, Any] = {}
    exec("from dualdag.pandas import *", scope)
    assert {"DataFrame", "read_csv", "from_node", "NA"} <= set(scope)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'read_csv'"):
        _ = pd.read_cvs


@pytest.mark.parametrize("name", ["DataFrame", "Series", "Index", "DatetimeIndex", "MultiIndex"])
def test_every_name_of_a_class(name: str) -> None:
    lazy, own = getattr(pd, name), getattr(pandas, name)
    assert set(own_names(own)) <= set(dir(lazy))
    for one in own_names(own):
        assert hasattr(lazy, one), one


def test_every_name_of_frames_and_series(evaluator: Any) -> None:
    names = world(pd)
    for lazy, own in ((names["n"], pandas.DataFrame), (names["s"], pandas.Series)):
        assert set(own_names(own)) <= set(dir(lazy))
        accessors = own._accessors | {"plot", "str", "dt", "cat", "list", "struct", "style"}
        for one in set(own_names(own)) - accessors:
            getattr(lazy, one)


@pytest.mark.parametrize(
    ("source", "owner"),
    [
        ('df.groupby("k")', "DataFrameGroupBy"),
        ('df.groupby("k").i', "SeriesGroupBy"),
        ("days.rolling(2)", "Rolling"),
        ("days.expanding()", "Expanding"),
        ("days.ewm(1)", "ExponentialMovingWindow"),
        ('days.resample("D")', "Resampler"),
        ('df.groupby("k").rolling(2)', "RollingGroupBy"),
        ("words.str", "Series.str"),
        ("df.t.dt", "Series.dt"),
        ("cat.cat", "Series.cat"),
    ],
)
def test_every_name_of_a_view(source: str, owner: str, evaluator: Any) -> None:
    view = eval(source, world(pd))
    assert isinstance(view, View)
    assert view._owner == owner
    wanted = {one for one in own_names(owner_class(owner)) if one[0] != "_"}
    assert wanted <= set(dir(view))
    # These draw, or ask for what only some values have.
    for one in wanted - {"plot", "hist", "boxplot", "online", "freq", "unit", "tz", "ordered", "dtype"}:
        getattr(view, one)


def test_submodules_and_classes_that_are_pandas_own() -> None:
    assert pd.Timestamp is pandas.Timestamp
    assert pd.NA is pandas.NA
    assert pd.CategoricalDtype is pandas.CategoricalDtype
    assert pd.errors.MergeError is pandas.errors.MergeError
    assert pd.api.extensions.ExtensionDtype is pandas.api.extensions.ExtensionDtype
    assert pd.tseries.offsets.Day is pandas.tseries.offsets.Day
    pd.options.display.max_rows = 33
    assert pandas.get_option("display.max_rows") == 33
    pd.reset_option("display.max_rows")


def test_methods_tell_what_pandas_tells() -> None:
    frame = pd.DataFrame({"x": [1]})
    assert frame.sort_values.__name__ == "sort_values"
    assert "Sort by the values" in str(frame.sort_values.__doc__)
    assert next(iter(frame.sort_values.__signature__.parameters)) == "by"
    assert "Group DataFrame" in str(frame.groupby.__doc__)
    assert "comma-separated values" in str(pd.read_csv.__doc__)
    assert len(public("Unknown")) > 230


def test_a_registered_accessor_counts_in_the_key(evaluator: Any) -> None:
    source = """
import pandas  # noqa: ICN001 - beside what stands for it
class Deg:
    def __init__(self, table): self.table = table
    def doubled(self): return self.table * {factor}
    @property
    def wide(self): return self.table.shape[1]
"""
    keys, values = [], []
    for factor in (2, 3):
        scope: dict[str, Any] = {"__name__": "user_code"}
        exec(source.replace("{factor}", str(factor)), scope)
        pd.api.extensions.register_dataframe_accessor("deg")(scope["Deg"])
        try:
            made = pd.DataFrame({"x": [1, 2]}).deg.doubled()
            keys.append(made.__dualdag_node__().key)
            values.append(made.compute().x.tolist())
            assert "deg" in dir(pandas.DataFrame)
        finally:
            del pandas.DataFrame.deg
            pandas.DataFrame._accessors.discard("deg")
    assert values == [[2, 4], [3, 6]]
    assert keys[0] != keys[1]


def test_importing_it_does_not_import_pandas() -> None:
    told = "import sys, dualdag.pandas; print([m for m in ('pandas', 'numpy', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
