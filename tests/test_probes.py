"""`leakcard probes`: who reads a planted letter is named, who reads the lesion is not."""

import html
import re
import runpy
import sys

import numpy as np
import pandas as pd
import planted
import pytest
import toys

from benchmarks import probes as benchmark
from leakage import paths
from leakcard import __main__ as command
from leakcard import images, model_card, probes, versions
from phantoms import sets

LABELS = ("case", "control")


@pytest.fixture(autouse=True)
def no_search(monkeypatch):
    """Leave the search for near-duplicates to its own tests."""
    monkeypatch.setattr("leakcard.copies.search.find_duplicates", planted.find_same_files)


def write_list(folder, name="letters", num_images=40, seed=0, split="test", **columns):
    """A planted set as images and list.csv; all in one split."""
    table, pictures = sets.SETS[name](num_images, seed)
    table = sets.write_set(folder / "images", table.assign(split=split, **columns), pictures)
    table.to_csv(folder / "list.csv", index=False)
    return table


def run(*arguments):
    return command.main(["probes", *map(str, arguments)])


def answer(out, path, **models):
    """What functions of the pixels say of the probes, as a file."""
    manifest = pd.read_csv(out / "manifest.csv")
    pictures = [images.decode_image(out / "images" / name) for name in manifest["image"]]
    said = {name: [call(picture) for picture in pictures] for name, call in models.items()}
    manifest[["image"]].assign(**said).to_csv(path, index=False)
    return manifest


def make_manifest(labels, calls, units=None):
    """A manifest without images, and the answers: `calls` by version, one an image."""
    rows, said = [], {}
    for version, some in calls.items():
        for number, (label, call) in enumerate(zip(labels, some, strict=True)):
            other = {"a": "b", "b": "a"}[label]
            donor = label if version.endswith("own_class") else other
            donor = donor if version.endswith("class") else None
            unit = number if units is None else units[number]
            name = f"{number}_{version}.png"
            said[name] = call
            rows.append((name, version, f"{number}", label, unit, donor, donor, 0.1))
    manifest = pd.DataFrame(rows, columns=probes.MANIFEST_COLUMNS)
    return manifest, {"net": pd.Series(said)}


# ---------------------------------------------------------------------------- who is named


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("kind", "num_images", "parts"), [("letter", 40, {"marks"}), ("lesion, texture", 60, set())]
)
def test_the_reader_of_a_letter_is_named_and_the_reader_of_the_lesion_is_not(
    seed, kind, num_images, parts
):
    options = type("Options", (), {"num_images": num_images, "size_px": 96})
    found = benchmark.measure_seed(kind, seed, options, None)
    assert set(found["named"]) == parts and found["accuracy"] > 0.9


def test_the_reader_of_a_letter_in_the_corner_follows_the_border():
    options = type("Options", (), {"num_images": 40, "size_px": 96})
    found = benchmark.measure_seed("letter in the corner", 0, options, None)
    assert "border" in found["named"] and found["points"]["border"] > 80


def test_a_reader_of_lungs_is_not_named_where_marks_follow_the_label(tmp_path):
    options = type("Options", (), {"num_images": 60, "size_px": 96})
    reader = benchmark.fit_reader(tmp_path / "fitted", 300, 96)
    found = benchmark.measure_seed("lesion, chest, marks follow it", 0, options, reader)
    assert found["named"] == [] and found["accuracy"] > 0.8 and "background" in found["points"]


def test_models_that_look_at_nothing_are_hardly_ever_named():
    rng = np.random.default_rng(0)
    kinds = ["original", "border_only", *(f"{part}_of_{kind}_class" for part in model_card.PARTS
             for kind in ("own", "other"))]  # fmt: skip
    labels, named = list("ab" * 40), 0
    for seed in range(40):
        calls = {kind: rng.choice(["a", "b"], len(labels)) for kind in kinds}
        scores = model_card.score_probes(*make_manifest(labels, calls), 500, seed)
        named += bool(model_card.name_used(scores, "net"))
    assert named <= 4  # 2.5 % of the 40 are expected


# ---------------------------------------------------------------------------- the numbers


