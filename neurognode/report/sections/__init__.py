"""The sections of a report; each takes a `Content` and gives a `Section`, or None where there is nothing."""

from neurognode.report.sections.closing import limits, repeat
from neurognode.report.sections.flow import flow
from neurognode.report.sections.latents import latents
from neurognode.report.sections.rates import rates
from neurognode.report.sections.scores import scores
from neurognode.report.sections.verdicts import planted, verdicts

__all__ = ["flow", "latents", "limits", "planted", "rates", "repeat", "scores", "verdicts"]
