import os
import re

import pandas as pd
import pytest
from toy_results import AT_A_GLANCE, NAME, make_results, read_page

import leakcard
from leakage import evaluation, paths, record, report
from leakage import readme as readme_blocks
from leakcard import files


@pytest.fixture
def run_dir(tmp_path):
    return make_results(tmp_path / "demo")


def make_row(metric="accuracy", seed=20, value=0.5, **columns):
    return {"metric": metric, "interval": "wilson", "value": value, "seed": seed} | columns


def make_run(folder, weights="random"):
    rows = [
        make_row(value=2 / 3, k=2, n=3, lower=0.2, upper=0.9, published_k=125, published_n=140,
                 verdict="not comparable"),
        make_row(value=2 / 3, interval="cluster", lower=0.1, upper=0.95),
        make_row("num_classes_never_predicted", value=0, interval="none"),
        make_row("chance", value=1 / 3, interval="none"),
        make_row(seed=1, value=1 / 3, k=1, n=3),
        make_row("recall", value=0.25, **{"class": "covid"}),
        make_row("recall", value=0.5, **{"class": "normal"}),
        make_row("recall", seed=1, value=0.0, **{"class": "normal"}),
        make_row("num_classes_never_predicted", seed=1, value=2, interval="none"),
        make_row(seed=2, value=1.0, k=3, n=3),
    ]  # fmt: skip
    columns = {"system": "S1", "notebook": "01", "protocol": "paper", "variant": "three | classes",
               "data_source": "real", "backbone": "vgg19", "weights": weights}  # fmt: skip
    records = record.make_records(pd.DataFrame(rows), **columns)
    record.write_metrics(folder / NAME, records)
    return folder


def read_index(run_dir, remarks=()):
    return read_page(report.write_index(run_dir, remarks).read_text(encoding="utf-8"))


def test_a_claim_is_the_declared_seed_beside_the_published_value(tmp_path):
    table = report.make_claims_table(report.collect_records(make_run(tmp_path)))
    assert table.to_dict("records") == [
        {
            "system": "S1",
            "notebook": "01",
            "claim": "three | classes",
            "protocol": "paper",
            "backbone": "vgg19",
            "weights": "random",
            "data_source": "real",
            "published": "125/140 = 0.893",
            "ours": "2/3 = 0.667",
            "interval": "0.100 to 0.950",  # over patients: wider than Wilson's
            "chance": "0.333",
            "seeds": 3,
            "spread": "0.333 to 1.000",
            "collapsed": 1,
            "recall": "covid 0.25",
            "verdict": "not comparable",
            "reason": "",
        }
    ]


def test_claims_are_numbers_before_they_are_text(tmp_path):
    (claim,) = report.find_claims(report.collect_records(make_run(tmp_path))).to_dict("records")
    assert claim["seeds"] == pytest.approx([2 / 3, 1 / 3, 1])
    assert claim["chance"] == pytest.approx(1 / 3)
    assert (claim["k"], claim["n"], claim["published_k"], claim["recall"]) == (2, 3, 125, 0.25)


def test_a_run_without_records_gives_an_empty_table_and_says_so(tmp_path):
    table = report.make_claims_table(report.collect_records(tmp_path))
    assert list(table.columns) == report.CLAIM_COLUMNS and table.empty
    assert "Nothing recorded" in report.write_summary(tmp_path).read_text()
    page = read_index(tmp_path)
    assert "Nothing recorded yet." in page.text and not page.tags["table"]


def test_other_weights_are_another_claim(tmp_path):
    make_run(tmp_path)
    other = report.collect_records(make_run(tmp_path / "x", weights="imagenet"))
    table = report.make_claims_table(pd.concat([report.collect_records(tmp_path), other]))
    assert table["weights"].tolist() == ["random", "imagenet"]
    assert table["seeds"].tolist() == [3, 3]


def test_records_that_lack_the_newest_columns_are_read(tmp_path):
    path = make_run(tmp_path) / NAME / "metrics.json"
    path.write_text(path.read_text().replace('"mode": null, ', "").replace('"version": null, ', ""))
    assert '"mode"' not in path.read_text()
    records = report.collect_records(tmp_path)
    assert list(records.columns) == list(record.RECORD_COLUMNS) and records["mode"].isna().all()


def test_phantoms_and_random_weights_are_named(run_dir):
    for path in (report.write_summary(run_dir), report.write_index(run_dir)):
        text = path.read_text()
        assert "Made from phantoms" in text and "random weights" in text


