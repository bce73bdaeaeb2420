"""Vector fields, maps, their initialisation, and their integration."""

from neurognode.dynamics.base import GatedField, Map, VectorField
from neurognode.dynamics.diffusion import Diffusion, simulate
from neurognode.dynamics.gnode import GNODE, NODE
from neurognode.dynamics.integrate import integrate
from neurognode.dynamics.maps import GRU, LSTM, MGRU, RNN
from neurognode.dynamics.population import build, member, stack

__all__ = [
    "GNODE",
    "GRU",
    "LSTM",
    "MGRU",
    "NODE",
    "RNN",
    "Diffusion",
    "GatedField",
    "Map",
    "VectorField",
    "build",
    "integrate",
    "member",
    "simulate",
    "stack",
]
