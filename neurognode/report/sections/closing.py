"""What could not be told, and how to do it all again."""

from __future__ import annotations

from neurognode.report.content import Content
from neurognode.report.page import Code, Section


def limits(content: Content) -> Section | None:
    """Everything that bounds what the page may claim, in sentences."""
    said = list(content.limits)
    if content.portrait is not None:
        said += [f"Portrait: {note}." for note in content.portrait.notes]
    if content.verdicts is not None:
        unclear = [v for v in content.verdicts if v.status == "cannot_tell"]
        said += [f"{v.hypothesis.replace('_', ' ').capitalize()}: {v.reason}" for v in unclear]
    if not said:
        return None
    return Section("limits", "What could not be told", "", paragraphs=said)


def repeat(content: Content) -> Section:
    """Command, configuration, versions."""
    code = []
    if content.command:
        code.append(Code("The command", content.command))
    code.append(
        Code(
            "From Python",
            'import neurognode as ng\n\nrun = ng.load_run("RUN")\nfits, latents = run.fits, run.latents',
        )
    )
    if content.config:
        code.append(Code("config.yaml", content.config, folded=True))
    made = content.provenance
    said = []
    if made:
        versions = ", ".join(f"{name} {version}" for name, version in made.get("versions", {}).items())
        said.append(f"Python {made.get('python', '')}; {versions}. {made.get('machine', '')}.")
        if made.get("git_commit"):
            said.append(f"Source at commit {made['git_commit']}.")
    lead = "The same seed on the same machine gives the same numbers."
    return Section("repeat", "Repeat this run", lead, paragraphs=said, code=code)
