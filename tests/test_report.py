import pandas as pd
import pytest
from matplotlib.figure import Figure
from toy_results import read_page

from leakage import paths, record, report
from leakage import readme as readme_blocks
from leakcard import files


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
               "backbone": "vgg19", "weights": weights}  # fmt: skip
    records = record.make_records(pd.DataFrame(rows), **columns)
    record.write_metrics(folder / "01_toy_notebook", records)
    return folder


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
            "published": "125/140 = 0.893",
            "ours": "2/3 = 0.667",
            "interval": "0.200 to 0.900",
            "chance": "0.333",
            "seeds": 3,
            "spread": "0.333 to 1.000",
            "collapsed": 1,
            "recall": "covid 0.25",
            "verdict": "not comparable",
        }
    ]


def test_a_run_without_records_gives_an_empty_table_and_says_so(tmp_path):
    table = report.make_claims_table(report.collect_records(tmp_path))
    assert list(table.columns) == report.CLAIM_COLUMNS and table.empty
    assert "Nothing recorded" in report.write_summary(tmp_path).read_text()


def test_other_weights_are_another_claim(tmp_path):
    make_run(tmp_path)
    other = report.collect_records(make_run(tmp_path / "x", weights="imagenet"))
    both = pd.concat([report.collect_records(tmp_path), other])
    table = report.make_claims_table(both)
    assert table["weights"].tolist() == ["random", "imagenet"]
    assert table["seeds"].tolist() == [3, 3]


def test_the_index_links_notebook_and_figures_with_their_descriptions(tmp_path):
    folder = make_run(tmp_path) / "01_toy_notebook"
    record.save_figure(Figure(), folder, "empty", 'An <empty> "figure".')
    files.write_text(folder / "01_toy_notebook.html", "<p>")
    page = report.write_index(tmp_path, ["02 failed <here>"]).read_text()
    assert 'href="01_toy_notebook/01_toy_notebook.html"' in page
    assert 'An <empty> "figure".' in [tag["alt"] for tag in read_page(page).tags["img"]]
    assert "125/140 = 0.893" in page and "02 failed &lt;here&gt;" in page
    assert "viewport" in page and "http" not in page


def test_phantoms_and_random_weights_are_named(tmp_path):
    folder = make_run(tmp_path) / "01_toy_notebook"
    records = record.read_metrics(folder / "metrics.json")
    record.write_metrics(folder, records.assign(data_source="phantoms", weights="random (seed 0)"))
    for path in (report.write_summary(tmp_path), report.write_index(tmp_path)):
        text = path.read_text()
        assert "Made from phantoms" in text and "random weights" in text


def test_blocks_of_the_readme_are_replaced_and_the_rest_stays(tmp_path):
    make_run(tmp_path / "results" / "demo")
    readme = tmp_path / "README.md"
    before, after = "# Title\n<!-- results:demo -->\n", "<!-- /results:demo -->\nend\n"
    readme.write_text(f"{before}old\n{after}")
    assert not readme_blocks.is_readme_current(readme)
    assert readme_blocks.update_readme(readme)
    text = readme.read_text()
    assert text.startswith(before) and text.endswith(after) and "old" not in text
    assert "| 01 | three \\| classes |" in text and "Weights: vgg19: random" in text
    assert readme_blocks.is_readme_current(readme) and not readme_blocks.update_readme(readme)


def test_a_block_shows_the_notebooks_it_names_and_a_repeated_claim_once(tmp_path):
    folder = make_run(tmp_path / "demo")
    records = record.read_metrics(folder / "01_toy_notebook" / "metrics.json")
    again = records.assign(notebook="03_again")
    other = records.assign(notebook="04_other", variant="another claim")
    for name, frame in {"03_again": again, "04_other": other}.items():
        record.write_metrics(folder / name, record.make_records(frame))
    block = "<!-- results:demo{} -->\n<!-- /results:demo -->"
    everything = readme_blocks.fill_blocks(block.format(""), tmp_path)
    assert everything.count("three \\| classes") == 1 and "another claim" in everything
    chosen = readme_blocks.fill_blocks(block.format(" 03 04"), tmp_path)
    assert "| 03 | three" in chosen and "another claim" in chosen
    assert "another claim" not in readme_blocks.fill_blocks(block.format(" 01 03"), tmp_path)


