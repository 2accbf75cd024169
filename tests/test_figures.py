import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
from sklearn import metrics  # noqa: E402

from leakage import figures, published

NAMES = ("covid", "normal", "pneumonia")


@pytest.fixture(autouse=True)
def styled():
    with plt.rc_context(figures.set_style()):
        yield
    plt.close("all")


def render(figure):
    figure.savefig(io.BytesIO(), format="png")
    return figure


def get_texts(ax):
    return [text.get_text() for text in ax.texts]


def get_legend(ax):
    return [text.get_text().replace("\n", " ") for text in ax.get_legend().get_texts()]


def find_overlaps(figure):
    """Pairs of titles, labels, legends and pictures of a figure that cover one another."""
    render(figure)
    renderer = figure.canvas.get_renderer()
    texts, pictures = [], []
    for ax in figure.axes:
        if ax.images:
            pictures.append(("picture", ax.get_window_extent(renderer)))
        artists = [ax.title, ax.xaxis.label, ax.yaxis.label, ax.get_legend()]
        if ax.axison:
            artists += ax.get_xticklabels() + ax.get_yticklabels()
        for artist in artists:
            if artist is None or not artist.get_visible():
                continue
            name = artist.get_text() if hasattr(artist, "get_text") else "legend"
            if name:
                texts.append((name, artist.get_window_extent(renderer)))
    return [
        (name, other)
        for i, (name, box) in enumerate(texts)
        for other, other_box in texts[i + 1 :] + pictures
        if box.shrunk(0.98, 0.98).overlaps(other_box.shrunk(0.98, 0.98))
    ]


def find_clipped(figure):
    """Texts and legends that reach beyond the page, by more than a pixel."""
    render(figure)
    renderer = figure.canvas.get_renderer()
    page = figure.bbox
    clipped = []
    for ax in figure.axes:
        box = ax.get_tightbbox(renderer)
        if box and (box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1
                    or box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1):  # fmt: skip
            clipped.append((ax.get_title(), box.bounds))
    return clipped


def check_page(figure):
    assert find_overlaps(figure) == []
    assert find_clipped(figure) == []


def test_the_page_check_finds_a_covered_title_and_a_clipped_label():
    figure, axes = plt.subplots(2, 1, layout="none")
    for ax in axes:
        ax.imshow(np.zeros((2, 2)))
    axes[1].set_title("a title\nof four\nlines that\nis too tall")
    assert ("a title\nof four\nlines that\nis too tall", "picture") in find_overlaps(figure)
    axes[0].set_ylabel("label", labelpad=400)
    assert len(find_clipped(figure)) == 1


def make_images(num_images=4, size=24):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num_images, size, size, 3)).astype(np.float32)


def make_predictions():
    y_true = np.arange(90) % 3
    scores = np.random.default_rng(0).random((90, 3))
    scores[np.arange(90), y_true] += 0.3
    return y_true, scores


def test_importing_figures_and_asking_for_the_style_changes_nothing_global():
    with plt.rc_context():
        plt.rcdefaults()
        before = dict(plt.rcParams)
        figures.set_style()
        assert dict(plt.rcParams) == before


@pytest.mark.parametrize("num_classes", [2, 3])
def test_a_confusion_matrix_shows_counts_and_shares_of_the_true_class(num_classes):
    matrix = np.array(published.RESULTS["paper_vgg19"].confusion)[-num_classes:, -num_classes:]
    names = ("covid", "normal lungs, no finding", "bacterial pneumonia")[-num_classes:]
    figure, axes = plt.subplots(1, 2)
    returned = figures.draw_confusion(axes[0], matrix, names, "A rather long title " * 3)
    assert returned is axes[0]
    shown = get_texts(axes[0])
    assert len(shown) == num_classes**2
    assert shown[-1] == ("39\n80 %" if num_classes == 2 else "39\n78 %")
    check_page(figure)


def test_a_class_without_test_images_has_no_percentages():
    ax = figures.draw_confusion(plt.subplots()[1], [[3, 1], [0, 0]], ("a", "b"))
    assert get_texts(ax)[2:] == ["0\nno images"] * 2


