"""How soon a leaderboard of ten thousand rows can be used: opened from `file://` in headless Chromium.

Run: python benchmarks/leaderboard_page.py [ROWS]. Prints the page's size without data, the seconds until it is ready,
and those of a sort and a filter; the empty page, measured in the same run, is what they compare with.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from bench.api import Direction
from bench.leaderboard.entry import Board, Card, Entry, Kind, ShownMetric
from bench.leaderboard.page import render_page
from bench.leaderboard.ranks import mean_ranks, ranked

REPEATS = 5
METRICS = tuple(ShownMetric(f"metric{i}", f"Metric {i}", Direction.HIGHER, 3) for i in range(10))


def made_up_board(rows: int) -> Board:
    """A board of twenty methods with made-up numbers."""
    cards = tuple(Card(display=f"Method {i}", method=f"m{i}", kind=Kind.MEASURED, source="run") for i in range(20))
    entries = []
    for number in range(rows):
        metric, scale, dataset = number // 20 % 10, 1.5 + number // 200 % 10, number // 2000
        value = (number * 7919 % 10007) / 10007
        signature = f"metric{metric}|rgb|shave:0|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"
        entries.append(
            Entry(
                card=number % 20,
                dataset=f"Set {dataset}",
                scale=scale,
                metric=f"metric{metric}",
                value=value,
                text=f"{value:.3f}",
                low=value - 0.1,
                high=value + 0.1,
                n=100,
                expected=100,
                signature=signature,
                protocol="basicsr-y",
                seconds=0.1,
            )
        )
    return ranked(Board(cards, tuple(entries), METRICS))


def ready_seconds(browser: Any, page: Path) -> float:
    """From navigation to the end of the page's own scripts and the next frame; the median of some."""
    times = []
    for _ in range(REPEATS):
        browser.get(page.as_uri())
        milliseconds = browser.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => done(performance.getEntriesByType('navigation')[0]"
            ".domContentLoadedEventEnd))"
        )
        times.append(milliseconds / 1000)
    return statistics.median(times)


def action_seconds(browser: Any, action: str) -> float:
    """Until an action has been carried out and drawn; the median of some."""
    script = (
        "const done = arguments[arguments.length - 1]; const start = performance.now(); "
        + action
        + "; requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)))"
    )
    return statistics.median(browser.execute_async_script(script) for _ in range(REPEATS)) / 1000


def main() -> None:
    """Measure and print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1400,900"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    with tempfile.TemporaryDirectory() as folder:
        board, empty = made_up_board(rows), Board()
        pages = {name: Path(folder) / f"{name}.html" for name in ("full", "empty")}
        pages["full"].write_text(render_page(board, mean_ranks(board), (), title="Full"), encoding="utf-8")
        pages["empty"].write_text(render_page(empty, (), (), title="Empty"), encoding="utf-8")
        size = pages["empty"].stat().st_size
        without, full = (ready_seconds(browser, pages[name]) for name in ("empty", "full"))
        heads = "document.querySelectorAll('#table thead th .dt-column-order')"
        sort = action_seconds(browser, f"{heads}[4].click()")
        find = action_seconds(browser, "byId('f-text').value = 'method 7'; TABLE.api.draw()")
    browser.quit()
    print(f"page without data: {size / 1e6:.2f} MB, ready in {without:.2f} s")
    print(f"{rows} rows: ready in {full:.2f} s ({full / without:.1f} times); sort {sort:.2f} s, filter {find:.2f} s")


if __name__ == "__main__":
    main()
