"""The page as a reader has it: opened from `file://` in headless Chromium, by mouse and by keyboard."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.leaderboard.vendored import libraries

pytestmark = pytest.mark.browser

VENDORED = Path(__file__).parent / "vendored"
Script = Callable[..., Any]


class Page:
    """An open page."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def do(self, script: str, *values: Any) -> Any:
        """Run a script on the page."""
        return self.driver.execute_script(script, *values)

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Until a condition of the page holds; fails with the condition."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, 0.05).until(lambda _: self.do(f"return Boolean({condition})"), condition)

    def choose(self, select: str, value: str) -> None:
        """Choose in a select, as a person does."""
        self.do(
            "const s=document.getElementById(arguments[0]); s.value=arguments[1];"
            "for (const kind of ['input','change']) s.dispatchEvent(new Event(kind,{bubbles:true}))",
            select,
            value,
        )

    def column(self, heading: str) -> list[str]:
        """The texts of a column of the table, as shown."""
        return self.do(
            "const heads=[...document.querySelectorAll('#table thead th')].map(h=>h.innerText.trim());"
            "const at=heads.indexOf(arguments[0]);"
            "return [...document.querySelectorAll('#table tbody tr')].map(r=>r.cells[at].innerText.trim())",
            heading,
        )

    def show(self, selector: str) -> None:
        """Scroll to an element."""
        self.do("document.querySelector(arguments[0]).scrollIntoView({behavior:'instant',block:'start'})", selector)

    def hold(self, key: str) -> None:
        """Hold a key for a fifth of a second where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).key_down(key).pause(0.2).key_up(key).perform()

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()


@pytest.fixture
def page(browser: Any, page_folder: Path) -> Iterator[Page]:
    """The page, freshly opened on a wide light screen; must end without an error in the console."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get((page_folder / "index.html").as_uri())
    opened = Page(browser)
    opened.do("try { localStorage.clear() } catch (e) {}")
    opened.wait("document.documentElement.dataset.ready")
    yield opened
    assert [line for line in browser.get_log("browser") if line["level"] in ("SEVERE", "WARNING")] == []


def test_sorting_by_a_heading_orders_the_rows(page: Page) -> None:
    """Catches values that are sorted as texts, and a heading that does nothing."""
    page.choose("f-metric", "psnr")
    page.choose("f-kind", "measured")
    heading = "[...document.querySelectorAll('#table thead th')].find(h=>h.innerText.startsWith('Value'))"
    for sign in (1, -1):
        page.do(f"{heading}.querySelector('.dt-column-order').click()")
        page.wait(f"{heading}.className.includes('{'asc' if sign > 0 else 'desc'}')")
        values = [float(text.split()[0]) for text in page.column("Value")]
        assert len(values) == 15
        assert values == sorted(values, reverse=sign < 0)


@pytest.mark.parametrize(
    ("select", "value", "heading", "shown"),
    [
        ("f-scale", "3", "Scale", "×3"),
        ("f-dataset", "Photos", "Dataset", "Photos"),
        ("f-metric", "ssim", "Metric", "SSIM ↑"),
    ],
)
def test_filters_leave_what_was_asked_for(page: Page, select: str, value: str, heading: str, shown: str) -> None:
    """Catches a filter that is not applied, or applied to another column."""
    page.choose("f-kind", "measured")
    page.choose(select, value)
    assert set(page.column(heading)) == {shown}
    assert set(page.column("Source")) == {"measured"}
    page.do("document.getElementById('f-reset').click()")
    page.wait("document.getElementById('f-count').textContent.split(' ').length === 2")


def test_reported_and_measured_rows_are_told_apart(page: Page) -> None:
    """Catches printed numbers that look like measured ones, or are ranked with them."""
    page.choose("f-kind", "reported")
    assert page.do(
        "return [...document.querySelectorAll('#table tbody tr')].every(r=>r.classList.contains('reported'))"
    )
    tables = page.do("return ENTRIES.filter(e=>e.kind==='measured').map(e=>[e.table,e.rank>0])")
    assert all(table == "" and ranked for table, ranked in tables)


def test_a_card_says_signature_hardware_parameters_and_weights(page: Page) -> None:
    """Catches a card of another row, and a fact that never reaches the page."""
    page.choose("f-kind", "measured")
    page.choose("f-metric", "psnr")
    page.do("[...document.querySelectorAll('#table button.open')].find(b=>b.textContent==='LIIF (lite)').click()")
    page.wait("document.getElementById('card').open")
    text = page.do("return document.getElementById('card').innerText")
    for fact in (
        "LIIF (lite)",
        "lr:matlab-bicubic",
        "192,035",
        "×1 to ×4",
        "BSDS500 train",
        "cores",
        "Hash of the weights",
    ):
        assert fact in text
    page.press("\ue00c")
    page.wait("!document.getElementById('card').open")