def test_a_run_with_real_images_says_which_rows_are_from_phantoms():
    rows = pd.DataFrame({"variant": ["study: none", "letter: none", "letter: crop"]})
    mixed = rows.assign(data_source=["real", "phantoms", "phantoms"], weights="imagenet")
    (note,) = report.list_notes(mixed)
    assert note.endswith("the rows whose data are `phantoms` (2 of 3 variants).")
    assert report.list_notes(mixed.assign(data_source="phantoms")) == [report.PHANTOM_NOTE]
    assert report.list_notes(mixed.assign(data_source="real")) == []


@pytest.mark.parametrize(
    ("other", "note"), [("from scratch", "no statement about"), ("imagenet", "^Rows .* nothing")]
)
def test_random_weights_are_not_said_of_rows_that_have_others(other, note):
    records = pd.DataFrame({"weights": ["random (seed 0)", other], "data_source": "real"})
    (said,) = report.list_notes(records)
    assert re.search(note, said)


def test_the_summary_has_every_table_of_the_run(run_dir):
    text = report.write_summary(run_dir, ["02 failed."]).read_text()
    assert "02 failed." in text and f"- `{NAME}`" in text
    assert "| 01 | toy 0 | vgg19 | 8/10 = 0.800 | 9/10 = 0.900 |" in text
    for title in ("Claims", "Where the evidence of Grad-CAM lies", "Every run"):
        assert f"## {title}" in text
    assert "counterfactual" not in text  # no such records, no such table


def test_what_is_left_of_an_accuracy_stands_in_one_row_a_version():
    rows = []
    for version, mode, value in [
        ("full", "test-time", 0.9),
        ("border only", "test-time", 0.5),
        ("border only", "retrained", 0.8),
    ]:
        name = {"variant": "a: b", "version": version, "mode": mode, "n": 10, "class": "all"}
        bounds = {"lower": value - 0.1, "upper": value + 0.1}
        rows.append(name | bounds | {"metric": "counterfactual_accuracy", "value": value})
        lost = {"metric": "counterfactual_difference", "value": value - 0.9, "lower": value - 1}
        rows.append(name | lost | {"upper": value - 0.8})
    records = record.make_records(pd.DataFrame(rows), notebook="01_x", backbone="vgg19")
    table = report.make_counterfactual_table(records)
    assert table["version"].tolist() == ["full", "border only"]
    assert table.loc[1, "retrained"] == "0.800 (0.700 to 0.900), -10.0 points (-20.0 to +0.0)"
    assert table.loc[0, "retrained"] == "" and table.loc[1, "variant"] == "a: b"


def test_the_table_of_marks_sets_planted_and_swapped_side_by_side():
    name = {"variant": "letter: inpaint+crop", "seed": 27, "n": 60}
    rows = [
        name | {"metric": metric, "interval": interval, "value": v, "lower": v - 0.1, "upper": v}
        for metric, interval, v in (
            ("accuracy", "wilson", 0.9),
            ("accuracy", "patient_bootstrap", 0.8),
            ("swapped_accuracy", "wilson", 0.2),
            ("mark_use", "paired", 0.7),
        )
    ]
    rows.append(rows[0] | {"variant": "study: crop"})  # without a mark
    records = record.make_records(pd.DataFrame(rows), notebook="05_x", backbone="vgg19")
    (line,) = report.make_mark_table(records).to_dict("records")
    assert (line["variant"], line["n"]) == ("letter: inpaint+crop", "60")
    assert line["accuracy as planted"] == "0.900 (0.800 to 0.900)"
    assert line["difference"] == "0.700 (0.600 to 0.700)"


def test_the_table_of_worths_has_both_intervals_and_what_could_be_seen():
    worth = {"contrast": "copies", "num_draws": 24, "worth": 0.1, "lower": 0.05, "upper": 0.15,
             "patient_lower": 0.08, "patient_upper": 0.12, "p_value": 0.01, "p_holm": 0.06,
             "smallest": 0.07}  # fmt: skip
    rows = evaluation.list_worth_scores(pd.DataFrame([worth]), "accuracy")
    records = record.make_records(rows, notebook="04_x", backbone="vgg16", protocol="H3")
    (line,) = report.make_worth_table(records).to_dict("records")
    assert (line["protocol"], line["class"], line["n"]) == ("H3", "accuracy", "24")
    assert line["worth"] == "0.100 (0.050 to 0.150)"
    assert line["over patients"] == "0.100 (0.080 to 0.120)"
    assert line["p (Holm)"] == "0.060" and line["smallest seen"] == "0.070"


