"""Plots of the report, as SVG that is the same, byte for byte, for the same numbers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BLUE, ORANGE, GREY = "#2b6cb0", "#c05621", "#a0aec0"


def carriers_plot(carriers: pd.DataFrame) -> str:
    """Return bars of the mean delay of each airline."""
    shown = carriers.sort_values("mean_delay")

    def draw(axes: Axes) -> None:
        axes.barh(shown["airline"], shown["mean_delay"], color=BLUE)
        axes.set_xlabel("mean delay at departure, minutes")
        axes.grid(axis="x", color=GREY, alpha=0.4)

    return _svg("carriers", draw, height=0.28 * len(shown) + 0.9)


def days_plot(days: pd.DataFrame) -> str:
    """Return the year's line: how much of each day's flights left late."""

    def draw(axes: Axes) -> None:
        axes.plot(days["date"], 100 * days["late"], color=GREY, linewidth=0.8, label="day")
        axes.plot(days["date"], 100 * days["late"].rolling(14, min_periods=1).mean(), color=ORANGE, label="14 days")
        axes.set_ylabel("left 15 minutes late or more, %")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)

    return _svg("days", draw)


def weather_plot(effect: pd.DataFrame) -> str:
    """Return bars of how many flights leave late in which weather."""

    def draw(axes: Axes) -> None:
        colours = dict(zip(effect["measure"].unique(), (BLUE, ORANGE, GREY), strict=False))
        labels = effect["measure"] + ": " + effect["condition"]
        axes.barh(labels, 100 * effect["late"], color=effect["measure"].map(colours))
        axes.invert_yaxis()
        axes.set_xlabel("left 15 minutes late or more, %")
        axes.grid(axis="x", color=GREY, alpha=0.4)

    return _svg("weather", draw, height=0.28 * len(effect) + 0.9)


def model_plot(calibration: pd.DataFrame) -> str:
    """Return what the model expected against what came."""

    def draw(axes: Axes) -> None:
        top = 100 * float(calibration[["expected", "observed"]].to_numpy().max())
        axes.plot([0, top], [0, top], color=GREY, linewidth=0.8)
        axes.plot(100 * calibration["expected"], 100 * calibration["observed"], "o-", color=BLUE)
        axes.set_xlabel("expected to be late, %")
        axes.set_ylabel("were late, %")

    return _svg("model", draw, width=4.5, height=4.0)


def _svg(salt: str, draw: Any, *, width: float = 8.0, height: float = 3.2) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Without a salt the ids in the SVG are random, and without Date=None it holds the time.
    with rc_context({"svg.hashsalt": salt, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :]
