"""What a draw of images allows: as the paper, as its ancestor's notebooks, or strictly."""

from dataclasses import dataclass


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