def test_runs_and_energy_are_laid_out_one_row_each(run_dir):
    records = report.collect_records(run_dir)
    runs = report.make_runs_table(records)
    assert runs["variant"].tolist() == ["toy 0", "toy 0", "toy 1", "toy 1", "toy 2", "toy 2"]
    first = runs[(runs["variant"] == "toy 0") & (runs["seed"] == "20")].iloc[0]
    assert first["accuracy"] == "9/10 = 0.900" and first["interval"] == "0.800 to 1.000"
    assert first["auc"] == "0.750" and first["lost"] == "0" and first["recall"] == ""
    (energy,) = report.make_energy_table(records).to_dict("records")
    assert energy["class"] == "covid, trained"
    assert energy["area"] == "0.25 (0.80 to 1.00)" and energy["n"] == "10"


def test_the_page_is_notebook_08_without_its_code(run_dir):
    page = read_index(run_dir, ["02 failed <here>"])
    for words in ("Results: demo", "Made from phantoms", "02 failed <here>", "What was found.",
                  "3 claims", "8/10 = 0.800", "nothing here is fit for medical use"):  # fmt: skip
        assert words in page.text
    assert "secrets_of_the_code" not in page.text and "example.org" not in str(page.elements)
    assert [tag["alt"] for tag in page.tags["img"]] == ["Every claim.", 'An <odd> "curve".']
    assert all(tag["src"].startswith("data:image/") for tag in page.tags["img"])


@pytest.mark.parametrize("fault", ["missing", "older"])
def test_without_a_current_08_the_page_has_the_claims_and_the_links(run_dir, fault):
    path = run_dir / AT_A_GLANCE / f"{AT_A_GLANCE}.ipynb"
    path.unlink() if fault == "missing" else os.utime(path, (0, 0))
    page = read_index(run_dir)
    assert "was not run after the others" in page.text and "8/10 = 0.800" in page.text
    assert "What was found." not in page.text and "An <odd>" in str(page.tags["img"])


def test_headings_tables_and_links_tell_what_they_are(run_dir):
    page = read_index(run_dir)
    assert len(page.tags["caption"]) == len(page.tags["table"]) == 1
    assert all(tag.get("scope") in ("col", "row") for tag in page.tags["th"])
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    steps = zip(page.headings, page.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)
    names = [tag["id"] for tag in page.elements if "id" in tag]
    assert len(set(names)) == len(names)
    for address in (tag["href"] for tag in page.tags["a"]):
        assert address[1:] in names if address[0] == "#" else (run_dir / address).is_file()
    links = " ".join(tag["href"] for tag in page.tags["a"])
    for name in (f"{NAME}.ipynb", "metrics.json", "report_card_01_first_draw.md"):
        assert f"{NAME}/{name}" in links


def test_what_the_records_say_is_text_and_never_markup(tmp_path):
    run_dir = make_results(tmp_path / "demo", variant="<img src=x onerror=alert(1)>")
    page = read_index(run_dir, ["<b>bold</b>"])
    assert "<img src=x onerror=alert(1)> 0" in page.text and not page.tags["b"]
    assert all("onerror" not in tag for tag in page.tags["img"])


def test_pictures_of_real_images_are_linked_and_never_within_the_page(tmp_path):
    run_dir = make_results(tmp_path / "mixed", data_source="real")
    page = read_index(run_dir)
    assert page.tags["img"][1]["src"] == f"{NAME}/figures/roc.png"
    assert "those of a run on real images are not kept within the page" in page.text


def test_the_same_results_give_the_same_page(run_dir):
    first = report.write_index(run_dir).read_bytes()
    assert report.write_index(run_dir).read_bytes() == first


def make_study(results_dir):
    """What the README is written from: runs with the rows it shows, and four benchmarks."""
    about = {"num_rows": 3, "num_images": 3, "splits": {}, "labels": [], "num_unreadable": 0,
             "unreadable": [], "is_phantom": False}  # fmt: skip
    row = leakcard.Row(
        "L2", "border_classifier", "Border", "fail", "x", value=0.875, lower=0.5, upper=0.9
    )
    for _, run, notebook, name, protocol in readme_blocks.ROWS:
        folder = results_dir / run / f"{notebook}_toy"
        if protocol is None:
            leakcard.write_cards(folder, {name: leakcard.ReportCard([row], about)})
            continue
        accuracy = {"variant": name, "protocol": protocol, "k": 9, "n": 10, "published_k": 8}
        accuracy |= {"published_n": 10, "verdict": "inconclusive", "lower": 0.6, "upper": 0.99}
        rows = [make_row(value=0.9, **accuracy)]
        rows.append(make_row("chance", value=0.375, variant=name, protocol=protocol))
        new = record.make_records(pd.DataFrame(rows), notebook=f"{notebook}_toy")
        if (folder / "metrics.json").is_file():
            new = pd.concat([record.read_metrics(folder / "metrics.json").astype(object), new])
        record.write_metrics(folder, new)
    machine = {"processor": "a processor", "num_cores": 2}
    study = {"1 seed": {"times_faster": {"seconds": 28.6}}}
    benchmarks = results_dir / "benchmarks"
    files.write_json(benchmarks / "ancestor.json", {"published_study": study, "machine": machine})
    runs = [{"num_images": 2000, "seconds": 24.2, "gigabytes": 0.54}]
    told = {"runs": runs, "num_real": 1500, "machine": {"processor": "Toy", "num_cores": 2}}
    files.write_json(benchmarks / "audit.json", told)
    told = {"name": "toy", "rows": 30, "moved": 2, "dropped": {"copy": 1}}
    told["before"] = {"test_images": 9, "shared": {"duplicates": 0.125, "patients": None}}
    told["after"] = {"test_images": 8, "shared": {"duplicates": 0, "patients": None}}
    runs = [{"num_images": 20000, "seconds": 0.21}]
    repairs = {"runs": runs, "real": [told], "machine": {"processor": "Toy", "num_cores": 2}}
    files.write_json(benchmarks / "repair.json", repairs)
    told = {"model": "letter", "seeds": 20, "named": 19, "parts": ["marks"], "mean_accuracy": 1}
    told["mean_points"] = {"border": 0.0, "marks": 51.5}
    files.write_json(benchmarks / "probes.json", {"models": [told]})