def test_a_matrix_of_another_size_than_its_classes_is_refused():
    with pytest.raises(ValueError, match=r"Expected shape \(3, 3\).*Received: \(2, 2\)"):
        figures.draw_confusion(plt.subplots()[1], np.eye(2), NAMES)


def test_a_history_has_a_dashed_and_a_solid_line_a_seed_in_the_colour_of_its_model():
    history = {"accuracy": [0.5, 0.7], "val_accuracy": [0.4, 0.6], "loss": [2, 1]}
    figure, axes = plt.subplots(1, 2)
    labels = ["VGG19, ImageNet weights", "VGG19, ImageNet weights", "random weights, scaled"]
    figures.draw_history(axes, [history] * 3, labels)
    lines = axes[0].get_lines()
    assert [line.get_linestyle() for line in lines] == ["--", "-"] * 3
    assert len({line.get_color() for line in lines}) == 2
    assert len(axes[1].get_lines()) == 3  # no validation loss: training only
    assert get_legend(axes[1]) == [*dict.fromkeys(labels), "training", "validation"]
    assert lines[0].get_xdata().tolist() == [1, 2]
    check_page(figure)


def test_a_history_without_its_label_is_refused():
    with pytest.raises(ValueError, match="2 histories, 1 labels"):
        figures.draw_history(plt.subplots(1, 2)[1], [{}, {}], ["a"])


def test_a_roc_has_a_chance_line_and_the_auc_of_scikit_learn_with_its_interval():
    y_true, scores = make_predictions()
    figure, axes = plt.subplots(1, 2)
    figures.draw_roc(axes[0], y_true, scores, NAMES, num_bootstrap=50)
    legend = get_legend(axes[0])
    assert legend[0].startswith("chance")
    for index, name in enumerate(NAMES):
        area = metrics.roc_auc_score(y_true == index, scores[:, index])
        assert legend[index + 1].startswith(f"{name}: {area:.2f} [")
    check_page(figure)


def test_a_roc_of_two_classes_is_that_of_the_second():
    y_true, scores = make_predictions()
    rows = y_true < 2
    ax = plt.subplots()[1]
    figures.draw_roc(ax, y_true[rows], scores[rows, 1], ("husky", "wolf"), num_bootstrap=50)
    assert [line.split(":")[0] for line in get_legend(ax)] == ["chance", "wolf"]
    assert ax.get_title().startswith("wolf against husky, n = 60")


def test_a_roc_of_an_absent_class_is_called_undefined():
    ax = plt.subplots()[1]
    scores = np.random.default_rng(0).random((4, 3))
    figures.draw_roc(ax, [0, 1, 0, 1], scores, NAMES, num_bootstrap=20)
    assert get_legend(ax)[-1] == "pneumonia: undefined"


def test_scores_show_n_interval_chance_and_the_published_value():
    frame = pd.DataFrame({
        "label": ["Kermany children as controls, as published, with replacement", "covid"],
        "value": [0.95, np.nan], "lower": [0.9, np.nan], "upper": [0.98, np.nan],
        "published": [0.9214, np.nan], "n": [140, 3],
    })  # fmt: skip
    figure, ax = plt.subplots()
    assert figures.draw_scores(ax, frame, chance=0.36, xlabel="accuracy") is ax
    assert get_texts(ax) == ["0.95 [0.90, 0.98]", "undefined"]
    assert ax.get_yticklabels()[0].get_text().endswith("n = 140")
    assert get_legend(ax) == ["ours, 95 % interval", "published", "chance: 0.36"]
    check_page(figure)


def test_scores_without_an_interval_column_are_refused():
    with pytest.raises(ValueError, match=r"Missing: \['lower', 'upper'\]"):
        figures.draw_scores(plt.subplots()[1], pd.DataFrame({"label": ["a"], "value": [1]}))
    with pytest.raises(ValueError, match="Received: 0 rows"):
        figures.draw_claims(plt.subplots()[1], pd.DataFrame(columns=["label", "k", "n"]))


