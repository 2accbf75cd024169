import json
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from leakage import environment, record
from leakcard import files


def make_scores():
    return pd.DataFrame(
        {
            "metric": ["accuracy", "auc"],
            "class": [None, "covid"],
            "interval": ["wilson", "none"],
            "value": [np.float32(0.5), 1 / 3],
            "lower": [0.25, np.nan],
            "upper": [0.75, np.nan],
            "k": [np.int64(2), None],
            "n": [4, None],
        }
    )


def test_records_have_all_columns_in_order_and_none_where_nothing_is_known():
    records = record.make_records(make_scores(), system="S1", seed=np.int64(20), verdict=None)
    assert tuple(records.columns) == record.RECORD_COLUMNS
    assert list(records["system"]) == ["S1", "S1"]
    assert records.loc[0, "k"] == 2 and records.loc[1, "k"] is None
    assert records.loc[1, "lower"] is None and records.loc[0, "published_k"] is None


def test_an_unknown_column_is_refused_with_the_columns_that_exist():
    with pytest.raises(ValueError, match="no column 'sytem'.*system, notebook"):
        record.make_records(make_scores(), sytem="S1")


def test_a_column_given_twice_is_refused():
    with pytest.raises(ValueError, match="given once.*metric"):
        record.make_records(make_scores(), metric="accuracy")


def test_equal_records_give_equal_bytes_and_come_back(tmp_path):
    records = record.make_records(make_scores(), system="S1", seed=20)
    first = record.write_metrics(tmp_path / "a", records).read_bytes()
    noise = records.assign(value=[0.5 + 1e-13, 1 / 3 - 1e-13])
    assert record.write_metrics(tmp_path / "b", noise).read_bytes() == first
    assert first.endswith(b"]\n")
    rows = json.loads(first)
    assert rows[0]["k"] == 2 and isinstance(rows[0]["k"], int)
    assert rows[1]["lower"] is None and rows[1]["value"] == 0.3333333333
    back = record.read_metrics(tmp_path / "a" / "metrics.json")
    assert back["seed"].tolist() == [20, 20] and math.isnan(back.loc[1, "lower"])
    assert record.write_metrics(tmp_path / "c", back).read_bytes() == first


def test_records_of_several_seeds_can_be_put_together(tmp_path):
    both = pd.concat([record.make_records(make_scores(), seed=s) for s in (1, 2)])
    path = record.write_metrics(tmp_path, both)
    assert [row["seed"] for row in json.loads(path.read_text())] == [1, 1, 2, 2]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyError):
        with files.open_atomic(path) as stream:
            stream.write("half")
            raise KeyError("stop")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_holds_numpy_values_and_null_for_nan(tmp_path):
    content = {"b": np.arange(2), "a": np.float64("nan"), "c": (np.bool_(True), pd.NA)}
    path = files.write_json(tmp_path / "x.json", content)
    assert json.loads(path.read_text()) == {"a": None, "b": [0, 1], "c": [True, None]}
    assert path.read_text().index('"a"') < path.read_text().index('"b"')


def test_a_figure_keeps_its_description_and_is_the_same_twice(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(record.display, "display", shown.append)
    figure = Figure()
    figure.subplots().plot([0, 1])
    first = record.save_figure(figure, tmp_path, "line", "A line from 0 to 1.").read_bytes()
    again = record.save_figure(figure, tmp_path, "line_again", "The same line.").read_bytes()
    assert first == again and first.startswith(b"\x89PNG")
    texts = json.loads((tmp_path / "figures" / "alt_texts.json").read_text())
    assert texts == {"line": "A line from 0 to 1.", "line_again": "The same line."}
    assert [picture.data for picture in shown] == [first, first]
    assert [picture.metadata["alt"] for picture in shown] == list(texts.values())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [("../x", "A line.", "letters, digits"), ("line", "  ", "needs a description")],
)
def test_a_figure_without_name_or_description_is_refused(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        record.save_figure(Figure(), tmp_path, name, text)


def test_predictions_do_not_tell_of_the_machine(tmp_path):
    frame = pd.DataFrame({"image_id": ["a"], "path": ["/home/x/a.png"], "p_covid": [0.1]})
    assert record.write_predictions(tmp_path, frame).read_text() == "image_id,p_covid\na,0.1\n"


def test_timings_are_seconds_to_a_tenth(tmp_path):
    path = record.write_timings(tmp_path, {"fit": 1.2345})
    assert json.loads(path.read_text()) == {"fit": 1.2}


def test_the_environment_names_versions_but_no_person_or_folder():
    found = environment.describe_environment()
    assert found["packages"]["numpy"] == np.__version__
    text = json.dumps(found)
    assert "/home" not in text and str(record.Path.home()) + "/" not in text


def test_results_keep_scores_predictions_and_figures_together(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAKAGE_OUTPUT_DIR", str(tmp_path / "out"))
    results = record.Results("01_toy", "phantoms", "vgg16", "random", system="S1", draw_seed=20)
    test = pd.DataFrame(
        {"image_id": list("abcd"), "label": list("ccdd"), "patient_id": list("abcd")}
    )
    scores = {27: np.eye(2)[[0, 0, 1, 0]], 1: np.eye(2)[[0, 0, 1, 1]]}
    rows = results.add_runs(test, scores, ["c", "d"], protocol="paper", variant="toy")
    results.add_scores(pd.DataFrame([{"metric": "area", "value": 0.5, "seed": 1}]), variant="b")
    results.save_figure(Figure(), "empty", "Nothing.")
    assert results.write() == ["figures", "metrics.json", "predictions.csv"]
    records = record.read_metrics(results.folder / "metrics.json")
    assert len(records) == len(rows) + 1 and set(records["system"]) == {"S1"}
    assert records["variant"].value_counts()["b"] == 1
    predicted = pd.read_csv(results.folder / "predictions.csv")
    is_right = predicted["label"] == predicted["predicted"]
    assert is_right.groupby(predicted["seed"]).sum().to_dict() == {1: 4, 27: 3}
    texts = json.loads((results.folder / "figures" / "alt_texts.json").read_text())
    assert "Phantoms" in texts["empty"]