def test_the_keyboard_reaches_filters_table_and_card(page: Page) -> None:
    """Catches controls that only a mouse can use, and a focus that is lost behind the dialog."""
    page.do("document.getElementById('f-text').focus()")
    page.press("liif")
    page.wait(
        "[...document.querySelectorAll('#table button.open')].every(b=>b.textContent.toLowerCase().includes('liif'))"
    )
    seen = []
    for _ in range(40):
        page.press("\ue004")
        seen.append(page.do("return document.activeElement.id || document.activeElement.className"))
        if "open" in seen[-1]:
            break
    assert {"f-reset", "copy-csv", "copy-latex", "open"} <= set(seen)
    assert any("order" in name for name in seen), seen
    page.press("\ue007")
    page.wait("document.getElementById('card').open")
    page.press("\ue00c")
    page.wait("document.activeElement.classList.contains('open')")


def test_a_heading_is_sorted_with_the_keyboard(page: Page) -> None:
    """Catches headings that take no key."""
    page.do("document.querySelector('#table thead th [tabindex], #table thead th button, #table thead th').focus()")
    page.do("document.querySelectorAll('#table thead th .dt-column-order')[0].focus()")
    page.press("\ue007")
    page.wait("document.querySelector('#table thead th').className.includes('dt-ordering')")


@pytest.mark.parametrize("plot", ["tradeoff", "curves"])
def test_plots_show_every_method(page: Page, plot: str) -> None:
    """Catches a plot that stays empty, mixes printed with measured rows, or loses a method."""
    page.show(f"#{plot}")
    page.wait(f"document.querySelectorAll('#{plot}-plot .scatterlayer .trace').length >= 5")
    names = set(page.do(f"return document.getElementById('{plot}-plot').data.map(t=>t.name)"))
    assert names == {"Nearest", "Bilinear", "Bicubic", "Lanczos", "LIIF (lite)"}
    rows = page.do(f"return document.querySelectorAll('#{plot}-numbers tbody tr').length")
    assert rows == 15


def test_curves_have_a_band_and_the_training_range(page: Page) -> None:
    """Catches a plot without confidence bands, or without the range that methods were trained for."""
    page.show("#curves")
    page.wait("document.getElementById('curves-plot').data")
    page.choose("c-bands", "all")
    page.wait("document.getElementById('curves-plot').data.filter(t=>t.fill==='toself').length === 5")
    assert page.do("return document.getElementById('curves-plot').layout.shapes.map(s=>s.x1)") == [4]
    assert "LIIF (lite)" in page.do("return document.getElementById('curves-note').textContent")


def test_ranks_and_matrices_are_shown(page: Page) -> None:
    """Catches a section that is there but empty."""
    assert page.do("return document.querySelectorAll('#ranks-table .rank-row').length") >= 2
    assert page.do("return document.querySelectorAll('#matrices table').length") == 5
    assert page.do("return document.querySelectorAll('#matrices td').length") >= 45


def test_the_slider_moves_with_the_keyboard_and_shows_both_images(page: Page) -> None:
    """Catches images that do not load from beside the page, and a slider that stays where it is."""
    page.show("#images")
    page.wait("[...document.querySelectorAll('img-comparison-slider img')].filter(i=>i.naturalWidth).length === 2")
    page.wait("document.querySelector('img-comparison-slider').classList.contains('rendered')")
    before = page.do("return document.querySelector('img-comparison-slider').value")
    page.do("document.querySelector('img-comparison-slider').focus()")
    page.hold("\ue014")
    page.wait(f"document.querySelector('img-comparison-slider').value !== {before}")


def test_all_panels_zoom_together(page: Page) -> None:
    """Catches panels that each zoom alone, and images that a canvas cannot show from `file://`."""
    page.show("#images")
    page.do("document.querySelector('[data-mode=zoom]').click()")
    page.wait("VIEWER.zooms.length === 7 && VIEWER.zooms.every(z=>z.isOpen())")
    page.do("document.querySelector('[aria-label=\"Zoom in\"]').click()")
    page.wait("VIEWER.zooms.every(z=>Math.abs(z.viewport.getZoom(true)-1.6)<0.01)")
    page.do("VIEWER.zooms[3].viewport.panTo(new OpenSeadragon.Point(0.4, 0.4), true)")
    page.wait("VIEWER.zooms.every(z=>Math.abs(z.viewport.getCenter(true).x-0.4)<0.01)")


def test_error_maps_load(page: Page) -> None:
    """Catches maps that were not written, or have another size than the image."""
    page.show("#images")
    page.do("document.querySelector('[data-mode=errors]').click()")
    page.wait(
        "[...document.querySelectorAll('.panel img')].filter(i=>i.naturalWidth==i.getAttribute('width')).length==5"
    )


def test_copies_are_the_filtered_rows(page: Page) -> None:
    """Catches a copy of the whole table, and LaTeX that does not end its rows."""
    page.driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    page.choose("f-kind", "measured")
    page.choose("f-metric", "psnr")
    texts = {}
    for what in ("csv", "latex"):
        page.do("document.getElementById('said').textContent = ''")
        page.do(f"document.getElementById('copy-{what}').click()")
        page.wait("document.getElementById('said').textContent")
        texts[what] = page.driver.execute_async_script(
            "const done=arguments[0]; navigator.clipboard.readText().then(done, e=>done('refused: '+e))"
        )
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert len(rows) == 15
    assert {row["metric"] for row in rows} == {"psnr"}
    lines = texts["latex"].splitlines()
    assert sum(line.endswith(r"\\") for line in lines) == 6
    assert sum(line.count(r"\textbf") for line in lines) >= 3
    assert lines[0].startswith("% psnr|")


