"""Treatments by name: "inpaint+crop" is one after the other; fitted ones carry their state."""

import dataclasses
import hashlib

import numpy as np

from leakage.treatments import contrast, counterfactual, crop, symbols, transplant
from leakage.treatments._common import check_mask

SEPARATOR = "+"
FAMILIES = (counterfactual, crop, symbols, transplant, contrast)
TREATMENTS = {treatment.name: treatment for family in FAMILIES for treatment in family.TREATMENTS}


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A treatment with what it learned from the training images; see `fit_treatment`.

    Attributes
    ----------
    name : str
        As `split_name` takes it.
    states : dict of str to dict
        By the name of each fitted step.
    key : str
        Names the treatment and its content, for the feature bank.
    """

    name: str
    states: dict
    key: str = dataclasses.field(default="", init=False)

    def __post_init__(self):
        key = SEPARATOR.join(_describe(step, self.states) for step in split_name(self.name))
        object.__setattr__(self, "key", key or "none")


def split_name(treatment):
    """Return the steps of a treatment.

    Parameters
    ----------
    treatment : str or Fitted
        Names of `TREATMENTS`, joined by "+": "inpaint+crop".

    Returns
    -------
    list of Treatment

    Raises
    ------
    ValueError
        If a name is unknown, or a treatment of the whole image comes after one that is applied at
        the network's size.
    """
    name = get_name(treatment)
    parts = name.split(SEPARATOR)
    if not set(parts) <= set(TREATMENTS):
        raise ValueError(
            f"Unknown treatment. Expected one of {sorted(TREATMENTS)}, or several joined by "
            f"{SEPARATOR!r}. Received: {name!r}."
        )
    steps = [TREATMENTS[part] for part in parts if part != "none"]
    small = [step.name for step in steps if not step.at_full_size]
    for before, after in zip(steps, steps[1:], strict=False):
        if after.at_full_size and not before.at_full_size:
            raise ValueError(
                f"{after.name!r} is applied before the image is resized for the network, and "
                f"{small} after. Expected it first. Received: {name!r}."
            )
    return steps


def get_name(treatment):
    """Return the name of a treatment, fitted or not."""
    return treatment.name if isinstance(treatment, Fitted) else treatment


def get_key(treatment):
    """Name a treatment and everything that determines its pixels, for the feature bank.

    Raises
    ------
    ValueError
        If a step has to be fitted first.
    """
    return treatment.key if isinstance(treatment, Fitted) else Fitted(treatment, {}).key


def needs_mask(treatment):
    """Whether a treatment needs the mask of each image."""
    return any(step.needs_mask for step in split_name(treatment))


def compose(treatment, name):
    """Put a treatment that needs no fit behind another, fitted or not.

    Parameters
    ----------
    treatment : str or Fitted
    name : str
        Of `TREATMENTS`; "none" adds nothing.

    Returns
    -------
    str or Fitted
    """
    parts = [part for part in (get_name(treatment), name) if part != "none"]
    joined = SEPARATOR.join(parts) or "none"
    if isinstance(treatment, Fitted):
        return Fitted(joined, treatment.states)
    split_name(joined)
    return joined


def run_steps(steps, image, mask, treatment):
    """Apply steps in order; return image and mask, both smaller where a step cuts."""
    states = treatment.states if isinstance(treatment, Fitted) else {}
    for step in steps:
        _check_fitted(step, states)
        if step.needs_mask:
            check_mask(mask, image, step.name)
        if step.find_box:
            box = step.find_box(image, mask)
            image = np.ascontiguousarray(image[box])
            mask = None if mask is None else np.ascontiguousarray(mask[box])
        else:
            image = step.apply(image, mask, *([states[step.name]] if step.fit else []))
    return image, mask


def _check_fitted(step, states):
    if step.fit and step.name not in states:
        raise ValueError(
            f"The treatment learns from training images and was not fitted: {step.name!r}. "
            "Expected what `treatments.fit_treatment(name, training_rows)` returns. Received: a "
            "name."
        )


def _describe(step, states):
    _check_fitted(step, states)
    # Version 0 stands for what features computed before there were versions are named by.
    version = f" v{step.version}" if step.version else ""
    if not step.fit:
        return step.name + version
    digest = hashlib.sha256()
    for name, values in sorted(states[step.name].items()):
        values = np.ascontiguousarray(values)
        digest.update(f"{name} {values.shape} {values.dtype.str}".encode())
        digest.update(values.tobytes())
    return f"{step.name}{version} {digest.hexdigest()[:16]}"
