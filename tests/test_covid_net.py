"""COVID-Net: shapes and parameters worked out by hand, gray scaling, seeds, Grad-CAM."""

import keras
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch

from leakage import explain, figures, networks, siamese

STAGES = {1: 3, 2: 4, 3: 6, 4: 3}


def count_pepx(num_in, project, expand, num_out):
    """1x1 project, 1x1 expand, 3x3 depth-wise, 1x1 project, 1x1 extend; a bias in each."""
    return (
        (num_in * project + project)
        + (project * expand + expand)
        + (9 * expand + expand)
        + (expand * project + project)
        + (project * num_out + num_out)
    )


def count_by_hand(num_filters, size_px, num_units, num_classes):
    """Parameters of every block, from the text of the report, not from the builder."""
    counts = {"preprocessing": 3 + 1, "stem": 7 * 7 * 1 * 64 + 64}
    num_in = 64
    for stage, num_modules in STAGES.items():
        channels = {1: 1, 2: 2, 3: 4, 4: 8}[stage] * num_filters
        if stage == 1:
            counts["pepx_1_1"] = count_pepx(64, 32, 48, channels)
        else:
            counts[f"pepx_{stage}_1"] = count_pepx(num_in, num_in // 2, 3 * num_in // 4, channels)
        counts[f"upper_{stage}"] = num_in * channels + channels
        for number in range(2, num_modules + 1):
            counts[f"pepx_{stage}_{number}"] = count_pepx(
                channels, channels // 2, 3 * channels // 4, channels
            )
        num_in = channels
    side = size_px // 2 // 2 // 2 // 2 // 2
    counts["hidden"] = side * side * 8 * num_filters * num_units + num_units
    counts["features"] = num_units * 256 + 256
    if num_classes:
        counts["scores"] = 256 * num_classes + num_classes
    return counts


@pytest.mark.parametrize(("num_filters", "flat"), [(128, 50_176), (256, 100_352)])
def test_parameters_of_every_block_are_those_worked_out_by_hand(num_filters, flat):
    num_units = 8  # the published 1,024 would be 100 million weights for one product
    model = siamese.build_covid_net(224, 3, num_filters, num_units)
    blocks = siamese.covid_net.tabulate_blocks(model)
    by_hand = count_by_hand(num_filters, 224, num_units, 3)
    assert dict(zip(blocks["block"], blocks["parameters"], strict=True)) == by_hand
    assert model.count_params() == sum(by_hand.values())
    assert model.get_layer("flatten").output.shape == (None, flat)


def test_the_whole_tower_of_128_filters_has_the_parameters_added_up_on_paper():
    # 7x7: 3,136 + 64. PEPX and upper by stage: 78,224; 423,264; 2,601,920; 4,811,904.
    # Dense: 50,176 x 1,024 + 1,024; 1,024 x 256 + 256. Gray: 3 + 1.
    stages = 78_224 + 423_264 + 2_601_920 + 4_811_904
    expected = 4 + 3_200 + stages + 51_381_248 + 262_400
    assert siamese.build_covid_net(224, None, 128, 1024).count_params() == expected == 59_562_164
    assert sum(count_by_hand(128, 224, 1024, None).values()) == expected


def test_maps_shrink_as_reported_and_sums_take_all_before_them():
    model = siamese.build_covid_net(224, 3, 128, 8)
    blocks = siamese.covid_net.tabulate_blocks(model).set_index("block")
    for stage, side in {1: 56, 2: 28, 3: 14, 4: 7}.items():
        of_stage = blocks[blocks["stage"] == stage]
        assert set(of_stage["side_px"]) == {side}
        assert set(of_stage["channels"]) == {128 * 2 ** (stage - 1)}
        assert of_stage.index.str.startswith("pepx").sum() == STAGES[stage]
    assert blocks.loc["pepx_1_1", "widths"] == "32-48-48-32-128"
    assert blocks.loc["pepx_3_1", "widths"] == "128-192-192-128-512"
    summed = {id(tensor) for tensor in model.get_layer("pepx_3_5_sum").input}
    earlier = {"pepx_3_1_pool", *(f"pepx_3_{n}_extend" for n in (2, 3, 4)), "upper_3_pool"}
    assert summed == {id(model.get_layer(name).output) for name in earlier}
    assert len(model.get_layer("stage_3").input) == 7


def test_the_tower_ends_in_256_features_and_the_single_net_in_a_softmax():
    tower = siamese.build_covid_net(32, None, 8, 16)
    single = siamese.build_covid_net(32, 3, 8, 16)
    assert tower.output_shape == (None, 256)
    scores = single(np.full((2, 32, 32, 3), 90, np.float32)).numpy()
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert not any(isinstance(layer, keras.Model) for layer in single.layers)


def test_one_seed_gives_one_net_and_another_seed_another():
    first, again, other = (siamese.build_covid_net(32, 3, 8, 16, seed=s) for s in (1, 1, 2))
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first.get_weights(), other.get_weights()))  # noqa: B905
    kernels = [layer.get_weights()[0] for layer in first.layers if layer.name.endswith("expand")]
    same_shape = [k for k in kernels if k.shape == kernels[-1].shape]
    assert len(same_shape) > 1 and not np.array_equal(same_shape[0], same_shape[-1])


