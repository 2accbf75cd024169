"""One file a check, named as the check."""