def test_scores_are_those_that_a_hand_computes():
    labels = list("ab" * 20)
    swapped = ["b" if label == "a" else "a" for label in labels]
    calls = {
        "original": labels[:36] + swapped[36:],  # 4 wrong
        "blurred": ["a"] * 40,
        "border_only": ["a"] * 40,
        "border_of_own_class": labels,
        "border_of_other_class": swapped[:30] + labels[30:],
    }
    scores = model_card.score_probes(*make_manifest(labels, calls))
    found = scores.set_index(["version", "metric"])
    value = found["value"]
    assert value[("original", "accuracy")] == 0.9 and value[("blurred", "accuracy")] == 0.5
    assert value[("blurred", "difference")] == pytest.approx(-0.4)
    was_b = sum(call == "b" for call in calls["original"])
    assert value[("blurred", "changed")] == was_b / 40
    assert value[("border_only", "balanced accuracy")] == 0.5
    assert found.loc[("border_only", "balanced accuracy"), "verdict"] != "enough to tell classes"
    assert value[("border_of_other_class", "follows")] == 0.75
    assert value[("border_of_other_class", "follows own")] == 0
    use = found.loc[("border_of_other_class", "use")]
    assert use["value"] == 0.75 and 0.4 < use["lower"] < 0.75 < use["upper"] < 1
    assert use["verdict"] == "follows" and model_card.name_used(scores, "net") == ["border"]
    status, title = model_card.judge(scores, "net")
    assert (status, title) == ("fail", "net: the model follows the border.")
    assert found.loc[("blurred", "difference"), "verdict"] == "worse"


def test_a_loss_by_both_transplants_alike_is_surprise_and_not_use():
    labels = list("ab" * 60)
    calls = {"original": labels, "border_of_own_class": ["a"] * 120}
    calls["border_of_other_class"] = ["a"] * 120
    scores = model_card.score_probes(*make_manifest(labels, calls))
    found = scores.set_index(["version", "metric"])
    assert found.loc[("border_of_other_class", "difference"), "verdict"] == "worse"
    assert found.loc[("border_of_other_class", "use"), "value"] == 0
    assert model_card.judge(scores, "net")[0] == "pass"


def test_of_a_model_that_tells_no_classes_apart_it_is_not_said_that_it_passes():
    calls = ("original", "border_of_own_class", "border_of_other_class")
    calls = dict.fromkeys(calls, ["a"] * 120)
    scores = model_card.score_probes(*make_manifest(list("ab" * 60), calls))
    status, title = model_card.judge(scores, "net")
    assert status == "not testable" and "not shown to tell the classes apart at all" in title


