"""Which images show the same picture: fingerprints, candidates, registration, links."""
