"""One row, one origin; one dataset, one set of images: what a table must not mix, and how it says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from bench.api import ImageSet, Origin, RequestError, counted, format_times

Display = Callable[[str, str], str]
"""(method, variant) -> the name that tables print."""


def check_one_origin(rows: pd.DataFrame, origins: Mapping[str, Origin], display: Display) -> None:
    """Make sure that every method of a table is one version of its code, weights and options.

    Args:
        rows: SUMMARY_COLUMNS; rows without an origin are passed over.
        origins: id -> origin.
        display: How methods are called.
    Raises:
        RequestError: a method has two origins (names both, what differs and where each stands).
    """
    known = rows.loc[rows["origin"] != "", ["method", "variant", "dataset", "scale", "origin"]].drop_duplicates()
    for (method, variant), own in known.groupby(["method", "variant"], sort=False):
        names = list(dict.fromkeys(own["origin"]))
        if len(names) < 2:
            continue
        places = [_places(own.loc[own["origin"] == name]) for name in names[:2]]
        first, second = (_called(name, origins) for name in names[:2])
        a, b = (origins.get(name) for name in names[:2])
        differing = f" ({' and '.join(a.differences(b))})" if a is not None and b is not None else ""
        raise RequestError(
            f"one row cannot mix two versions: {display(str(method), str(variant))} at {places[0]} was made by "
            f"{first}, at {places[1]} by {second}{differing}; run one of them again, or choose with --scales or "
            "--datasets"
        )


def check_one_set(rows: pd.DataFrame, sets: Mapping[str, ImageSet], display: Display) -> None:
    """Make sure that a dataset's name stands for one set of image files in a table.

    A part of a set (`--limit`) is not another set: it is marked by its number of images and not ranked.

    Args:
        rows: SUMMARY_COLUMNS; rows whose set is not known are passed over.
        sets: id -> images.
        display: How methods are called.
    Raises:
        RequestError: two sets share a name (names both folders and who was scored on which).
    """
    columns = ["method", "variant", "dataset", "scale", "source"]
    known = rows.loc[rows["source"].isin(list(sets)), columns].drop_duplicates()
    for dataset, own in known.groupby("dataset", sort=False):
        places = own.to_dict("records")
        for number, place in enumerate(places):
            for other in places[:number]:
                if place["source"] == other["source"]:
                    continue
                mine, theirs = sets[str(place["source"])], sets[str(other["source"])]
                if mine.contradicts(theirs, scales_differ=place["scale"] != other["scale"]):
                    raise RequestError(
                        f"one table cannot mix two sets called '{dataset}': {_row(other, theirs, display)}, "
                        f"{_row(place, mine, display)}; choose with --methods or --scales, or rename one of the "
                        "folders and run again"
                    )


def _row(place: Mapping[Any, Any], images: ImageSet, display: Display) -> str:
    name = display(str(place["method"]), str(place["variant"]))
    scale = format_times(place["scale"])
    where = f" of {images.folder}" if images.folder else ""
    return f"{name} at {scale} was scored on {counted(len(images.images), 'image')}{where} ({str(place['source'])[:6]})"


def _places(rows: pd.DataFrame) -> str:
    found = [
        f"{format_times(scale)} on {dataset}" for dataset, scale in zip(rows["dataset"], rows["scale"], strict=True)
    ]
    unique = list(dict.fromkeys(found))
    return ", ".join(unique[:3]) + (", …" if len(unique) > 3 else "")


def _called(name: str, origins: Mapping[str, Origin]) -> str:
    known = origins.get(name)
    return f"{known.code_name} {name[:6]}" if known is not None else name[:6]