def test_the_readme_is_written_from_the_results(tmp_path):
    make_study(tmp_path / "results")
    readme, picture = tmp_path / "README.md", tmp_path / readme_blocks.PICTURE
    names = ("finding", "results", "picture", "repair", "draws")
    blocks = "\n".join(f"<!-- {name} -->\nold\n<!-- /{name} -->" for name in names)
    readme.write_text(f"# Title\n{blocks}\nend\n")
    speed = tmp_path / "docs" / "speed.md"
    files.write_text(speed, "<!-- speed -->\n<!-- /speed -->\n")
    probes = tmp_path / "docs" / "probes.md"
    files.write_text(probes, "<!-- probes -->\n<!-- /probes -->\n")
    changed = readme_blocks.update_readme(readme)
    assert changed == ["README.md", "speed.md", "probes.md", "results.png"]
    assert "| letter | 1.000 | 19 of 20 | marks | border +0.0, marks +51.5 |" in probes.read_text()
    text = readme.read_text()
    assert text.startswith("# Title") and text.endswith("end\n") and "old" not in text
    assert "apart on 80.0% of chest X-rays (8 of 10; the best of 15 networks)" in text
    assert "nothing but the border of these images reaches 87.5% [50.0%, 90.0%]" in text
    assert "| accuracy of | draw 20 |\n|---|---|\n" in text
    assert "children) | 0.900 (0.600 to 0.990); 90.0% to 90.0% over 1 seeds |" in text
    assert "| toy | 30 | 2 | 1 | 9 → 8 | 12.5% → 0.0% |" in text
    assert "| 0.800 (8 of 10) | 0.900 (9 of 10) | 0.600 to 0.990 | 0.375 |" in text
    for line in (
        "| published study, 1 seed: feature bank and heads, times faster | 29 |",
        "| report card of 1,500 real X-rays and 500 phantoms | 24 s, at most 0.54 GB |",
    ):
        assert line in speed.read_text()
    assert readme_blocks.read_description(picture) in text
    assert readme_blocks.update_readme(readme) == []


def test_a_row_that_no_run_has_is_named(tmp_path):
    make_study(tmp_path)
    path = tmp_path / readme_blocks.WOLVES_RUN / "02_toy" / "metrics.json"
    path.unlink()
    with pytest.raises(ValueError, match="README shows 'wolf/husky, own backgrounds'.*--name"):
        readme_blocks.collect_rows(tmp_path)


def test_our_readme_says_what_the_results_say():
    readme = paths.ROOT / "README.md"
    if not readme.is_file():
        pytest.skip("no README in this checkout")
    for path in (readme, *(paths.ROOT / name for name in readme_blocks.DOCS)):
        text = path.read_text(encoding="utf-8")
        now = readme_blocks.fill_blocks(text, paths.ROOT / "results")
        assert text == now, "run: python -m leakage.readme README.md"
    for name, (describe, _) in readme_blocks.PICTURES.items():
        told = readme_blocks.read_description(paths.ROOT / name)
        assert told == describe(paths.ROOT / "results"), f"run: python -m leakage.readme ({name})"


def test_links_of_readme_and_docs_lead_to_something():
    pages = [paths.ROOT / "README.md", *sorted((paths.ROOT / "docs").glob("*.md"))]
    for page in pages:
        for address in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if not address.startswith("http"):
                assert (page.parent / address).exists(), f"{page.name}: {address}"
