import base64
import io
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from toy_results import make_results, read_page, save_figure

from leakage import record, report
from leakage.report import page as report_page


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("results") / "demo")


@pytest.fixture
def run_dir(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "demo"))


def read_index(run_dir, remarks=()):
    return read_page(report.write_index(run_dir, remarks).read_text(encoding="utf-8"))


def read_picture(source):
    head, content = source.split(",", 1)
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return image.size


def test_the_page_says_what_it_shows_and_what_it_is_not(run_dir):
    text = read_index(run_dir, ["02 failed <here>"]).text
    for words in ("Results: demo", "Made from phantoms", "random weights", "02 failed <here>",
                  "3 claims from 6 runs, 2 of them collapsed", "2 report cards",
                  "nothing here is fit for medical use"):  # fmt: skip
        assert words in text


def test_every_picture_table_and_heading_tells_what_it_is(run_dir):
    page = read_index(run_dir)
    assert len(page.tags["img"]) == 3 and all(tag["alt"] for tag in page.tags["img"])
    assert len(page.tags["caption"]) == len(page.tags["table"]) == 5
    assert all(tag.get("scope") in ("col", "row") for tag in page.tags["th"])
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    steps = zip(page.headings, page.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)
    for name in ("header", "nav", "main", "footer", "section"):
        assert page.tags[name]


def test_every_link_leads_to_something(run_dir):
    page = read_index(run_dir)
    names = [tag["id"] for tag in page.elements if "id" in tag]
    assert len(set(names)) == len(names)
    links = [tag["href"] for tag in page.tags["a"]]
    assert "01_toy_notebook/01_toy_notebook.ipynb" in links and "#card-2" in links
    for link in links:
        assert link[1:] in names if link.startswith("#") else (run_dir / link).is_file()


def test_the_page_holds_no_address_of_a_network(run_dir):
    content = report.write_index(run_dir).read_text(encoding="utf-8")
    assert not re.search(r"""https?:|@import|url\(|["'(]//""", content)


def test_pictures_of_phantoms_are_within_the_page_and_small(run_dir):
    sources = {tag["alt"]: tag["src"] for tag in read_index(run_dir).tags["img"]}
    sizes = {alt: read_picture(source)[0] for alt, source in sources.items()}
    assert sizes["Maps: covid, called normal."] == report_page.CAM_WIDTH_PX
    assert sizes['An <odd> "curve".'] == report_page.THUMBNAIL_WIDTH_PX
    assert sizes["Every claim."] > report_page.THUMBNAIL_WIDTH_PX  # whole


@pytest.mark.parametrize("data_source", ["real", None])
def test_of_a_run_with_real_images_only_the_figure_to_remember_is_within_the_page(
    run_dir, data_source
):
    name = "02_other"
    row = pd.DataFrame([{"metric": "accuracy", "value": 0.5, "interval": "wilson", "k": 1, "n": 2}])
    records = record.make_records(row, notebook=name, data_source=data_source)
    record.write_metrics(run_dir / name, records)
    page = read_index(run_dir)
    sources = {tag["alt"]: tag["src"] for tag in page.tags["img"]}
    assert read_picture(sources.pop("Every claim."))
    assert set(sources.values()) == {
        "01_toy_notebook/figures/grad_cam_toy.png",
        "01_toy_notebook/figures/roc.png",
    }
    assert "real images are not kept within the page" in page.text


def test_a_run_of_which_only_numbers_are_kept_has_a_page_without_pictures(run_dir):
    for path in sorted(run_dir.glob("*/figures/*")) + sorted(run_dir.glob("*/*.ipynb")):
        path.unlink()
    page = read_index(run_dir)
    assert not page.tags["img"] and "The figure to remember" not in page.text
    assert "Energy in the mask" in page.text and "Report cards" in page.text


def test_a_run_without_results_says_so(tmp_path):
    page = read_index(tmp_path)
    assert "Nothing recorded yet." in page.text and not page.tags["table"]


def test_what_the_records_say_is_text_and_never_markup(tmp_path):
    run_dir = make_results(tmp_path / "demo", variant="<img src=x onerror=alert(1)>")
    page = read_index(run_dir, ["<b>bold</b>"])
    assert "<img src=x onerror=alert(1)> 0" in page.text and not page.tags["b"]
    assert all("onerror" not in tag for tag in page.tags["img"])


def test_the_last_figure_of_that_name_is_the_one_to_remember(run_dir):
    save_figure(run_dir / "09_later", report.FIGURE_TO_REMEMBER, "Later.")
    content = report.write_index(run_dir).read_text(encoding="utf-8")
    assert 'alt="Later."' in content and 'alt="Every claim."' not in content


def test_a_status_is_a_word_and_a_sign_beside_its_colour(run_dir):
    content = report.write_index(run_dir).read_text(encoding="utf-8")
    grid = content[content.index('<table id="grid"') :].split("</table>")[0]
    cells = re.findall(
        r'<td class="status ([\w-]+)"><span aria-hidden="true">(.)</span>'
        r'<span class="unseen">([\w ]+)</span></td>', grid,
    )  # fmt: skip
    assert sorted(cells) == sorted(
        [("fail", "✗", "fail")] + 2 * [("warn", "!", "warn")] + 2 * [("pass", "✓", "pass")]
        + 2 * [("not-testable", "?", "not testable")]
    )  # fmt: skip
    assert grid.count("no such check") == 1  # the second card has no row of duplicates


def test_a_strip_shows_the_numbers_of_its_row():
    row = {"ours": "9/10 = 0.900", "published": "", "interval": "0.800 to 1.000", "chance": "0.5"}
    strip = report_page._draw_strip(row)
    assert strip == {"lower": 80, "upper": 100, "ours": 90, "published": None, "chance": 50}
    assert report_page._draw_strip(row | {"interval": ""}) is None


def test_runs_and_energy_are_laid_out_one_row_each(run_dir):
    records = report.collect_records(run_dir)
    runs = report.make_runs_table(records)
    assert runs["run"].tolist() == ["toy 0", "toy 0", "toy 1", "toy 1", "toy 2", "toy 2"]
    first = runs[(runs["run"] == "toy 0") & (runs["seed"] == "20")].iloc[0]
    assert first["accuracy"] == "9/10 = 0.900" and first["interval"] == "0.800 to 1.000"
    assert first["auc"] == "0.750" and first["never_predicted"] == "0" and first["recall"] == ""
    energy = report.make_energy_table(records)
    assert energy["explained"].tolist() == ["covid, trained"]
    assert energy.loc[0, "area"] == "0.25 (0.80 to 1.00)" and energy.loc[0, "n"] == "10"
    nothing = report.collect_records(run_dir / "nothing")
    assert report.make_runs_table(nothing).empty and report.make_energy_table(nothing).empty


def test_the_same_results_give_the_same_page(run_dir):
    first = report.write_index(run_dir).read_bytes()
    assert report.write_index(run_dir).read_bytes() == first
