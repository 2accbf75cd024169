"""Every claim of the published systems beside ours: `results/claims.md`.

`python -m leakage.readme README.md` writes it. Only records of real images count.
"""

from leakage.claims.listed import CLAIMS
from leakage.claims.table import count_verdicts, format_claims, format_count, list_claims