def test_claims_put_the_published_interval_beside_ours_with_seeds_and_chance():
    result = published.RESULTS["paper_vgg19"]
    claims = [
        {"label": result.name, "k": 129, "n": 140, "published_k": result.k,
         "published_n": result.n, "seeds": [0.92, 0.9], "chance": 50 / 140,
         "verdict": "reproduced"},
        {"label": "ResNet50, frozen", "k": 60, "n": 98, "published": 0.833},
        {"label": "No published value at all, and a label of more than one line", "k": 0, "n": 40,
         "verdict": "not comparable: phantoms"},
        {"label": "Not run yet", "k": np.nan, "n": np.nan, "published_k": 18, "published_n": 20},
    ]  # fmt: skip
    figure, ax = plt.subplots()
    assert figures.draw_claims(ax, claims) is ax
    markers = [line for line in ax.get_lines() if line.get_marker() == "D"]
    np.testing.assert_allclose([line.get_xdata()[0] for line in markers], [125 / 140, 0.833, 0.9])
    assert get_texts(ax) == ["reproduced", "not comparable:\nphantoms"]
    assert any("chance" in text for text in get_legend(ax))
    check_page(figure)


def test_an_image_grid_takes_gray_and_colour_of_any_size():
    images = [np.full((20, 30), 100), make_images()[0], np.zeros((8, 8, 1)), *make_images(2)]
    titles = ["covid, a long title that needs two lines or three", "b", "c", "d", "e, " * 12]
    figure = figures.draw_image_grid(images, titles, num_columns=4, suptitle="five images")
    assert sum(len(ax.images) for ax in figure.axes) == 5
    figures.add_note(figure, "Phantoms: no patients.")
    check_page(figure)


def test_a_long_note_is_no_wider_than_its_figure():
    with matplotlib.rc_context(figures.set_style()):
        figure, _ = plt.subplots()
    note = figures.add_note(figure, "Phantoms drawn by this project, no patients. " * 8)
    figure.draw_without_rendering()
    box = note.get_window_extent()
    assert box.x1 <= figure.bbox.x1 and note.get_text().count("\n") >= 2
    check_page(figure)


@pytest.mark.parametrize(
    ("images", "titles", "message"),
    [
        ([np.full((4, 4), 0.5)], None, r"come out black.*multiply.*by 255"),
        ([np.zeros((4, 4, 4))], None, r"Received: \(4, 4, 4\)"),
        ([np.zeros((4, 4))], ["a", "b"], "'images': 1, 'titles': 2"),
        ([], [], "at least one image"),
    ],
)
def test_images_that_cannot_be_drawn_are_refused(images, titles, message):
    with pytest.raises(ValueError, match=message):
        figures.draw_image_grid(images, titles)


def make_cams():
    cams = np.random.default_rng(1).random((4, 7, 7))
    cams[1] *= 3 / cams[1].max()
    cams[2] = -1.0  # no positive evidence
    return cams


def draw_cams(scale, masks=True):
    outlines = np.zeros((4, 24, 24), dtype=bool)
    outlines[:, 6:18, 6:18] = True
    return figures.draw_cam_grid(
        make_images(), make_cams(), ["true covid, predicted normal"] * 4,
        ["normal", "covid", "covid", "pneumonia"], outlines if masks else None,
        "Grad-CAM", scale=scale,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scale", "text", "top"),
    [("common", "one scale for all maps (maximum 3)", 3), ("each", "its own maximum", 1)],
)
def test_a_map_grid_has_one_colour_bar_that_states_its_scale(scale, text, top):
    figure = draw_cams(scale)
    bars = [ax for ax in figure.axes if ax.get_label() == "<colorbar>"]
    assert len(bars) == 1
    assert text in bars[0].get_xlabel()
    heat = [ax.images[1] for ax in figure.axes if len(ax.images) == 2]
    assert len(heat) == 3
    assert {image.get_clim() for image in heat} == {(0, top)}
    tops = [float(image.get_array().max()) for image in heat]
    assert tops[1] == pytest.approx(top) and (scale == "common") == (tops[0] < 1)
    check_page(figure)


def test_titles_name_true_predicted_and_explained_class():
    titles = [ax.get_title().replace("\n", " ") for ax in draw_cams("common").axes]
    assert titles[0] == "true covid, predicted normal"
    assert titles[1].startswith("explained: normal, maximum ")


