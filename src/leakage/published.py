"""What the systems rebuilt here have reported: results, classes, sizes, protocols, settings.

Nothing in this module was measured by this project. Notebooks and prose read these values, so
that a published number is typed once, next to its source.
"""

from dataclasses import dataclass, field, replace

PAPER = {
    "citation": (
        "Rahaman MM, Li C, Yao Y, et al. Identification of COVID-19 samples from chest X-Ray "
        "images using deep learning: A comparison of transfer learning approaches. "
        "Journal of X-Ray Science and Technology 28(5), 821-839, 2020."
    ),
    "doi": "10.3233/XST-200715",
}
ANCESTOR = "github.com/shaivimalik/covid_illegitimate_features @ d76e391"
TRANSFER_LEARNING = "github.com/HeddaCohenIndelman/TransferLearning-in-Medical-Imaging"
LUNG_REPORT = "COVID-19 Transfer Learning Using Lung Images (report)"
LUNG_SLIDES = "Image Classification to Detect the Presence of COVID-19 in Lung X-Rays (slides)"
SIAMESE_NET = "github.com/simonwestberg/siamese-COVID-Net"

# Rows and columns of every S1 confusion matrix, in this order.
CLASS_NAMES = ("covid", "normal", "pneumonia")

# The classes of each system, in the order of its scores; of two, the second is the one to find.
STUDY_CLASSES = {
    "S1": CLASS_NAMES,
    "S2": ("normal", "pneumonia"),
    "S3": ("no finding", "covid"),
    "S4": ("bacterial", "healthy", "viral", "covid"),
}
QUESTIONS = {
    "S2": "pneumonia or normal? (children)",
    "S3": "COVID-19 or no finding? (PA views, adults)",
    "S4": "bacterial, healthy, viral or COVID-19?",
}
SYSTEMS = ("S2", "S3", "S4")  # those that notebook 05 trains
# Whose images stand beside COVID-19, as `data.read_study` takes it.
CONTROLS = {"S2": "children", "S3": "adults", "S4": "children"}
INPUT_SIZE_PX = {"S2": 256, "S3": 224, "S4": 200}
# Images a class in (train, validation, test). S1: 580/140/140 in all (PAPER). S2: its test set,
# and of the other 5,232 images a quarter for validation, since its own 16 are "too few". S3: 86 a
# class, the division is ours. S4: 70/30, of the 70 a quarter for validation, from the test counts
# of its first network. S5: COVIDx as the report counts it.
SPLIT_SIZES = {
    "S1": {"covid": (180, 40, 40), "normal": (200, 50, 50), "pneumonia": (200, 50, 50)},
    "S2": {"normal": (1012, 337, 234), "pneumonia": (2912, 971, 390)},
    "S3": {"no finding": (44, 21, 21), "covid": (44, 21, 21)},
    "S4": {
        "bacterial": (1349, 450, 771),
        "healthy": (835, 278, 477),
        "viral": (737, 245, 421),
        "covid": (217, 72, 124),
    },
    "S5": {"covid": (179, 44, 31), "normal": (6373, 1593, 885), "pneumonia": (4361, 1090, 594)},
}
# Why a system's numbers are not ours to repeat, whatever the weights.
OTHER_IMAGES = {
    "S4": "whole images of other collections instead of masked lungs",
    "S5": "own three classes instead of COVIDx",
}
NUM_EXTRA_NORMALS = 200  # S3's second test set

# Of the 80 training images of the wolf/husky study. Source: ANCESTOR.
WOLF_VALIDATION_FRACTION = 1 / 8


