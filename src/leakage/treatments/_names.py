"""Treatments by name: "inpaint+crop" is one after the other; fitted ones carry their state."""

import dataclasses
import hashlib

import numpy as np

from leakage.treatments import contrast, counterfactual, crop, symbols, transplant

SEPARATOR = "+"
FAMILIES = (counterfactual, crop, symbols, transplant, contrast)
TREATMENTS = {treatment.name: treatment for family in FAMILIES for treatment in family.TREATMENTS}


@dataclasses.dataclass(frozen=True, repr=False)
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
    fitted_on : tuple of str
        sha256 of the training files, which a training record (`audit`, L1.2) can hold.
    """

    name: str
    states: dict
    key: str
    fitted_on: tuple

    def __repr__(self):
        return f"Fitted({self.key!r}, on {len(self.fitted_on)} images)"

    def __deepcopy__(self, memo):
        return self  # frozen, and its arrays are never written to


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
    unknown = [part for part in name.split(SEPARATOR) if part not in TREATMENTS]
    if unknown:
        raise ValueError(
            f"Unknown treatment. Expected one of {sorted(TREATMENTS)}, or several joined by "
            f"{SEPARATOR!r}. Received: {name!r}."
        )
    steps = [TREATMENTS[part] for part in name.split(SEPARATOR) if part != "none"]
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
    if isinstance(treatment, Fitted):
        return treatment.key
    steps = split_name(treatment)
    check_fitted(steps, {})
    return _join([_describe(step, {}) for step in steps])


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
    if not isinstance(treatment, Fitted):
        split_name(joined)
        return joined
    return make_fitted(joined, treatment.states, treatment.fitted_on)


def make_fitted(name, states, fitted_on):
    """Complete a fitted treatment by its key."""
    steps = split_name(name)
    check_fitted(steps, states)
    key = _join([_describe(step, states) for step in steps])
    return Fitted(name, states, key, tuple(fitted_on))


def check_fitted(steps, states):
    """Refuse steps that have to learn from the training images and did not.

    Raises
    ------
    ValueError
        Naming them.
    """
    missing = [step.name for step in steps if step.fit and step.name not in states]
    if missing:
        raise ValueError(
            f"The treatment learns from training images and was not fitted: {missing}. Expected "
            "what `treatments.fit_treatment(name, training_rows)` returns. Received: a name."
        )


def _describe(step, states):
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


def _join(parts):
    return SEPARATOR.join(parts) or "none"