def test_a_block_of_a_run_that_does_not_exist_is_refused(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("<!-- results:nothing -->\n<!-- /results:nothing -->\n")
    with pytest.raises(ValueError, match="results:nothing needs the records"):
        readme_blocks.update_readme(readme)


def test_the_tables_in_our_readme_are_what_the_results_say():
    readme = paths.ROOT / "README.md"
    if not readme.is_file():
        pytest.skip("no README in this checkout")
    assert readme_blocks.is_readme_current(readme), "run: python -m leakage.readme README.md"


def test_what_is_left_of_an_accuracy_stands_in_one_row_a_version(tmp_path):
    rows = []
    for version, mode, value in [
        ("full", "test-time", 0.9),
        ("border only", "test-time", 0.5),
        ("border only", "retrained", 0.8),
    ]:
        name = {"variant": f"net: {version}, {mode}", "n": 10, "class": "all"}
        bounds = {"lower": value - 0.1, "upper": value + 0.1}
        rows.append(name | bounds | {"metric": "counterfactual_accuracy", "value": value})
        rows.append(name | {"metric": "reliance", "value": value / 0.9})
    records = record.make_records(pd.DataFrame(rows), notebook="01_x", backbone="vgg19")
    table = report.make_reliance_table(records)
    assert table["version"].tolist() == ["full", "border only"]
    assert table.loc[1, "retrained"] == "0.800 (0.700 to 0.900), reliance 0.89"
    assert table.loc[0, "retrained"] == "" and table.loc[1, "model"] == "net, vgg19"
    record.write_metrics(tmp_path / "demo" / "01_x", records)
    filled = readme_blocks.fill_blocks("<!-- reliance:demo -->\n<!-- /reliance:demo -->", tmp_path)
    assert "| 01 | net, vgg19 | border only | 10 |" in filled


def test_the_table_of_marks_sets_planted_and_swapped_side_by_side(tmp_path):
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
    assert (line["mark"], line["treatment"], line["n"]) == ("letter", "inpaint+crop", 60)
    assert line["accuracy as planted"] == "0.900 (0.800 to 0.900)"
    assert line["difference"] == "0.700 (0.600 to 0.700)"
    record.write_metrics(tmp_path / "demo" / "05_x", records)
    filled = readme_blocks.fill_blocks("<!-- marks:demo -->\n<!-- /marks:demo -->", tmp_path)
    assert "| letter | inpaint+crop | 60 |" in filled


def test_a_run_with_real_images_says_which_rows_are_from_phantoms():
    rows = pd.DataFrame({"variant": ["study: none", "letter: none", "letter: crop"]})
    mixed = rows.assign(data_source=["real", "phantoms", "phantoms"], weights="imagenet")
    (note,) = report.list_notes(mixed)
    assert note.endswith("photographs: letter. The rest is real.")
    assert report.list_notes(mixed.assign(data_source="phantoms")) == [report.PHANTOM_NOTE]
    assert report.list_notes(mixed.assign(data_source="real")) == []


def test_the_list_of_runs_shows_each_with_its_declared_seed(tmp_path):
    row = {"metric": "accuracy", "interval": "wilson", "k": 6, "n": 10, "value": 0.6}
    row |= {"lower": 0.3, "upper": 0.8, "variant": "VGG16, frozen"}
    rows = [row | {"seed": 27}, row | {"seed": 1, "k": 2, "value": 0.2}]
    records = record.make_records(pd.DataFrame(rows), notebook="04_x", backbone="vgg16")
    record.write_metrics(tmp_path / "demo" / "04_x", records)
    filled = readme_blocks.fill_blocks("<!-- runs:demo -->\n<!-- /runs:demo -->", tmp_path)
    assert "| VGG16, frozen | vgg16 | 6/10 = 0.600 | 0.300 to 0.800 |" in filled
    assert "2/10" not in filled