def test_intervals_are_over_units():
    labels, calls = list("ab" * 30), {}
    calls["original"] = labels
    calls["blurred"] = [labels[k] if k % 3 else "a" for k in range(60)]
    alone = model_card.score_probes(*make_manifest(labels, calls))
    joined = model_card.score_probes(*make_manifest(labels, calls, [k // 20 for k in range(60)]))
    widths = [
        (rows["upper"] - rows["lower"]).to_numpy()[1:]
        for rows in (alone[alone["metric"] == "accuracy"], joined[joined["metric"] == "accuracy"])
    ]
    assert (joined["units"] == 3).all() and (widths[0] <= widths[1] + 0.15).all()


def test_a_border_that_is_enough_is_a_warning_on_top():
    labels = list("ab" * 30)
    calls = {"original": labels, "border_only": labels}
    scores = model_card.score_probes(*make_manifest(labels, calls))
    status, title = model_card.judge(scores, "net")
    assert status == "warn" and "border only is enough" in title


# ---------------------------------------------------------------------------- the images


def test_versions_keep_and_take_away_what_they_say():
    rng = np.random.default_rng(0)
    image, donor = rng.integers(1, 255, (2, 60, 80, 3), dtype=np.uint8)
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:50] = True
    made = versions.make_versions(image, mask, {"other_class": (donor[::2, ::2], mask[::2, ::2])})
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in made.values())
    assert next(iter(made)) == "original" and (made["mirrored"] == image[:, ::-1]).all()
    for name, rows, columns in (("centre_only", 9, 12), ("border_only", 6, 8)):
        inside = np.zeros((60, 80), bool)
        inside[rows:-rows, columns:-columns] = True
        kept = inside if name == "centre_only" else ~inside
        assert (made[name][kept] == image[kept]).all() and not made[name][~kept].any()
    assert (made["subject_only"][mask] == image[mask]).all()
    assert not made["subject_only"][~mask].any() and not made["background_only"][mask].any()
    assert (made["border_of_other_class"][6:-6, 8:-8] == image[6:-6, 8:-8]).all()
    assert (made["border_of_other_class"][:6] != image[:6]).any()
    assert (made["background_of_other_class"][mask] == image[mask]).all()
    assert (made["background_of_other_class"][~mask] != image[~mask]).any()


def test_a_letter_is_painted_out_and_carried_over():
    rng = np.random.default_rng(0)
    plain = np.clip(sets.draw_subject(rng), 0, 255)
    marked = plain.copy()
    sets.add_mark(marked, sets.L_MARK, np.inf, (20, 20))
    plain, marked = (np.repeat(one[..., None].astype(np.uint8), 3, 2) for one in (plain, marked))
    place = (slice(20, 26), slice(20, 24))
    made = versions.make_versions(marked, None, {"other_class": (plain, None)})
    assert made["marks_painted_out"][place][sets.L_MARK].max() < 200
    assert (made["marks_of_other_class"] == made["marks_painted_out"]).all()
    back = versions.make_versions(plain, None, {"other_class": (marked, None)})
    assert (back["marks_of_other_class"][place][sets.L_MARK] == 255).all()
    assert (back["marks_painted_out"] == plain).all()


# ---------------------------------------------------------------------------- the command


def test_the_round_trip_names_the_model_and_leaves_the_images_alone(tmp_path, capsys):
    write_list(tmp_path, num_images=60)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()}
    out = tmp_path / "probes"
    assert run(tmp_path / "list.csv", "--out", out) == 0
    told = capsys.readouterr().out
    assert "60 test images of 60 units, 12 versions, 720 probes." in told
    assert re.search(r"marks were found in \d+ of 30 case, 0 of 30 control", told)
    assert "no masks are given" in told
    letter = sets.LETTERS[np.random.default_rng([0, 2]).integers(len(sets.LETTERS))]
    reads = benchmark.read_letter(letter, range(6, 10))
    manifest = answer(out, tmp_path / "scores.csv", net=reads, same=lambda picture: "case")
    pasted = manifest[manifest["donor"].notna()]
    labels = manifest.drop_duplicates("original").set_index("original")["label"]
    assert (pasted["donor"].map(labels) == pasted["donor_label"]).all()
    assert (pasted["donor"] != pasted["original"]).all()
    is_own = pasted["version"].str.endswith("own_class")
    assert ((pasted["donor_label"] == pasted["label"]) == is_own).all()

    scores = ["--predictions", tmp_path / "scores.csv"]
    assert run(tmp_path / "list.csv", "--out", out, *scores) == 1
    told = capsys.readouterr().out
    assert "net: the model follows small bright marks." in told
    assert "same: no use was shown" in told and "mixes use with surprise" in told
    page = (out / "model_card.html").read_text()
    assert "the model follows small bright marks" in page and "data:image/jpeg" in page
    assert "no masks are given" in html.unescape(page) and "What a loss means" in page
    assert not re.search(r"https?://|<script|src=\"(?!data:)", page)
    card = pd.read_csv(out / "model_card.csv")
    assert list(card.columns) == model_card.COLUMNS and set(card["model"]) == {"net", "same"}
    assert run(tmp_path / "list.csv", "--out", out, *scores, "--no-pictures") == 1
    assert "<img" not in (out / "model_card.html").read_text()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_scores_a_class_are_read_and_a_constant_model_gives_exit_code_0(tmp_path, capsys):
    write_list(tmp_path, "plain", num_images=12)
    out = tmp_path / "probes"
    assert run(tmp_path / "list.csv", "--out", out) == 0
    manifest = pd.read_csv(out / "manifest.csv")
    manifest[["image"]].assign(case=0.7, control=0.3).to_csv(tmp_path / "s.csv", index=False)
    assert run(tmp_path / "list.csv", "--out", out, "--predictions", tmp_path / "s.csv") == 0
    assert "model: no use was shown" in capsys.readouterr().out