@dataclass(frozen=True)
class Training:
    """Settings of one published training run; `None` where the source does not say."""

    source: str
    optimizer: str
    learning_rate: float
    batch_size: int
    num_epochs: int
    size_px: int
    reduce_factor: float | None = None  # learning rate times this on a plateau or a step
    reduce_patience: int | None = None  # epochs without a better validation loss, or a step
    note: str = ""


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random augmentation, each to both sides of no change."""

    source: str
    rotation_degrees: float = 0.0
    shift_fraction: float = 0.0
    shear_fraction: float = 0.0
    zoom_fraction: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False


@dataclass(frozen=True)
class Protocol:
    """What a draw does and does not allow.

    Attributes
    ----------
    name : str
        Named in every result.
    with_replacement : tuple of str
        Labels drawn with replacement: an image may be in train and test (leak L1.4).
    first_image_per_patient : tuple of str
        Labels of which only each patient's first image by `image_id` is in the pool.
    disjoint_patients : bool
        Whether a patient's images all go to one split, across classes too.
    drop_duplicates : bool
        Whether of byte-identical files only the first is in the pool.
    adults_only : bool
        Whether children and patients of unknown age are left out.
    augmentation : {"paper", "ancestor"}
        Whose ranges the training images are augmented with.
    num_views : int or None
        Augmented views per training image; None: as many as there are epochs.
    shuffle : bool
        Whether training sees the images in a new order every epoch.
    views : tuple of str
        Views that are in the pool, such as ("PA",); all of them if empty. One view for all
        classes matches them: AP images are of patients too ill to stand.
    """

    name: str
    with_replacement: tuple[str, ...] = ()
    first_image_per_patient: tuple[str, ...] = ("covid",)
    disjoint_patients: bool = False
    drop_duplicates: bool = False
    adults_only: bool = False
    augmentation: str = "paper"
    num_views: int | None = None
    shuffle: bool = True
    views: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """One published test result.

    Attributes
    ----------
    system : str
        Row of the project's list, `"S1"` to `"S5"`.
    name : str
        The result in words, for tables and figures.
    k, n : int or None
        Correct test images, test images. `None` where the source gives no size.
    source, backbone : str
    accuracy : float or None
        As printed, in [0, 1], where k/n is unknown or was worked back from it.
    confusion : tuple of tuples of int, or None
        Rows are the true class, columns the predicted one, both in the order of `class_names`.
    class_names : tuple of str
    class_scores : dict of str to dict of str to float
        Metric, then class: the printed value.
    exact : bool
        False where `k` was worked back from a rounded accuracy.
    same_images : bool
        True where the test images are public, so that ours are the same.
    """

    system: str
    name: str
    k: int | None
    n: int | None
    source: str
    backbone: str
    confusion: tuple[tuple[int, ...], ...] | None = None
    note: str = ""
    accuracy: float | None = None
    class_names: tuple[str, ...] = ()
    class_scores: dict[str, dict[str, float]] = field(default_factory=dict)
    exact: bool = True
    same_images: bool = False

    @property
    def value(self) -> float | None:
        """Accuracy in [0, 1]: k/n where it is exact, else as printed, else None."""
        if self.exact and self.k is not None and self.n:
            return self.k / self.n
        return self.accuracy


# fmt: off
# patience 10 is the Keras default of ReduceLROnPlateau, which watches val_loss.
TRAINING = {
    "S1": Training(PAPER["doi"], "rmsprop", 0.001, 32, 50, 224, 0.3, 10),
    "S1_wolf": Training(ANCESTOR, "adam", 0.001, 4, 10, 256),
    "S2_fine_tuned": Training(
        TRANSFER_LEARNING, "adam", 1e-4, 4, 50, 256, 0.1, 7,
        note="StepLR; stops after 10 epochs without a better validation accuracy",
    ),
    "S2_fixed": Training(
        TRANSFER_LEARNING, "sgd", 0.001, 4, 50, 256, 0.1, 7,
        note="momentum 0.9, StepLR; stops after 10 epochs without a better validation accuracy",
    ),
    "S5_siamese": Training(SIAMESE_NET, "adam", 1e-4, 32, 50, 224, note="5,000 pairs an epoch"),
}

# fmt: on
# S1: the ancestor wrote RandomRotation(0.2), a fraction of a full turn, and cached after
# augmenting, which freezes every image at its first draw; the rest is the paper's.
# S2: resize to 256 and crop 256, so only the flip is left. S3: "random rotations, some shearing
# and some zooming", without numbers: these are ours. S4: RandomRotation(0.1) is 36 degrees.
_PAPER_AUGMENTATION = Augmentation(
    PAPER["doi"],
    rotation_degrees=20,
    shift_fraction=0.10,
    shear_fraction=0.10,
    zoom_fraction=0.20,
    horizontal_flip=True,
    vertical_flip=True,
)
AUGMENTATION = {
    "paper": _PAPER_AUGMENTATION,
    "ancestor": replace(_PAPER_AUGMENTATION, source=ANCESTOR, rotation_degrees=72),
    "S2": Augmentation(TRANSFER_LEARNING, horizontal_flip=True),
    "S3": Augmentation(LUNG_REPORT, rotation_degrees=10, shear_fraction=0.05, zoom_fraction=0.1),
    "S4": Augmentation(LUNG_SLIDES, rotation_degrees=36, shift_fraction=0.1, zoom_fraction=0.1),
}

PROTOCOLS = {
    # Rahaman et al. 2020: the paper does not say how it drew; nothing says with replacement.
    "paper": Protocol("paper"),
    # shaivimalik/covid_illegitimate_features at d76e391: `np.random.choice(files, size=n)`.
    "ancestor": Protocol(
        "ancestor",
        with_replacement=("covid", "normal", "pneumonia"),
        augmentation="ancestor",
        num_views=1,
        shuffle=False,  # its batches hold one class each
    ),
    "strict": Protocol("strict", disjoint_patients=True, drop_duplicates=True),
}
# What became of two of them with adults as controls: the ancestor drew COVID-19 with replacement
# there too, its controls by `.sample(300)`, without; adults were meant by it, not enforced.
PROTOCOLS |= {
    "ancestor_adults": replace(PROTOCOLS["ancestor"], with_replacement=("covid",)),
    "strict_adults": replace(PROTOCOLS["strict"], adults_only=True),
}
# None of S2 to S4 says how it kept patients apart; comparing networks needs test sets that are
# clean. S3 takes PA views alone, S4 all images of a COVID-19 patient.
PROTOCOLS |= {
    "S2": PROTOCOLS["strict"],
    "S3": replace(PROTOCOLS["strict"], views=("PA",)),
    "S4": replace(PROTOCOLS["strict"], first_image_per_patient=()),
}


def _rounded(system, name, accuracy, n, source, backbone, note="", **extra) -> Result:
    """Result whose source prints an accuracy and not a count."""
    k = None if n is None else round(accuracy * n)
    return Result(
        system, name, k, n, source, backbone, note=note, accuracy=accuracy, exact=False, **extra
    )


def _by_class(names=STUDY_CLASSES["S4"], macro=None, **scores):
    """Printed scores of each class by metric, and the unweighted means of precision and recall."""
    found = {metric: dict(zip(names, values, strict=True)) for metric, values in scores.items()}
    if macro:
        found["macro"] = dict(zip(("precision", "recall"), macro, strict=True))
    return {"class_scores": found}


_TWO_CLASSES = ("normal", "pneumonia")
_NOT_COMPARED = "the three test sets of S4 differ: not comparable with each other"

# fmt: off
RESULTS = {
    "paper_vgg19": Result(
        "S1", "Paper, VGG19", 125, 140, PAPER["doi"], "vgg19",
        confusion=((38, 2, 0), (1, 48, 1), (1, 10, 39)),
        class_names=CLASS_NAMES,
        class_scores={
            "precision": {"covid": 0.950, "normal": 0.800, "pneumonia": 0.975},
            "recall": {"covid": 0.950, "normal": 0.960, "pneumonia": 0.780},
            "f1": {"covid": 0.950, "normal": 0.873, "pneumonia": 0.866},
        },
        note="children as controls; the pneumonia F1 is cut, not rounded (0.8667)",
    ),
    "ancestor_reproduced": Result(
        "S1", "Ancestor, reproduction", 129, 140, ANCESTOR, "vgg19",
        note="one seed; drawn with replacement, so test images are also training images",
    ),
    "ancestor_corrected": Result(
        "S1", "Ancestor, adult controls", 72, 140, ANCESTOR, "vgg19",
        note="one seed; adults were meant, not enforced",
    ),
    "wolf_leaky": Result(
        "S1", "Wolf/husky, own backgrounds", 18, 20, ANCESTOR, "small_cnn", same_images=True,
    ),
    "wolf_swap": Result(
        "S1", "Wolf/husky, backgrounds swapped", 0, 40, ANCESTOR, "small_cnn", same_images=True,
    ),
    "wolf_white": Result(
        "S1", "Wolf/husky, white backgrounds", 14, 20, ANCESTOR, "small_cnn",
        note="two of the test images are also training images", same_images=True,
    ),
    "s2_fine_tuned": Result(
        "S2", "ResNet18, everything trained", 507, 624, TRANSFER_LEARNING, "resnet18",
        confusion=((118, 116), (1, 389)), class_names=_TWO_CLASSES,
        class_scores={"roc_auc": {"pneumonia": 0.75}},
        note="its ROC is drawn from hard labels, not scores",
    ),
    "s2_fixed": Result(
        "S2", "ResNet18, fixed features", 523, 624, TRANSFER_LEARNING, "resnet18",
        confusion=((144, 90), (11, 379)), class_names=_TWO_CLASSES,
        class_scores={"roc_auc": {"pneumonia": 0.79}},
        note="its ROC is drawn from hard labels; the optimiser updates the last layer alone",
    ),
    # S3 prints its figures in pictures that are lost; "around 50 %" is all its text says.
    "s3_transplant": _rounded(
        "S3", "VGG16, symbols transplanted", 0.50, None, LUNG_REPORT, "vgg16",
        "validation accuracy, 'around 50 %'; bone and tissue were carried along",
    ),
    "s4_cnn": _rounded(
        "S4", "CNN from scratch", 0.751, 1793, LUNG_SLIDES, "lung_cnn", _NOT_COMPARED,
        **_by_class(
            precision=(0.84, 0.89, 0.53, 0.75), recall=(0.67, 0.89, 0.69, 0.90),
            f1=(0.75, 0.89, 0.60, 0.82),
        ),
    ),
    "s4_cnn_one_channel": _rounded(
        "S4", "CNN from scratch, one channel", 0.815, 1226, LUNG_SLIDES, "lung_cnn",
        _NOT_COMPARED + "; the report printed beside the 81.5 % says 0.794 of 1,226",
        **_by_class(
            precision=(0.77, 0.83, 0.79, 0.83), recall=(0.89, 0.93, 0.48, 0.71),
            f1=(0.83, 0.88, 0.60, 0.76), macro=(0.80, 0.75),
        ),
    ),
    "s4_vgg16": _rounded(
        "S4", "VGG16, frozen", 0.816, None, LUNG_SLIDES, "vgg16",
        **_by_class(f1=(0.83, 0.91, 0.66, 0.91), macro=(0.82, 0.84)),
    ),
    "s4_vgg19": _rounded(
        "S4", "VGG19, frozen", 0.799, None, LUNG_SLIDES, "vgg19",
        **_by_class(f1=(0.80, 0.92, 0.64, 0.88), macro=(0.80, 0.82)),
    ),
    "s4_resnet50": _rounded(
        "S4", "ResNet50, frozen", 0.833, None, LUNG_SLIDES, "resnet50",
        **_by_class(f1=(0.84, 0.92, 0.69, 0.91), macro=(0.84, 0.84)),
    ),
    "s4_xception": _rounded(
        "S4", "Xception, frozen", 0.785, None, LUNG_SLIDES, "xception",
        **_by_class(f1=(0.80, 0.89, 0.62, 0.84), macro=(0.76, 0.82)),
    ),
    "s4_inception_v3": _rounded(
        "S4", "InceptionV3, frozen", 0.760, None, LUNG_SLIDES, "inception_v3",
        **_by_class(f1=(0.79, 0.87, 0.51, 0.84), macro=(0.75, 0.78)),
    ),
    "s4_resnet50_conv5": _rounded(
        "S4", "ResNet50, conv5 trained", 0.857, 3178, LUNG_SLIDES, "resnet50", _NOT_COMPARED,
        **_by_class(
            precision=(0.86, 0.97, 0.72, 0.91), recall=(0.87, 0.92, 0.73, 0.95),
            f1=(0.86, 0.95, 0.73, 0.95), macro=(0.87, 0.87),
        ),
    ),
    "s4_xception_tuned": _rounded(
        "S4", "Xception, last layers trained", 0.831, None, LUNG_SLIDES, "xception",
        **_by_class(f1=(0.84, 0.92, 0.70, 0.83), macro=(0.82, 0.83)),
    ),
    # 31 COVID, 885 normal and 594 pneumonia test images: 1,510.
    "s5_siamese": _rounded(
        "S5", "Siamese COVID-Net", 0.87, 1510, SIAMESE_NET, "covid_net",
        **_by_class(("covid", "pneumonia"), recall=(0.65, 0.88)),
    ),
    "s5_single": _rounded(
        "S5", "COVID-Net", 0.81, 1510, SIAMESE_NET, "covid_net",
        **_by_class(CLASS_NAMES, recall=(0.84, 0.82, 0.79)),
    ),
    "s5_single_cropped": _rounded(
        "S5", "COVID-Net, cropped images", 0.78, 1510, SIAMESE_NET, "covid_net"
    ),
}

# S4, ten single runs of the one-channel network on the masked images unless told: accuracy.
# Source: LUNG_SLIDES. Its own run-to-run spread is about one point (runs 2 and 10).
LUNG_ABLATION = {
    "masked, 40 epochs": 0.810, "masked (benchmark)": 0.805, "class weights": 0.746,
    "raw, class weights, wrong normalisation": 0.762, "raw, wrong normalisation": 0.777,
    "raw": 0.798, "no normalisation": 0.796, "no augmentation": 0.770,
    "BRISQUE outliers removed": 0.794, "masked, again": 0.815,
}


def list_changes(training, protocol, *, num_views=None, feature_scaling="none", **used) -> str:
    """Say in what a training differs from a published one; "" where it does not.

    Parameters
    ----------
    training : str
        A name in `TRAINING`.
    protocol : Protocol
    num_views : int or None
        Augmented views an image; None: what the protocol says.
    feature_scaling : str
        "none" as published, or what was done.
    **used
        Fields of `Training` with the value that was used, such as `num_epochs=20`.

    Returns
    -------
    str
        Such as "num_epochs 20 instead of 50, size_px 64 instead of 224".
    """
    there = TRAINING[training]
    pairs = {name: (value, getattr(there, name)) for name, value in used.items()}
    pairs["feature_scaling"] = (feature_scaling, "none")
    if num_views is not None:
        there = "a fresh one an epoch" if protocol.num_views is None else protocol.num_views
        pairs["num_views"] = (num_views, there)
    return ", ".join(f"{name} {a} instead of {b}" for name, (a, b) in pairs.items() if a != b)


def get_key(result) -> str | None:
    """Return the name of a result in `RESULTS`; None for None."""
    return next((key for key, known in RESULTS.items() if known is result), None)
