"""The feature bank: each image passes through a frozen backbone once, and the result is kept."""

from leakage.features.bank import FeatureBank
from leakage.features.cap import get_lock, limit_size