def test_what_was_not_probed_is_said(tmp_path, capsys):
    table = write_list(tmp_path, "plain", num_images=12)
    table.loc[0, "label"] = "rare"
    table.loc[1, "label"] = None
    mask = np.zeros((128, 128, 3), np.uint8)
    mask[40:90, 40:90] = 255
    (tmp_path / "mask.png").write_bytes(probes.encode(mask))
    (tmp_path / "black.png").write_bytes(probes.encode(0 * mask))
    table["mask_path"] = "mask.png"  # as paths are: from where the list lies
    table.loc[2, "mask_path"] = str(tmp_path / "black.png")
    table.to_csv(tmp_path / "list.csv", index=False)
    (tmp_path / "images" / f"{table.loc[3, 'image_id']}.png").write_bytes(b"no image")
    assert run(tmp_path / "list.csv", "--out", tmp_path / "probes", "--max-images", 10) == 0
    told = capsys.readouterr().out
    assert "Not probed: 1 with no label." in told
    assert "10 of 11 test images were drawn" in told
    manifest = pd.read_csv(tmp_path / "probes" / "manifest.csv")
    assert {"background_of_other_class", "subject_only"} <= set(manifest["version"])
    assert "cannot be read" in told and manifest["original"].nunique() == 9
    rare = manifest[manifest["label"] == "rare"]
    assert len(rare) and "Not probed: parts of their own class in 1 of" in told
    assert not rare["version"].str.endswith("own_class").any()


def test_images_of_one_group_are_one_unit_however_its_column_is_spelled(tmp_path):
    write_list(tmp_path, "plain", num_images=6, Device=list("aabbcc"))
    assert run(tmp_path / "list.csv", "--out", tmp_path / "probes", "--group", "device") == 0
    assert pd.read_csv(tmp_path / "probes" / "manifest.csv")["unit"].nunique() == 3


def test_large_images_are_made_smaller_in_all_versions(tmp_path):
    write_list(tmp_path, "plain", num_images=6)
    assert run(tmp_path / "list.csv", "--out", tmp_path / "probes", "--max-side", 50) == 0
    for path in (tmp_path / "probes" / "images").iterdir():
        assert images.decode_image(path).shape == (50, 50, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["train.csv", "--out", "new"], "Expected test images"),
        (["missing", "--out", "new"], "Expected a folder, a CSV or Parquet file"),
        (["list.csv", "--out", "images/new"], "choose one with --out"),
        (["list.csv", "--out", "file/new"], "Expected a folder that may be written to"),
        (["list.csv", "--out", "probes"], "The folder has probes"),
        (["list.csv", "--out", "new", "--max-images", "0"], "--max-images must be 1 or more"),
        (["list.csv", "--out", "new", "--predictions", "s.csv"], "There are no probes"),
        (["list.csv", "--out", "probes", "--predictions", "unknown.csv"], "images are unknown"),
        (["list.csv", "--out", "probes", "--predictions", "few.csv"], "images are left out"),
        (["list.csv", "--out", "probes", "--predictions", "strange.csv"], "is none of a model"),
        (["other.csv", "--out", "probes", "--predictions", "s.csv"], "The probes are of other"),
        (["list.csv", "--out", "half", "--predictions", "s.csv"], "The manifest cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_input_gives_exit_code_2_and_loses_nothing(
    tmp_path, monkeypatch, capsys, options, message
):
    monkeypatch.chdir(tmp_path)
    table = write_list(tmp_path, "plain", num_images=6)
    table.assign(split="train").to_csv("train.csv", index=False)
    table.assign(label=table["label"].to_numpy()[::-1]).to_csv("other.csv", index=False)
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "manifest.csv").write_text("image,version\n")
    (tmp_path / "half" / "probes.json").write_text('{"notes": []}')
    assert run("list.csv", "--out", "probes") == 0
    said = pd.read_csv("probes/manifest.csv")[["image"]].assign(net="case")
    said.to_csv("s.csv", index=False)
    said.iloc[1:].to_csv("few.csv", index=False)
    said.assign(net="cats").to_csv("strange.csv", index=False)
    said.assign(image="x" + said["image"]).to_csv("unknown.csv", index=False)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert run(*options) == 2
    error = capsys.readouterr().err
    assert message in error and "Received:" in error
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_a_folder_that_cannot_be_written_to_keeps_the_card_from_before(
    tmp_path, monkeypatch, capsys
):
    write_list(tmp_path, "plain", num_images=6)
    out = tmp_path / "probes"
    assert run(tmp_path / "list.csv", "--out", out) == 0
    answer(out, tmp_path / "s.csv", net=lambda picture: "case")
    (out / "model_card.html").write_text("from before")

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("leakcard.model_page.files.write_csv", refuse)
    assert run(tmp_path / "list.csv", "--out", out, "--predictions", tmp_path / "s.csv") == 2
    assert "Permission denied" in capsys.readouterr().err
    assert (out / "model_card.html").read_text() == "from before"


