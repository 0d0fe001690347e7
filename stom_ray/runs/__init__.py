"""One configured run: what it is about, where it runs, what it found."""

from stom_ray.runs.conduct import RunOutcome, conduct, report_again

__all__ = ["RunOutcome", "conduct", "report_again"]