def test_shared_dropout_treats_equal_images_alike_and_own_dropout_does_not():
    pixels = np.repeat(np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)), 2, axis=0)
    distances = {}
    for dropout in ("own", "shared"):
        tower = siamese.build_covid_net(32, None, 8, 64, stages=(1, 1, 1, 1), dropout=dropout)
        first, second = tower(pixels.astype(np.float32), training=True).numpy()
        distances[dropout] = np.abs(first - second).sum()
        assert (first == 0).any()
    assert distances["shared"] == 0 < distances["own"]


def test_gray_scaling_is_measured_on_the_images_given_and_part_of_the_model():
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 255, (5, 32, 32, 3)).astype(np.float32)
    scaling = siamese.covid_net.measure_gray_scaling(pixels)
    gray = pixels.astype(float) @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(scaling, (gray.mean(), gray.std()), rtol=1e-9)
    model = siamese.build_covid_net(32, 3, 8, 16, scaling)
    prepared = keras.Model(model.input, model.get_layer("preprocessing").output)(pixels).numpy()
    np.testing.assert_allclose(prepared[..., 0], (gray - gray.mean()) / gray.std(), atol=1e-4)
    assert not model.get_layer("preprocessing").trainable_weights


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match="multiple of 4.*num_filters=6"):
        siamese.build_covid_net(64, 3, 6)
    with pytest.raises(ValueError, match='"own" or "shared".*none'):
        siamese.build_covid_net(64, 3, 8, dropout="none")
    with pytest.raises(ValueError, match="halves its maps five times.*size_px=16"):
        siamese.build_covid_net(16, 3, 8)
    with pytest.raises(ValueError, match=r"each of four stages.*stages=\(3, 0, 6, 3\)"):
        siamese.build_covid_net(32, 3, 8, stages=(3, 0, 6, 3))
    black = siamese.covid_net.measure_gray_scaling(np.zeros((2, 32, 32, 3)))
    with pytest.raises(ValueError, match="do not vary"):
        siamese.build_covid_net(32, 3, 8, gray_scaling=black)


def test_grad_cam_reads_a_stage_of_the_net():
    model = siamese.build_covid_net(112, 3, 8, 16, (0.5, 0.25))
    layer = siamese.covid_net.choose_cam_layer(model)
    assert layer == "stage_3"  # 7 x 7; the last stage has 3 x 3 pixels
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 112, 112, 3)).astype(np.float32)
    maps = explain.compute_grad_cams(model, pixels, [0, 2], layer)
    assert maps.shape == (2, 112, 112) and (maps >= 0).all() and maps.max() > 0
    null = networks.copy_with_random_weights(model, 3)
    np.testing.assert_array_equal(
        null.get_layer("preprocessing").get_weights()[0],
        model.get_layer("preprocessing").get_weights()[0],
    )


# --- its drawings


def test_the_drawing_has_a_row_a_stage_and_a_link_for_every_term_of_every_sum():
    blocks = siamese.covid_net.tabulate_blocks(siamese.build_covid_net(64, 3, 8, 16))
    figure, ax = plt.subplots()
    figures.draw_network(ax, blocks)
    texts = [text.get_text() for text in ax.texts]
    assert "stage 3\n4 x 4 x 32" in texts and texts.count("+") == 4
    assert sum(text.startswith("PEPX") for text in texts) == 16
    # module m of n takes m terms (m > 1), the sum n + 1; stem and head are chains
    in_stages = sum(sum(range(2, n + 1)) + n + 1 for n in STAGES.values())
    assert sum(isinstance(p, FancyArrowPatch) for p in ax.patches) == in_stages + 1 + 2
    plt.close(figure)
    with pytest.raises(ValueError, match="no network to draw.*0 blocks"):
        figures.draw_network(ax, blocks.iloc[:0])


def test_the_embedding_shows_every_image_and_refuses_what_lies_in_no_plane():
    points = np.random.default_rng(0).normal(size=(9, 2))
    figure, ax = plt.subplots()
    figures.draw_embedding(ax, points, np.arange(9) % 3, ["a", "b", "c"], points[:3])
    assert sum(len(line.get_xdata()) for line in ax.lines) == 9 + 3
    assert [t.get_text() for t in ax.get_legend().get_texts()][0] == "a, n = 3"
    plt.close(figure)
    with pytest.raises(ValueError, match=r"shape \(n_images, 2\)"):
        figures.draw_embedding(ax, points[:, :1], np.arange(9), ["a"])
