"""Time the testing of a siamese net, and the drawing of its pairs, against one call a pair.

python benchmarks/pairs.py [--num-images 300] [--size-px 64] [--num-filters 32]

Both ways run in this process, on the same untrained network and noise images, and must agree.
*One call a pair* is what the ancestor does: `predict` on each (test image, reference) pair, three a
trial. *In one pass* every image goes through the tower once and the vectors are compared as
arrays. The slow way is timed on `--num-slow` test images and its cost is linear in them. Prints
JSON.
"""

import argparse
import itertools
import json
import os
import time

from leakage import siamese

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from leakage.siamese import comparing, pairs

NUM_CLASSES = 3


def build(size_px, num_filters):
    tower = siamese.build_covid_net(size_px, None, num_filters, 64, (0.5, 0.25))
    return siamese.build_siamese(tower)


def draw_images(num_images, size_px):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(NUM_CLASSES, dtype=np.int32), num_images // NUM_CLASSES)
    return rng.uniform(0, 255, (len(labels), size_px, size_px, 3)).astype(np.float32), labels


def build_two_towers(model):
    """Join the same layers as the ancestor does: the tower called on each image of a pair."""
    tower = siamese.model.get_tower(model)
    first, second = (keras.Input(tower.input_shape[1:]) for _ in range(2))
    difference = keras.ops.absolute(tower(first) - tower(second))
    return keras.Model([first, second], model.get_layer("similarity")(difference))


def test_one_by_one(two_towers, pixels, references):
    """One `predict` of a pair for each test image and class; similarities (n, n_classes)."""

    def compare(first, second):
        pair = [pixels[first : first + 1], pixels[second : second + 1]]
        return two_towers.predict(pair, verbose=0)[0, 0]

    return np.array([[compare(row, other) for other in others] for row, others in references])


def test_in_one_pass(model, pixels, references):
    features = comparing.extract_features(model, pixels)
    similarity = siamese.model.compare_features(model, features, features)
    return np.array([similarity[row, others] for row, others in references])


def draw_pairs_in_python(labels, num_pairs, rng):
    """Half equal, half different classes, one pair at a time, as a plain loop would."""
    members = [np.flatnonzero(labels == label) for label in range(NUM_CLASSES)]
    kinds = list(itertools.combinations(range(NUM_CLASSES), 2))
    found = []
    for number in range(num_pairs):
        if number % 2:
            rows = members[rng.integers(NUM_CLASSES)]
            found.append(tuple(rng.choice(rows, 2, replace=False)))
        else:
            first, second = kinds[rng.integers(len(kinds))]
            found.append((rng.choice(members[first]), rng.choice(members[second])))
    return np.array(found)


def measure(function, *arguments, repeats=1):
    times, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function(*arguments)
        times.append(time.perf_counter() - start)
    return result, min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num-images", type=int, default=300)
    parser.add_argument("--size-px", type=int, default=64)
    parser.add_argument("--num-filters", type=int, default=32)
    parser.add_argument("--num-slow", type=int, default=20)
    parser.add_argument("--num-pairs", type=int, default=5000)
    options = parser.parse_args()
    pixels, labels = draw_images(options.num_images, options.size_px)
    model = build(options.size_px, options.num_filters)
    drawn = pairs.draw_references(labels, len(labels), seed=0)
    references = list(enumerate(drawn))

    two_towers = build_two_towers(model)
    test_one_by_one(two_towers, pixels, references[:1])  # compile both ways first
    test_in_one_pass(model, pixels, references)
    slow, slow_seconds = measure(
        test_one_by_one, two_towers, pixels, references[: options.num_slow]
    )
    fast, fast_seconds = measure(test_in_one_pass, model, pixels, references, repeats=3)
    slow_each, fast_each = slow_seconds / len(slow), fast_seconds / len(fast)

    arguments = (labels, options.num_pairs, 32, 0, 0)
    _, draw_seconds = measure(pairs.draw_pairs, *arguments, repeats=3)
    rng = np.random.default_rng(0)
    _, loop_seconds = measure(draw_pairs_in_python, labels, options.num_pairs, rng)
    per_pair = fast_each / NUM_CLASSES + draw_seconds / options.num_pairs
    result = {
        "options": vars(options),
        "largest_difference": float(np.abs(slow - fast[: len(slow)]).max()),
        "testing_ms_an_image": {
            "one_call_a_pair": round(1e3 * slow_each, 3),
            "in_one_pass": round(1e3 * fast_each, 3),
            "times_faster": round(slow_each / fast_each, 1),
        },
        "drawing_and_testing_a_pair": {
            "one_call_a_pair_ms": round(1e3 * (slow_each / NUM_CLASSES), 3),
            "as_indices_in_one_pass_ms": round(1e3 * per_pair, 4),
            "times_faster": round(slow_each / NUM_CLASSES / per_pair, 1),
        },
        "drawing_seconds_an_epoch": {
            "one_pair_at_a_time": round(loop_seconds, 4),
            "as_indices": round(draw_seconds, 4),
            "times_faster": round(loop_seconds / draw_seconds, 1),
        },
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