def test_copies_hold_hostile_and_infinite_cells(page: Page) -> None:
    """Catches a name that a spreadsheet runs or that LaTeX takes for an argument, a comment that a signature ends, and
    an infinity that is called otherwise than in leaderboard.csv."""
    made = "const e={...ENTRIES.find(e=>e.value!==null)}; e.method={...e.method}; "
    copied = page.do(made + "e.method.display='=cmd()'; e.value=Infinity; e.note='a\\rb'; return asCsv([e])")
    (row,) = csv.DictReader(io.StringIO(copied, newline=""))
    assert (row["method"], row["value"], row["note"]) == ("'=cmd()", "inf", "a\rb")
    assert page.do("return [csvCell('-'), csvCell('-1.5'), csvCell(null), csvCell(-2)]") == ["-", "-1.5", "", "-2"]
    latex = page.do(made + "e.signature='a\\n\\\\input{x}'; return asLatex([e])").splitlines()
    assert latex[0] == r"% a \input{x}"
    assert latex[-3].startswith("{}")


def test_an_infinite_cell_of_a_matrix_is_shown(page: Page) -> None:
    """Catches a heat map that ends in an error, or loses the colours of its other cells, at an infinite value."""
    page.do(
        "const m={...DATA.matrices[0], values: DATA.matrices[0].values.map(row=>[...row])}; m.values[0][1]=Infinity;"
        "document.getElementById('matrices').replaceChildren(heatMap(m,[m]))"
    )
    cells = page.do(
        "return [...document.querySelectorAll('#matrices tbody td')].map(c=>[c.innerText, c.style.background])"
    )
    assert cells[1][0] == "∞"
    assert len({style for text, style in cells if text[:1].isdigit()}) > 1


def test_nothing_leaves_the_page(page: Page, page_folder: Path) -> None:
    """Catches a font, script or image from elsewhere: every request is for a file beside the page, or inline."""
    for place in ("tradeoff", "curves", "images", "about"):
        page.show(f"#{place}")
    page.do("document.querySelector('[data-mode=zoom]').click()")
    page.wait("VIEWER.zooms.length && VIEWER.zooms.every(z=>z.isOpen())")
    messages = [json.loads(line["message"])["message"] for line in page.driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert any(url.startswith(page_folder.as_uri()) for url in asked)
    assert [url for url in asked if not url.startswith((page_folder.as_uri(), "data:", "blob:"))] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390], ids=["desk", "phone"])
def test_axe_finds_no_serious_fault(page: Page, theme: str, width: int) -> None:
    """Catches faint text, controls without a name and wrong roles, on both themes and on a phone."""
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 850, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    page.do("document.documentElement.dataset.theme = arguments[0]", theme)
    for place in ("tradeoff", "curves", "images"):
        page.show(f"#{place}")
        page.wait(f"document.querySelector('#{place} :is(.trace, img-comparison-slider)')")
    (axe,) = libraries(VENDORED)
    page.do(axe.script(VENDORED))
    page.do("document.querySelector('#table button.open').click()")
    found = []
    for opened in (True, False):
        if not opened:
            page.do("document.getElementById('card').close()")
        result = page.driver.execute_async_script(
            "axe.run({resultTypes:['violations']}).then(r=>arguments[0](r.violations), e=>arguments[0](String(e)))"
        )
        assert isinstance(result, list), result
        found += [
            (fault["id"], [node["target"] for node in fault["nodes"]][:5], fault["nodes"][0]["failureSummary"])
            for fault in result
            if fault["impact"] in ("serious", "critical")
        ]
    assert found == []


def test_a_phone_shows_the_page_without_scrolling_sideways(page: Page) -> None:
    """Catches a wide table or plot that pushes the page over the edge."""
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    page.driver.refresh()
    page.wait("document.documentElement.dataset.ready")
    assert page.do("return document.documentElement.scrollWidth") == 390
    headings = page.do(
        "return [...document.querySelectorAll('#table thead th')].map(h=>h.innerText.trim().split(/\\s/)[0])"
    )
    assert headings == ["Method", "Scale", "Metric", "Value", "Rank"]
    box = page.do("const b=document.querySelector('#table').getBoundingClientRect(); return [b.left,b.right]")
    assert box[0] >= 0
    assert box[1] <= 390


def test_nothing_moves_while_the_page_loads_and_is_scrolled(page: Page) -> None:
    """Catches plots and pictures that push the text below them down when they come."""
    page.do(
        "window.moved=0; new PerformanceObserver(l=>l.getEntries().forEach(e=>{window.moved+=e.value}))"
        ".observe({type:'layout-shift',buffered:true})"
    )
    for place in ("tradeoff", "curves", "images", "about"):
        page.show(f"#{place}")
    page.wait("document.querySelector('img-comparison-slider.rendered')")
    assert page.do("return window.moved") < 0.02