def test_an_all_zero_map_is_text_and_never_a_picture():
    figure = draw_cams("each")
    empty = figure.axes[5]
    assert get_texts(empty) == ["no evidence\n(all-zero map)"]
    assert len(empty.images) == 1 and np.unique(empty.images[0].get_array()).size == 1
    assert len(empty.collections) == 0 and len(figure.axes[3].collections) == 1
    assert empty.get_title() == "explained: covid"


def test_a_grid_of_empty_maps_has_no_colour_bar():
    figure = figures.draw_cam_grid(make_images(1), np.zeros((1, 7, 7)), ["a"], ["covid"])
    assert [ax.get_label() for ax in figure.axes] == ["", ""]


def test_a_normalised_empty_map_and_an_unknown_scale_are_refused():
    arguments = (make_images(1), [np.full((7, 7), np.nan)], ["a"], ["covid"])
    with pytest.raises(ValueError, match="Expected finite `cams`"):
        figures.draw_cam_grid(*arguments)
    with pytest.raises(ValueError, match="scale='max'"):
        figures.draw_cam_grid(make_images(1), np.ones((1, 7, 7)), ["a"], ["b"], scale="max")
    with pytest.raises(ValueError, match="'cams': 1"):
        figures.draw_cam_grid(make_images(2), np.ones((1, 7, 7)), ["a"] * 2, ["b"] * 2)


def test_a_dose_response_shows_every_dose_with_its_interval_and_chance():
    frame = pd.DataFrame(
        {
            "dose": [1.0, 0.0],
            "accuracy": [0.9, 0.4],
            "lower": [0.8, 0.3],
            "upper": [0.95, 0.5],
        }
    )
    _, ax = plt.subplots()
    figures.draw_dose_response(ax, frame, "accuracy", ("lower", "upper"), chance=0.36)
    assert list(ax.lines[0].get_xdata()) == [0.0, 1.0]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "chance: 0.36" in texts and ax.get_ylabel() == "accuracy"
    plt.close("all")


def test_a_grid_of_report_cards_shows_every_status_by_colour_and_sign():
    index = pd.MultiIndex.from_tuples([("L1.1", "A test set"), ("L2", "Border alone")])
    grid = pd.DataFrame({"paper": ["pass", "fail"], "strict": ["not testable", ""]}, index=index)
    _, ax = plt.subplots()
    figures.draw_status_grid(ax, grid)
    assert [text.get_text() for text in ax.texts] == ["✓", "?", "✗", ""]
    assert ax.get_yticklabels()[1].get_text() == "L2  Border alone"
    with pytest.raises(ValueError, match="unknown statuses .'maybe'"):
        figures.draw_status_grid(ax, grid.replace("fail", "maybe"))
    plt.close("all")


@pytest.mark.parametrize(("num_cards", "num_lines"), [(12, 2), (13, 1)])
def test_names_of_many_cards_take_one_line_each(num_cards, num_lines):
    names = [f"{n:02d} normal against pneumonia, adults" for n in range(num_cards)]
    grid = pd.DataFrame("pass", index=[("L1.1", "A test set")], columns=names)
    _, ax = plt.subplots()
    figures.draw_status_grid(ax, grid)
    lines = {len(label.get_text().splitlines()) for label in ax.get_xticklabels()}
    assert lines == {num_lines}


def test_worths_are_drawn_in_points_with_both_intervals_and_the_planted_truth():
    row = {"worth": 0.1, "lower": 0.05, "upper": 0.15, "patient_lower": 0.0, "patient_upper": 0.2}
    table = pd.DataFrame([{"contrast": "copies", "smallest": 0.08, **row}])
    _, ax = plt.subplots()
    figures.draw_worth(ax, table, {"copies": 0.12})
    drawn = [tuple(np.round(line.get_xdata(), 6)) for line in ax.lines]
    assert [(5.0, 15.0), (0.0, 20.0), (10.0,), (12.0,)] == drawn[:4]
    assert ax.patches[0].get_width() == pytest.approx(16)
    assert ax.texts[0].get_text() == "+10.0 [+5.0, +15.0]"
    plt.close("all")
