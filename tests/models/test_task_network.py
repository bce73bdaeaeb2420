"""Task networks: learning, populations, masks, classification, the optimiser of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurognode.models import TaskNetwork
from neurognode.models.member_adam import MemberAdam
from neurognode.models.task_data import prepare
from neurognode.synthetic import smooth_trajectories, tasks

QUIET = {"progress": False, "random_state": 0}


@pytest.fixture(scope="module")
def one_bit():
    trials = tasks.make("fixed_1bit", 256, random_state=0)
    options = {"hidden": (32,), "init": "glorot"}
    net = TaskNetwork(2, dynamics_options=options, n_members=3, learning_rate=1e-2, max_steps=400, **QUIET)
    return net.fit(trials), tasks.make("fixed_1bit", 200, random_state=9)


def test_a_one_bit_flip_flop_is_learned(one_bit):
    net, fresh = one_bit
    assert net.score(fresh) > 0.9


def test_the_best_member_predicts_and_losses_agree(one_bit):
    net, fresh = one_bit
    losses = net.losses(fresh)
    assert losses.shape == (3,)
    assert net.best_ == int(np.argmin([m["validation_loss"] for m in net.members_]))
    for member in range(3):
        error = ((net.predict(fresh, member=member) - fresh.targets) ** 2).mean()
        assert error == pytest.approx(losses[member], rel=1e-4)


def test_outputs_are_read_from_states(one_bit):
    net, fresh = one_bit
    states = net.transform(fresh)
    np.testing.assert_allclose(states @ net.readout_.T + net.bias_, net.predict(fresh), atol=1e-5)


def test_the_field_steps_the_states(one_bit):
    net, fresh = one_bit
    states = torch.as_tensor(net.transform(fresh))
    inputs = torch.as_tensor(fresh.inputs, dtype=torch.float32)
    with torch.no_grad():
        after = states[:, :-1] + 0.01 * net.field_(states[:, :-1], inputs[:, 1:])
    np.testing.assert_allclose(after.numpy(), states[:, 1:].numpy(), atol=1e-4)


def test_members_do_not_influence_each_other():
    trials = tasks.make("fixed_1bit", 64)
    alone, together = (
        TaskNetwork(2, dynamics="rnn", learning_rate=rates, max_steps=20, **QUIET).fit(trials)
        for rates in (1e-2, [1e-2, 1e6])
    )
    # Members are drawn in one go, so compare what training did to the first: it must not have exploded.
    assert np.isfinite(together.losses(trials)[0])
    assert together.losses(trials)[0] < 5 * alone.losses(trials)[0]


def test_the_papers_decay_shrinks_every_weight_whatever_the_learning_rate():
    weights, bias = torch.nn.Parameter(torch.ones(3, 4, 2)), torch.nn.Parameter(torch.ones(3, 2))
    optimiser = MemberAdam(
        [weights, bias], torch.tensor([1.0, 1e-3, 0.0]), torch.full((3,), 0.1), decay="flux"
    )
    weights.grad, bias.grad = torch.zeros_like(weights), torch.zeros_like(bias)
    optimiser.step()
    for p in (weights, bias):
        torch.testing.assert_close(p.detach(), torch.full_like(p, 0.9))


def test_member_adam_is_adamw_of_torch():
    torch.manual_seed(0)
    start, gradients = torch.randn(2, 3, 3), torch.randn(5, 2, 3, 3)
    ours = torch.nn.Parameter(start.clone())
    optimiser = MemberAdam([ours], torch.tensor([1e-2, 3e-2]), torch.tensor([0.1, 0.2]))
    theirs = [torch.nn.Parameter(start[i].clone()) for i in range(2)]
    adams = [
        torch.optim.AdamW([theirs[0]], 1e-2, weight_decay=0.1),
        torch.optim.AdamW([theirs[1]], 3e-2, weight_decay=0.2),
    ]
    for gradient in gradients:
        ours.grad = gradient.clone()
        optimiser.step()
        for i, adam in enumerate(adams):
            theirs[i].grad = gradient[i].clone()
            adam.step()
    torch.testing.assert_close(ours.detach(), torch.stack([t.detach() for t in theirs]))


def test_gradients_are_clipped_per_member():
    weights = torch.nn.Parameter(torch.zeros(2, 4))
    optimiser = MemberAdam([weights], torch.ones(2), torch.zeros(2), clip=1.0)
    weights.grad = torch.tensor([[100.0] * 4, [0.1] * 4])
    norm = optimiser.step()
    torch.testing.assert_close(norm, torch.tensor([200.0, 0.2]))
    torch.testing.assert_close(optimiser.first[0].norm(dim=1), torch.tensor([0.1, 0.02]))


def test_masked_bins_do_not_count():
    trials = tasks.make("copy", 16, strict=False)
    data = prepare(trials).rows(torch.arange(16)[None])
    outputs = data.targets.clone()
    outputs[:, :, :10] = 99.0
    assert float(data.loss(outputs)[0]) == 0


def test_sequences_of_different_length_are_classified():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=200)
    lengths = rng.integers(10, 30, 200)
    x = 0.3 * rng.normal(size=(200, 30, 1)) + (2 * labels - 1)[:, None, None] * 0.3
    mask = np.arange(30) < lengths[:, None]
    x[~mask] = 50.0
    net = TaskNetwork(4, loss="cross_entropy", learning_rate=1e-2, max_steps=150,
                      dynamics_options={"hidden": (16,), "init": "glorot"}, **QUIET)  # fmt: skip
    net.fit(x[:150], labels[:150], mask=mask[:150])
    assert net.score(x[150:], labels[150:], mask=mask[150:]) > 0.9


def test_irregular_times_enter_as_time():
    trials = tasks.make("fixed_1bit", 8)
    options = {"hidden": (8,), "tau": 0.02, "init": "glorot"}
    net = TaskNetwork(2, method="exponential_euler", dynamics_options=options, max_steps=1, **QUIET).fit(
        trials
    )
    regular = np.tile(0.01 * np.arange(100), (8, 1))
    np.testing.assert_allclose(net.predict(trials, times=regular), net.predict(trials), atol=1e-5)
    assert np.abs(net.predict(trials, times=3 * regular) - net.predict(trials)).max() > 1e-3


def test_trajectories_are_fitted_from_learned_starts():
    times, targets = smooth_trajectories(3, 2, length_scale=0.3)
    net = TaskNetwork(6, initial_state="per_trial", learning_rate=1e-2, max_steps=400, batch_size=3, dt=times[1],
                      method="exponential_euler", dynamics_options={"hidden": (32,), "tau": 0.05}, **QUIET)  # fmt: skip
    assert net.fit(None, targets).score(None, targets) > 0.9


@pytest.mark.parametrize(
    ("dynamics", "rate"), [("rnn", 1e-2), ("mgru", 1e-2), ("gru", 1e-2), ("lstm", 1e-2), ("node", 1e-3)]
)
def test_every_compared_model_trains(dynamics, rate):
    trials = tasks.make("fixed_1bit", 64)
    net = TaskNetwork(4, dynamics=dynamics, learning_rate=rate, max_steps=60, validate_every=10, **QUIET)
    scores = [h["validation"][0] for h in net.fit(trials).history_]
    assert min(scores[1:]) < 0.9 * scores[0]


def test_the_same_seed_gives_the_same_network():
    trials = tasks.make("fixed_1bit", 32)
    one, two = (TaskNetwork(2, max_steps=5, **QUIET).fit(trials).predict(trials) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_wrong_shapes_and_names_are_explained():
    trials = tasks.make("fixed_1bit", 4)
    with pytest.raises(ValueError, match="targets has shape"):
        TaskNetwork(**QUIET).fit(trials.inputs, trials.targets[:2])
    with pytest.raises(ValueError, match="Did you mean 'mse'"):
        TaskNetwork(loss="mce", **QUIET).fit(trials)
