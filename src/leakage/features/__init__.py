"""The feature bank: each image passes through a frozen backbone once, and the result is kept."""

from leakage.features.bank import FeatureBank, Views
from leakage.features.cap import get_lock, limit_size

__all__ = ["FeatureBank", "Views", "get_lock", "limit_size"]
