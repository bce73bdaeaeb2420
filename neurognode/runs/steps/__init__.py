"""The steps of a run, in order; each reads and writes one run folder."""

from neurognode.runs.steps.compare import compare_run
from neurognode.runs.steps.evaluate import evaluate_run
from neurognode.runs.steps.export import export_run
from neurognode.runs.steps.fit import fit_run
from neurognode.runs.steps.interpret import interpret_run
from neurognode.runs.steps.mechanisms import rank_run
from neurognode.runs.steps.push import push_run
from neurognode.runs.steps.report import report_run
from neurognode.runs.steps.written import prove_run, write_run

__all__ = [
    "compare_run",
    "evaluate_run",
    "export_run",
    "fit_run",
    "interpret_run",
    "prove_run",
    "push_run",
    "rank_run",
    "report_run",
    "write_run",
]
