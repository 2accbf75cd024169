"""The page of results in a real browser, headless; skipped where there is none."""

import os
import shutil
from importlib import resources

import pytest
from toy_results import make_results

import leakcard
from leakage import paths, report

NEEDED = "needs playwright and axe-playwright-python (requirements-dev.txt)"
playwright = pytest.importorskip("playwright.sync_api", reason=NEEDED)
pytest.importorskip("axe_playwright_python", reason=NEEDED)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS, SCHEMES = (390, 1280), ("light", "dark")
# Text that is scrolled away lies under the sticky heads: axe cannot tell the ground it stands on.
SPREAD = """.wide { overflow: visible !important; max-height: none !important }
th, caption span { position: static !important }"""


@pytest.fixture(scope="module")
def browser():
    path = os.environ.get("LEAKAGE_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), "")
    if not path:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} on PATH, none in LEAKAGE_BROWSER")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=path)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return report.write_index(make_results(tmp_path_factory.mktemp("results") / "demo"), ["Note."])


@pytest.fixture
def open_page(browser):
    """Open a file; `requests` and `errors` of the page tell what it asked for and complained of."""
    contexts = []

    def open_file(path, width=1280, **options):
        viewport = {"width": width, "height": 800}
        contexts.append(browser.new_context(viewport=viewport, **options))
        page = contexts[-1].new_page()
        page.requests, page.errors = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()


def find_faults(page, **options):
    """All findings of axe-core, and what it could not tell of colours."""
    source = resources.files("axe_playwright_python").joinpath("axe.min.js")
    page.evaluate(source.read_text(encoding="utf-8"))
    found = page.evaluate("(options) => axe.run(document, options)", options)
    assert len(found["passes"]) > 0
    return [
        f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]
    ], [
        node["html"]
        for one in found["incomplete"]
        for node in one["nodes"]
        if not any("non-text" in check["message"] for check in node["any"])
    ]


def measure_overflow(page):
    """How much wider than the window the page is, and what outside of scrolling boxes is."""
    return page.evaluate(
        """() => [document.documentElement.scrollWidth - innerWidth,
        [...document.querySelectorAll("body *")].filter((one) => !one.closest(".wide, .skip")
          && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML)]"""
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(open_page, index, width, scheme):
    page = open_page(index, width, color_scheme=scheme)
    faults, _ = find_faults(page)
    assert faults == []
    assert page.errors == []
    if width == max(WIDTHS):  # colours do not depend on the width, what axe can tell of them does
        page.add_style_tag(content=SPREAD)
        assert find_faults(page, runOnly=["color-contrast"]) == ([], [])


@pytest.fixture(scope="module")
def card_page(tmp_path_factory):
    """The page of a report card with rows of every status, long names and no spaces in them."""
    names = tuple(f"{'a_very_long_name_' * 6}{number}.png" for number in range(12))
    checks = ["duplicates_across_splits", "patient_across_labels", "border_classifier", "test_set"]
    codes = ("L1.4", "L3.2", "L2", "L1.1")
    found = [
        leakcard.Row(code, check, check, status, "a figure", images=names, num_images=12,
                     reason="Why.", action="Do this.", question="And this?")
        for code, check, status in zip(codes, checks, leakcard.STATUSES, strict=True)
    ]  # fmt: skip
    about = {"num_rows": 12, "num_images": 12, "splits": {"train": 12}, "labels": ["a"],
             "num_unreadable": 1, "unreadable": [{"image_id": names[0], "reason": "half a file"}],
             "is_phantom": False, "notes": ["A guess."]}  # fmt: skip
    folder = tmp_path_factory.mktemp("card")
    return leakcard.ReportCard(found, about).write(folder) / "report_card.html"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_card_is_accessible_and_fits_a_phone(open_page, card_page, width):
    page = open_page(card_page, width)
    assert find_faults(page) == ([], []) and measure_overflow(page) == [0, []]
    assert page.locator("article:visible").count() == 2  # what is no alarm is folded
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.locator("article:visible").count() == 4
    assert find_faults(page) == ([], []) and measure_overflow(page) == [0, []]
    assert all(url.startswith(("file:", "data:")) for url in page.requests)


def test_faults_that_were_planted_would_be_found(open_page, index):
    content = index.read_text(encoding="utf-8")
    planted = content.replace('alt="Every claim."', "").replace("--muted:#555b63", "--muted:#aaa")
    path = index.with_name("planted.html")
    path.write_text(planted, encoding="utf-8")
    faults = " ".join(find_faults(open_page(path, min(WIDTHS)))[0])
    for name in ("image-alt", "color-contrast"):
        assert name in faults


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_phone_shows_the_page_without_scrolling_sideways(open_page, index, scheme):
    page = open_page(index, min(WIDTHS), color_scheme=scheme)
    assert measure_overflow(page) == [0, []]
    box = page.locator(".wide:has(table)")
    assert box.evaluate("(one) => one.scrollWidth > one.clientWidth && one.tabIndex === 0")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"width:30rem\">x</p>')")
    assert measure_overflow(page)[0] > 0  # so the measure is able to fail


def test_nothing_but_the_file_is_asked_for(open_page, index):
    page = open_page(index)
    assert page.requests and all(url.startswith(("file:", "data:")) for url in page.requests)
    assert page.evaluate("[...document.images].every((one) => one.naturalWidth > 100)")
    with page.expect_event("requestfailed"):  # so the list is able to tell
        page.evaluate("new Image().src = 'http://127.0.0.1:9/planted.png'")
    assert any(url.startswith("http:") for url in page.requests)


def test_the_keyboard_sorts_a_table(open_page, index):
    page = open_page(index)
    page.locator(".wide:has(table)").focus()  # the box, so that the arrows scroll it
    for _ in range(7):
        page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Published"
    assert focused.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
    heading, cells = focused.locator(".."), page.locator("tbody td:nth-child(7)")
    for key, direction, values in (
        ("Enter", "ascending", ["5/10 = 0.500", "8/10 = 0.800", ""]),
        ("Space", "descending", ["8/10 = 0.800", "5/10 = 0.500", ""]),
    ):
        page.keyboard.press(key)
        assert heading.get_attribute("aria-sort") == direction
        assert cells.all_inner_texts() == values
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("[aria-sort]").count() == 1
    assert page.locator(":focus").inner_text() == "Ours"


def test_the_skip_link_is_the_first_stop_and_leads_to_the_results(open_page, index):
    page = open_page(index, min(WIDTHS))
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the results" and skip.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_without_script_everything_is_there(open_page, index):
    page = open_page(index, java_script_enabled=False)
    assert page.locator("tbody tr:visible").count() == 3
    assert page.locator("th button").count() == 0


def test_the_committed_demo_fits_a_phone_and_asks_for_nothing(open_page, tmp_path):
    demo = paths.ROOT / "results" / "demo"
    if not any(demo.glob("*/metrics.json")):
        pytest.skip("no committed demo in this checkout")
    index = report.write_index(shutil.copytree(demo, tmp_path / "demo"))
    page = open_page(index, min(WIDTHS), color_scheme="dark")
    assert measure_overflow(page) == [0, []]
    assert all(url.startswith(("file:", "data:")) for url in page.requests)
    assert find_faults(page)[0] == []