def test_the_help_gives_an_example(capsys):
    with pytest.raises(SystemExit):
        command.main(["probes", "--help"])
    assert "leakcard probes chest_xray --pattern kermany --out probes" in capsys.readouterr().out


# ---------------------------------------------------------------------------- the scripts


def read_script(name):
    """The script of docs/probes.md after the line that names it."""
    text = (paths.ROOT / "docs" / "probes.md").read_text(encoding="utf-8")
    return re.search(rf"`{name}`.*?```python\n(.*?)```", text, re.DOTALL)[1]


def run_script(folder, name, *arguments):
    """Run it as `python name arguments` would, in this process, where TensorFlow is loaded."""
    (folder / name).write_text(read_script(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(name, run_name="__main__")


def nest(model):
    """The same model inside a Sequential one."""
    import keras

    return keras.Sequential([keras.Input(model.input_shape[1:]), model])


def draw_letter_in_the_corner(num_images, seed):
    """Subjects by one law; every case has the same letter at the same place."""
    table, pictures = sets.draw_plain(num_images, seed)
    letter = sets.draw_letter("L", 10)
    marked = [picture.astype(float) for picture in pictures]
    for label, picture in zip(table["label"], marked, strict=True):
        if label == "case":
            sets.add_mark(picture, letter, 140, (2, 112))
    return table, [np.clip(picture, 0, 255).astype(np.uint8) for picture in marked]


@pytest.mark.slow
def test_a_small_cnn_trained_on_planted_letters_is_named_through_the_script_for_keras(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sets.SETS, "letter in the corner", draw_letter_in_the_corner)
    table = write_list(tmp_path, "letter in the corner", 200, split="train")
    train = images.load_images(table["path"], 64)
    target = (table["label"] == LABELS[1]).to_numpy(int)
    net = toys.build_small_cnn(64, 2, seed=1)
    net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    net.fit(train, target, epochs=8, batch_size=20, verbose=0)
    (tmp_path / "test").mkdir()
    write_list(tmp_path / "test", "letter in the corner", 60, seed=1)
    listed, out = tmp_path / "test" / "list.csv", tmp_path / "probes"
    assert run(listed, "--out", out) == 0
    net.save(tmp_path / "net.keras")
    run_script(tmp_path, "score_keras.py", "probes", "net.keras", "net.csv", *LABELS)
    assert run(listed, "--out", out, "--predictions", tmp_path / "net.csv") == 1
    assert "follows the border" in (out / "model_card.html").read_text()


@pytest.mark.slow
def test_vgg16_inside_another_model_is_scored_by_both_scripts_as_by_itself(tmp_path):
    from leakage import networks

    write_list(tmp_path, "plain", num_images=4)
    out = tmp_path / "probes"
    assert run(tmp_path / "list.csv", "--out", out) == 0
    backbone = networks.build_backbone("vgg16", "random", 32)
    head = networks.build_head("paper", backbone.model.output_shape[1:], 2, seed=0)
    model = networks.join_backbone_and_head(backbone, head)
    nest(model).save(tmp_path / "net.keras")
    run_script(tmp_path, "score_keras.py", "probes", "net.keras", "keras.csv", *LABELS)
    listed = [tmp_path / "list.csv", "--out", out, "--predictions"]
    assert run(*listed, tmp_path / "keras.csv") in (0, 1)
    pytest.importorskip("onnxruntime")
    model(np.zeros((1, 32, 32, 3), np.float32))  # what was never called cannot be exported
    model.export(tmp_path / "net.onnx", format="onnx", verbose=False)
    run_script(tmp_path, "score_onnx.py", "probes", "net.onnx", "onnx.csv", *LABELS)
    scores = [pd.read_csv(tmp_path / f"{kind}.csv")[list(LABELS)] for kind in ("keras", "onnx")]
    assert np.abs(scores[0] - scores[1]).to_numpy().max() < 0.05  # two ways to shrink an image
