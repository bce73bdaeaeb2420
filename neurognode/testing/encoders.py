"""What every encoder must keep: shapes, no influence of unrecorded bins, no look ahead where it says so."""

from __future__ import annotations

import torch

from neurognode import registry


def check_encoder(name: str) -> None:
    """Check one encoder of the registry.

    Parameters
    ----------
    name : str
        Its name in ``registry.names("encoders")``.

    Raises
    ------
    AssertionError
        If bins past a trial's end, or later bins for a causal encoder, change the features.

    Examples
    --------
    >>> from neurognode.testing import check_encoder
    >>> check_encoder("causal_gru")
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = registry.resolve("encoders", name)(n_inputs=6).eval()
        x = torch.randn(3, 12, 6)
    lengths = torch.tensor([12, 7, 4])
    with torch.no_grad():
        features = encoder(x, lengths)
        expected = (3, 12, encoder.features)
        assert features.shape == expected, (
            f"{name}: features have shape {tuple(features.shape)}, expected {expected}"
        )
        padded = x.clone()
        padded[1, 7:], padded[2, 4:] = 99.0, -99.0
        changed = encoder(padded, lengths)
        for trial, length in enumerate(lengths.tolist()):
            same = torch.allclose(features[trial, :length], changed[trial, :length], atol=1e-6)
            assert same, f"{name}: bins after the end of a trial change its features"
        alone = encoder(x[1:2, :7], None)
        assert torch.allclose(alone[0], features[1, :7], atol=1e-5), (
            f"{name}: padding changes the features of a trial"
        )
        if encoder.causal:
            later = x.clone()
            later[:, 6:] += 1
            same = torch.allclose(encoder(later, None)[:, :6], encoder(x, None)[:, :6], atol=1e-6)
            assert same, f"{name}: it says that it is causal, but later bins change the features"
