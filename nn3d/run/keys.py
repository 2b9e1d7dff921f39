"""Owns the keys of arrays in a run (docs/FORMAT.md): integer ids only, so that names may hold any character."""

from __future__ import annotations

import re

MANIFEST = "manifest"
EPOCH_KEY = re.compile(r"e(\d{6,})/(.+)")
ACTIVATION_KEY = re.compile(r"e\d{6,}/a/[\d.]+")


def epoch_prefix(epoch_id: int) -> str:
    """`e000010`: at least six digits."""
    return f"e{epoch_id:06d}"


def activation_key(epoch_id: int, node: int, output: int) -> str:
    """Recorded output of a node: (N, *shape)."""
    return f"{epoch_prefix(epoch_id)}/a/{node}.{output}"


def parameter_key(epoch_id: int, parameter: int) -> str:
    """A parameter or buffer, in its canonical layout."""
    return f"{epoch_prefix(epoch_id)}/w/{parameter}"


def channel_stats_key(epoch_id: int, node: int, output: int) -> str:
    """Figures per channel of a recorded output (nn3d.run.statistics.ChannelStats)."""
    return f"{epoch_prefix(epoch_id)}/s/{node}.{output}"


def sample_stats_key(epoch_id: int, node: int, output: int) -> str:
    """Figures per sample of a recorded output."""
    return f"{epoch_prefix(epoch_id)}/s/{node}.{output}.samples"


def parameter_stats_key(epoch_id: int, parameter: int) -> str:
    """Figures of a parameter (nn3d.run.statistics.ParameterStats)."""
    return f"{epoch_prefix(epoch_id)}/s/w/{parameter}"


def update_stats_key(epoch_id: int, parameter: int) -> str:
    """Figures of a parameter's change since the epoch before, optional (nn3d.run.updates.UpdateStats)."""
    return f"{epoch_prefix(epoch_id)}/s/u/{parameter}"


def update_key(epoch_id: int, parameter: int) -> str:
    """A parameter's change since the epoch before, optional."""
    return f"{epoch_prefix(epoch_id)}/u/{parameter}"


def parameter_gradient_key(epoch_id: int, parameter: int) -> str:
    """Gradient of the loss by a parameter, optional."""
    return f"{epoch_prefix(epoch_id)}/gw/{parameter}"


def activation_gradient_key(epoch_id: int, node: int, output: int) -> str:
    """Gradient of the loss by a node's output, optional."""
    return f"{epoch_prefix(epoch_id)}/ga/{node}.{output}"


def input_key(index: int) -> str:
    """Values of the index-th input node (in the order of the graph's nodes), the same at every epoch."""
    return f"in/{index}"
