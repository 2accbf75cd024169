"""What a model's score is worth without the leak, from its predictions alone."""

import json

import numpy as np
import pandas as pd
import pytest

import leakcard
from leakage import paths
from leakcard import __main__ as command
from leakcard import card as cards
from leakcard import findings, predictions

LABELS = ("cat", "dog")


def make_card(num_test=60, num_leaked=20, seed=0):
    """A card of images without files: some test images are of patients in training."""
    rng = np.random.default_rng(seed)
    train = [(f"train_{k}", f"p{k}", "train", LABELS[k % 2]) for k in range(40)]
    test = [
        (f"test_{k:03d}", f"p{k}" if k < num_leaked else f"q{k // 2}", "test", LABELS[k % 2])
        for k in range(num_test)
    ]
    table = pd.DataFrame(
        [*train, *test], columns=["image_id", "patient_id", "split", "label"]
    ).assign(source="one", view=None, sex=None)
    table["sex"] = np.where(rng.random(len(table)) < 0.5, "F", "M")
    table["age_years"] = rng.integers(5, 90, len(table)).astype(float)
    nobody = pd.DataFrame(columns=["image_id_a", "split_a", "label_a"])
    nobody = nobody.join(pd.DataFrame(columns=["image_id_b", "split_b", "label_b", "kind"]))
    pairs = findings.list_pairs(nobody, None, table)
    units = findings.list_units(table, pairs)
    about = {"notes": [], "unreadable": [], "num_unreadable": 0}
    return cards.ReportCard([], about, table, pairs, units)


def say(card, wrong=()):
    """Predictions that are right but for some images."""
    test = card.table[card.table["split"] == "test"]
    other = dict(zip(LABELS, LABELS[::-1], strict=True))
    is_wrong = test["image_id"].isin(wrong)
    said = test["label"].where(~is_wrong, test["label"].map(other))
    return pd.DataFrame({"image": test["image_id"], "net": said})


def score(card, table, folder):
    path = folder / "predictions.csv"
    table.to_csv(path, index=False)
    return predictions.score_predictions(card, predictions.read_predictions(path, card))


def test_the_leak_adds_the_difference_that_a_hand_computes(tmp_path):
    card = make_card()
    wrong = [f"test_{k:03d}" for k in range(20, 40)]  # of the 40 clean ones
    scores = score(card, say(card, wrong), tmp_path).set_index(["group", "metric"])
    assert scores.loc[(predictions.ALL, "accuracy"), "value"] == pytest.approx(40 / 60)
    clean = scores.loc[(predictions.CLEAN, "accuracy")]
    assert (clean["value"], clean["n"]) == (0.5, 40)
    adds = scores.loc[("what the leak adds", "difference")]
    assert adds["value"] == pytest.approx(40 / 60 - 0.5)
    # Shares of two disjoint halves, resampled by unit: about the deviation of their difference.
    assert 0.05 < adds["lower"] < adds["value"] < adds["upper"] < 0.3
    (line,) = predictions.describe_scores(scores.reset_index())
    assert "0.667" in line and "0.500" in line and "the leak adds 16.7 points" in line


@pytest.mark.shared
def test_on_the_published_photographs_it_is_the_difference_of_the_committed_predictions(
    read_real, tmp_path
):
    run = paths.ROOT / "results" / "wolves" / "02_explore_convnet_activations"
    said = pd.read_csv(run / "predictions.csv")
    said = said[said["variant"] == "wolf/husky, white"]
    table = read_real("wolf_husky")
    white = table[table["source"].str.endswith("same_backgrounds")]
    by_seed = said.pivot_table("predicted", "image_id", "seed", aggfunc="first")
    by_seed = by_seed.rename(columns="seed {}".format).rename_axis("image").reset_index()
    scores = score(leakcard.audit(white, copies="fast", checks={}), by_seed, tmp_path)
    for seed, rows in said.groupby("seed"):
        is_right = (rows["predicted"] == rows["label"]).to_numpy()
        # Two of the twenty are in training, too: FACTS, and tests/test_audit_real.py.
        is_leaked = rows["image_id"].str.endswith(("/wolf_4.jpeg", "/wolf_6.jpeg")).to_numpy()
        assert is_leaked.sum() == 2 and len(rows) == 20
        told = scores[scores["model"] == f"seed {seed}"].set_index(["group", "metric"])["value"]
        by_hand = {
            (predictions.ALL, "accuracy"): is_right.mean(),
            (predictions.CLEAN, "accuracy"): is_right[~is_leaked].mean(),
            (predictions.LEAKED, "accuracy"): is_right[is_leaked].mean(),
            ("what the leak adds", "difference"): is_right.mean() - is_right[~is_leaked].mean(),
        }
        assert {name: told[name] for name in by_hand} == pytest.approx(by_hand)


