"""`neurognode demo`: the whole chain on a recording simulated from a known circuit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurognode.commands.chain import run_chain, say
from neurognode.commands.fit import default_out
from neurognode.errors import one_of

N_TRIALS, N_UNITS, MEMBERS = 200, 60, 3
BIN, STEPS, QUICK_STEPS = 0.02, 600, 150


def demo(
    circuit: Annotated[
        str, typer.Option(help="What to plant: bistable, ring, line, limit-cycle, ...")
    ] = "bistable",
    out: Annotated[Path | None, typer.Option(help="The run folder to make.", metavar="RUN")] = None,
    members: Annotated[int, typer.Option(help="Fits with different seeds.")] = MEMBERS,
    seed: Annotated[int, typer.Option(help="Seed of the simulation and of the fits.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="A short look: fewer steps, weaker answers.")
    ] = False,
) -> None:
    """Simulate a recording of a known circuit, and do with it what you would do with yours."""
    from neurognode.synthetic import circuits, simulate_recording

    name = circuit.replace("-", "_")
    one_of(name, circuits.names(), "circuit")
    target = out if out is not None else Path(default_out(f"neurognode-demo-{circuit}"))
    planted = circuits.make(name)
    say(typer.style(f"Planted: {planted.key.text}", bold=True))
    n_trials = 60 if quick else N_TRIALS
    simulated = simulate_recording(planted, n_units=N_UNITS, n_trials=n_trials, random_state=seed)
    file = target.with_name(f"{target.name}.nwb")
    if file.exists():
        raise ValueError(f"{str(file)!r} exists already; name another --out.")
    simulated.to_nwb(file)
    say(f"  {n_trials} trials of {planted.duration:g} s, {N_UNITS} Poisson units, written to {file}")
    chosen = _configuration(simulated, file, members, seed, quick)
    say("  From here on, what you would type for your own file:")
    say(f"  {chosen['command']}\n")
    run = run_chain(chosen, target, planted=lambda run: compare_truth(simulated, run))
    say("")
    for what, was, found in compare_truth(simulated, run):
        say(f"  {what:<28} planted: {was}\n  {'':<28} found:   {found}")


def _configuration(simulated: Any, file: Path, members: int, seed: int, quick: bool) -> dict[str, Any]:
    """The configuration a user would get from the command that is printed."""
    duration = float(simulated.circuit.duration)
    table = simulated.table
    condition = next((c for c in ("choice", "condition") if c in table), None)
    steps = QUICK_STEPS if quick else STEPS
    latent_dim = simulated.circuit.latent_dim
    words = f"neurognode fit {file} --align start_time --window 0 {duration:g} --bin-size {BIN:g}"
    words += f" --latent-dim {latent_dim} --members {members} --seed {seed}"
    arguments: dict[str, Any] = {"event": "start_time", "window": [0.0, duration], "bin_size": BIN}
    if simulated.simulation.inputs is not None:
        arguments["inputs"] = ["stimulus"]
        words += " --inputs stimulus"
    model = {"latent_dim": latent_dim, "max_steps": steps}
    if condition is not None:
        words += f" --condition {condition}"
    words += f" --max-steps {steps}"
    return {
        "recording": {"path": str(file)},
        "alignment": {"how": "align", "arguments": arguments},
        "model": {"arguments": model, "members": members, "jobs": -1},
        "split": {"seed": seed},
        "condition": condition,
        "seed": seed,
        "command": words,
    }


def compare_truth(simulated: Any, run: Any) -> list[tuple[str, str, str]]:
    """Rows (what, planted, found): hypothesis, attractors, period, states."""
    from neurognode.runs.decoding import against_truth

    key, portrait, verdicts = simulated.circuit.key, run.portrait, run.verdicts
    rows = []
    if verdicts is not None:
        good = [v.hypothesis for v in verdicts if v.status == "supported"]
        found = ", ".join(n.replace("_", " ") for n in good) or "no hypothesis is supported"
        rows.append(("hypothesis", simulated.circuit.hypothesis.replace("_", " "), found))
    fixed = portrait.fixed_points
    seen = fixed.inside & fixed.isolated
    if len(key.fixed_points):
        unstable = int((~key.stable).sum())
        rows.append(
            (
                "fixed points",
                f"{int(key.stable.sum())} stable, {unstable} unstable",
                f"{int((seen & fixed.stable).sum())} stable, {int((seen & ~fixed.stable).sum())} unstable, "
                "where data have been",
            )
        )
        rates = [f"{v:.2g}" for v in key.eigenvalues.real.max(1)]
        ours = [f"{v:.2g}" for v in fixed.eigenvalues.real.max(1)[seen][:8]]
        rows.append(("growth rates there (1/s)", ", ".join(sorted(rates)), ", ".join(sorted(ours)) or "none"))
    ends = int(portrait.scalars()["n_clusters"])
    shape = portrait.slow.topology.name
    if ends > 1:
        shape = f"{ends} separate groups (taken together: {shape})"
    rows.append(("where states come to lie", key.topology, shape))
    if key.period is not None:
        periods = ", ".join(f"{c.period:.3f} s" for c in portrait.cycles) or "no periodic orbit"
        rows.append(("period", f"{key.period:.3f} s", periods))
    stored = run.latents
    truth = simulated.truth(BIN).isel(time=slice(0, stored.sizes["time"]))
    is_test = stored["is_test"].values.astype(bool)
    scores = against_truth(stored["latents"], None, truth, is_test)
    rows.append(("true states from latents", "R² 1 at best", f"R² {scores['latent_r2']:.3f} on test trials"))
    return rows
