"""Owns what ONNX's operators that only move values are in a run: joining, cutting, turning, padding, resizing."""

from __future__ import annotations

from nn3d.extract.readers.onnx.seen import SETTING, Mapped, Rule, Seen
from nn3d.run.model import JSON

_BEYOND = 1 << 31


def _concat(seen: Seen) -> Mapped:
    names = tuple(f"tensors[{i}]" for i in range(len(seen.node.input)))
    return Mapped("concat", {"dim": int(seen.get("axis", 1))}, names)


def _flatten(seen: Seen) -> Mapped:
    axis = int(seen.get("axis", 1))
    return Mapped("flatten", {"start_dim": axis}) if axis == 1 else Mapped("reshape")


def _transpose(seen: Seen) -> Mapped:
    rank = len(seen.in_shape())
    return Mapped("permute", {"dims": [int(v) for v in seen.get("perm", range(rank)[::-1])]})


def _moved(op: str) -> Rule:
    """Reshaping: what the output looks like says all."""

    def rule(seen: Seen) -> Mapped:
        axes = seen.setting("axes", 1) if op in ("squeeze", "unsqueeze") else None
        return Mapped(op, {} if axes is None else {"dim": [int(a) for a in axes]}, ("input", SETTING))

    return rule


def _split(seen: Seen) -> Mapped:
    return Mapped("split", {"dim": int(seen.get("axis", 0))}, ("input", SETTING))


def _slice(seen: Seen) -> Mapped:
    """Written as torch writes an index: "[:, 0:3, ::2]"."""
    rank = len(seen.in_shape())
    starts, ends = seen.setting("starts", 1), seen.setting("ends", 2)
    arguments = ("input", SETTING, SETTING, SETTING, SETTING)
    if starts is None or ends is None or not rank:
        return Mapped("slice", {}, arguments)
    axes = seen.setting("axes", 3) or list(range(len(starts)))
    steps = seen.numbers(4) or [1] * len(starts)
    entries = [":"] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=False):
        last = "" if abs(int(end)) >= _BEYOND - 1 else str(int(end))
        first = "" if abs(int(start)) >= _BEYOND - 1 or not int(start) else str(int(start))
        entries[int(axis) % rank] = f"{first}:{last}" + ("" if int(step) == 1 else f":{int(step)}")
    return Mapped("slice", {"index": f"[{', '.join(entries)}]"}, arguments)


def _pad(seen: Seen) -> Mapped:
    """ONNX has all begins, then all ends; torch the last axis first, before and after."""
    pads = seen.setting("pads", 1)
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}.get(
        str(seen.get("mode", "constant")), ""
    )
    value = seen.numbers(2) or [seen.get("value", 0.0)]
    arguments = ("input", SETTING, SETTING, SETTING)
    if pads is None or not mode or (seen.name(3) and seen.numbers(3) != list(range(len(pads) // 2))):
        return Mapped("pad", {}, arguments)
    n = len(pads) // 2
    found = [int(v) for axis in reversed(range(n)) for v in (pads[axis], pads[n + axis])]
    while len(found) > 2 and found[-2:] == [0, 0]:
        del found[-2:]
    return Mapped("pad", {"pad": found, "mode": mode, "value": float(value[0])}, arguments)


def _resize(seen: Seen) -> Mapped:
    """Where it is one of torch's ways, it gets torch's name."""
    mode = str(seen.get("mode", "nearest"))
    old = seen.node.op_type == "Upsample" or seen.opset < 11
    at = str(seen.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel"))
    near = str(seen.get("nearest_mode", "floor" if old else "round_prefer_floor"))
    rank = max(1, len(seen.in_shape()) - 2)
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}.get(rank, "linear")
    found: dict[str, JSON] = {}
    if mode == "nearest" and at == "asymmetric" and near == "floor":
        found = {"mode": "nearest"}
    elif mode == "linear" and at in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        found = {"mode": linear, "align_corners": at == "align_corners"}
    elif mode == "cubic" and at in ("half_pixel", "pytorch_half_pixel", "align_corners") and rank == 2:
        found = {"mode": "bicubic", "align_corners": at == "align_corners"}
    if not found or seen.get("antialias", 0) or seen.get("cubic_coeff_a", -0.75) != -0.75:
        found = {"mode": f"{mode}, {at}, {near}" if mode == "nearest" else f"{mode}, {at}"}
    scales = seen.setting("scales", 1 if old else 2)
    if scales and len(scales) == rank + 2:
        found["scale_factor"] = [float(s) for s in scales[2:]]
    return Mapped("interpolate", found, ("input", SETTING, SETTING, SETTING))


def _depth_to_space(seen: Seen) -> Mapped:
    """torch's pixel shuffle takes depth, row, column (CRD)."""
    size, mode = int(seen.get("blocksize", 1)), seen.get("mode", "DCR")
    return Mapped("pixel_shuffle" if mode == "CRD" else "other:DepthToSpace", {"upscale_factor": size, "mode": mode})


def _gather_elements(seen: Seen) -> Mapped:
    return Mapped("gather", {"dim": int(seen.get("axis", 0))}, ("input", "index"))


RULES: dict[str, Rule] = {
    "Concat": _concat, "Flatten": _flatten, "Transpose": _transpose, "Reshape": _moved("reshape"),
    "Squeeze": _moved("squeeze"), "Unsqueeze": _moved("unsqueeze"), "Expand": _moved("expand"),
    "Tile": _moved("expand"), "Split": _split, "Slice": _slice, "Pad": _pad, "Resize": _resize, "Upsample": _resize,
    "GatherElements": _gather_elements, "DepthToSpace": _depth_to_space,
}  # fmt: skip