def test_intervals_are_over_units_and_never_without_width(tmp_path):
    scores = score(make_card(), say(make_card()), tmp_path)
    accuracy = scores[scores["metric"] == "accuracy"]
    assert (accuracy["value"] == 1).all() and (accuracy["lower"] < 1).all()
    assert (scores["units"] <= scores["n"]).all()


def test_scores_of_several_models_are_read_and_their_calibration_is_measured(tmp_path):
    card = make_card(num_test=400, num_leaked=0)
    rng = np.random.default_rng(1)
    table = say(card)[["image"]]
    truth = (card.table.loc[card.table["split"] == "test", "label"] == "cat").to_numpy()
    for model, sureness in (("honest", 0.7), ("boastful", 0.95)):
        right = rng.random(len(table)) < 0.7
        table[f"{model}:cat"] = np.where(truth == right, sureness, 1 - sureness)
        table[f"{model}:dog"] = 1 - table[f"{model}:cat"]
    scores = score(card, table, tmp_path)
    over = scores[scores["metric"] == "overconfidence"].set_index("model")
    assert over.loc["honest", "lower"] < 0 < over.loc["honest", "upper"]
    assert over.loc["boastful", "lower"] > 0.15
    lines = predictions.describe_scores(scores)
    assert len(lines) == 2 and all("nothing of them was found in training" in x for x in lines)


def test_an_image_without_a_label_is_left_out_and_counted_not_wrong(tmp_path):
    card = make_card()
    said = say(card)
    for table, column in ((card.table, "image_id"), (card.units, "image")):
        table.loc[table[column].isin(["test_003", "test_030"]), "label"] = None
    scores = score(card, said, tmp_path)
    whole = scores.set_index(["group", "metric"]).loc[(predictions.ALL, "accuracy")]
    assert (whole["value"], whole["n"]) == (1, 58)
    assert predictions.describe_scores(scores)[1:] == ["Not scored: 2 test images without a label."]
    without = said[said["image"] != "test_003"]  # nor need a model have said anything of it
    assert score(card, without, tmp_path)["n"].max() == 58


@pytest.mark.parametrize("name", ["NA", "None", "null"])
def test_a_class_may_be_called_as_others_call_what_is_missing(tmp_path, name):
    card = make_card()
    for table in (card.table, card.units):
        table["label"] = table["label"].replace("dog", name)
    said = say(make_card()).replace("dog", name)
    scores = score(card, said, tmp_path).set_index(["group", "metric"])
    assert scores.loc[(predictions.ALL, "accuracy"), "value"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"image": "who"}), "name no images.*Expected a column image"),
        (lambda t: t.assign(image=t["image"] + "x"), r"60 images are unknown.*test_000x"),
        (lambda t: t.iloc[1:], "1 test images are left out.*test_000"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "1 images are there twice"),
        (lambda t: t.assign(net="bird"), "'net' is none of a model.*cat, dog.*bird"),
        (lambda t: t[["image"]].assign(cat=0.5), "some classes alone.*none for dog"),
        (lambda t: t[["image"]].assign(cat="high", dog=0.5), "60 scores are no numbers.*'high'"),
        (lambda t: t[["image"]], "hold no model"),
    ],
)
def test_predictions_that_do_not_fit_are_refused_in_words(tmp_path, change, message):
    card = make_card()
    with pytest.raises(ValueError, match=message):
        score(card, change(say(card)), tmp_path)


def test_the_command_tells_and_shows_it_and_keeps_the_card_if_the_file_is_wrong(tmp_path, capsys):
    listed = make_card().table.rename(columns={"image_id": "path"})
    (tmp_path / "set").mkdir()
    listed.to_csv(tmp_path / "set" / "list.csv", index=False)
    said = say(make_card(), ["test_030"])
    said.to_csv(tmp_path / "said.csv", index=False)
    arguments = ["audit", str(tmp_path / "set" / "list.csv"), "--out", str(tmp_path / "card")]
    arguments += ["--predictions", str(tmp_path / "said.csv")]
    assert command.main(arguments) == 1
    assert "net: accuracy 0.983" in capsys.readouterr().out
    page = (tmp_path / "card" / "report_card.html").read_text(encoding="utf-8")
    assert "What the scores are worth" in page and "<svg" in page
    assert (tmp_path / "card" / "scores.csv").exists()
    said.iloc[3:].to_csv(tmp_path / "said.csv", index=False)
    arguments[3] = str(tmp_path / "second")
    assert command.main(arguments) == 2
    assert "3 test images are left out" in capsys.readouterr().err
    assert json.loads((tmp_path / "second" / "report_card.json").read_text())["rows"]
