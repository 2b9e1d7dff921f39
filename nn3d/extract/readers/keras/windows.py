"""Owns Keras layers over maps that hold no kernel: pools, padding, cropping, upsampling, batch and group norms."""

from __future__ import annotations

from nn3d.extract.readers.keras.build import Sym
from nn3d.extract.readers.keras.cells import scale_roles
from nn3d.extract.readers.keras.maps import held, maps, must, same_pads, shaped, space, vector, windowed
from nn3d.extract.readers.keras.rules import Applied, NoRuleError, Rule
from nn3d.run.model import JSON


def _pool(kind: str, rank: int) -> Rule:
    """Under "same", means are over the cells inside; the last window reaches past the end (ceil_mode)."""

    def rule(a: Applied) -> Sym:
        sym = maps(a, rank)
        window = a.wholes("pool_size", rank, 2)
        stride = window if a.config.get("strides") is None else a.wholes("strides", rank)
        size, mode, ones = space(sym), a.text("padding", "valid").lower(), [1] * rank
        found = windowed(size, window, stride, ones, mode)
        pads: list[JSON] = [0] * rank
        if mode == "same":
            pads = [same_pads(*numbers)[0] for numbers in zip(size, window, stride, ones, strict=True)]
        attributes: dict[str, JSON] = {
            "kernel_size": window, "stride": stride, "padding": pads, "ceil_mode": mode == "same",
        }  # fmt: skip
        attributes |= {"count_include_pad": False} if kind == "avg" else {"dilation": ones}
        return a.add(f"{kind}_pool{rank}d", "", [(sym, "input")], shaped(sym, sym.held[0], found),
                     attributes=attributes, is_first=sym.is_first)  # fmt: skip

    return rule


def _global(kind: str, rank: int) -> Rule:
    def rule(a: Applied) -> Sym:
        sym = maps(a, rank)
        channels = sym.held[0]
        pooled = a.add(f"adaptive_{kind}_pool{rank}d", "", [(sym, "input")], shaped(sym, channels, [1] * rank),
                       attributes={"output_size": [1] * rank}, is_first=sym.is_first)  # fmt: skip
        if a.flag("keepdims"):
            return pooled
        return a.add("flatten", "flatten", [(pooled, "input")], (channels,), attributes={"start_dim": 1})

    return rule


def _pairs(a: Applied, name: str, rank: int) -> list[tuple[int, int]]:
    """Amounts before and after, an axis of space each: one number, one an axis, or pairs."""
    given = a.config.get(name, 1)
    given = [given] * rank if isinstance(given, int) else given
    if rank == 1 and isinstance(given, list) and len(given) == 2 and all(isinstance(n, int) for n in given):
        given = [given]
    pairs = [(p, p) if isinstance(p, int) else tuple(p) for p in given]
    if len(pairs) != rank or any(len(p) != 2 or not all(0 <= n < 1 << 20 for n in p) for p in pairs):
        raise NoRuleError(f"{name} {str(given)[:40]}")
    return [(p[0], p[1]) for p in pairs]


def _padding(name: str, rank: int, sign: int) -> Rule:
    """Zeros around, or cells cut off."""

    def rule(a: Applied) -> Sym:
        sym, pairs = maps(a, rank), _pairs(a, name, rank)
        size = [n + sign * (before + after) for n, (before, after) in zip(space(sym), pairs, strict=True)]
        if min(size) < 1:
            raise NoRuleError("nothing is left")
        pads = [sign * n for pair in reversed(pairs) for n in pair]
        return a.add("pad", "", [(sym, "input")], shaped(sym, sym.held[0], size),
                     attributes={"pad": pads, "mode": "constant", "value": 0.0}, is_first=sym.is_first)  # fmt: skip

    return rule


def _upsampling(rank: int) -> Rule:
    def rule(a: Applied) -> Sym:
        sym, factors = maps(a, rank), a.wholes("size", rank, 2)
        mode = a.text("interpolation", "nearest")
        if mode not in ("nearest", "bilinear") or min(factors) < 1:
            raise NoRuleError(f"by {mode}")
        size = [n * f for n, f in zip(space(sym), factors, strict=True)]
        return a.add(
            "interpolate", "", [(sym, "input")], shaped(sym, sym.held[0], size), is_first=sym.is_first,
            attributes={"scale_factor": [float(f) for f in factors], "mode": mode, "align_corners": False},
        )  # fmt: skip

    return rule


def _batch_norm(a: Applied) -> Sym:
    sym = a.builder.last(a.x) if a.x.flat else a.x
    axis = a.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    rank = len(sym.shape)
    if axis not in (-1, rank, 1):
        raise NoRuleError(f"along axis {axis}")
    sym = a.builder.first(sym) if axis in (-1, rank) and rank > 1 else a.builder.last(sym)
    roles = scale_roles(a)
    found = a.weights.get([*roles, "moving_mean", "moving_variance"])
    n = sym.held[0]
    parameters = held({
        "weight": vector(a, found.get("gamma"), n), "bias": vector(a, found.get("beta"), n),
        "running_mean": vector(a, must(found, "moving_mean"), n, is_buffer=True),
        "running_var": vector(a, must(found, "moving_variance"), n, is_buffer=True),
    })  # fmt: skip
    eps = a.number("epsilon", 1e-3)
    return a.same("batch_norm", "", sym, attributes={"eps": eps, "training": False}, parameters=parameters)


def _group_norm(a: Applied) -> Sym:
    sym = a.builder.last(a.x) if a.x.flat else a.x
    if a.config.get("axis", -1) not in (-1, len(sym.shape)):
        raise NoRuleError("along another axis than the last")
    sym, groups = a.builder.first(sym), a.whole("groups", 32)
    n = sym.held[0]
    groups = n if groups == -1 else groups
    if groups < 1 or n % groups:
        raise NoRuleError(f"{n} channels in {groups} groups")
    roles = scale_roles(a)
    found = a.weights.get(roles)
    parameters = held({"weight": vector(a, found.get("gamma"), n), "bias": vector(a, found.get("beta"), n)})
    attributes = {"num_groups": groups, "eps": a.number("epsilon", 1e-3)}
    return a.same("group_norm", "", sym, attributes=attributes, parameters=parameters)


def _table() -> dict[str, Rule]:
    found: dict[str, Rule] = {"BatchNormalization": _batch_norm, "GroupNormalization": _group_norm}
    for rank in (1, 2, 3):
        found |= {
            f"ZeroPadding{rank}D": _padding("padding", rank, 1), f"Cropping{rank}D": _padding("cropping", rank, -1),
            f"UpSampling{rank}D": _upsampling(rank),
        }  # fmt: skip
        for kind, word in (("max", "Max"), ("avg", "Average")):
            found[f"{word}Pooling{rank}D"] = _pool(kind, rank)
            found[f"Global{word}Pooling{rank}D"] = _global(kind, rank)
    return found


RULES = _table()
