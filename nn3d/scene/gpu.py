"""Between numpy and moderngl: vertex formats from dtypes, uniforms by name, buffers and textures that count bytes.

A vertex layout has one truth, a numpy structured dtype; attribute names are its field names with the prefix `in_`.
Matrices are row-major and act on columns, as everywhere in nn3d; they are transposed on upload.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.errors import GraphicsError, ShaderError

Array = NDArray[Any]

_CODES = {"f4": "f4", "f2": "f2", "i4": "i4", "i2": "i2", "i1": "i1", "u4": "u4", "u2": "u2", "u1": "u1"}
_TEXTURE_CODES = {"f4": "f4", "f2": "f2", "u1": "f1", "i4": "i4", "u4": "u4"}
_COUNTS = (1, 2, 3, 4, 9, 16)
# GL_FLOAT_MAT2, 3, 4 and the types of unsigned and of floating uniforms, from the OpenGL registry.
_SQUARE = {0x8B5A: 2, 0x8B5B: 3, 0x8B5C: 4}
_UNSIGNED = frozenset((0x1405, 0x8DC6, 0x8DC7, 0x8DC8))
_FLOATING = frozenset((0x1406, 0x8B50, 0x8B51, 0x8B52, *_SQUARE))


@dataclass(slots=True)
class Uploads:
    """Counts what goes to the GPU. `bytes` since the last reset."""

    bytes: int = 0

    def add(self, n_bytes: int) -> None:
        """Count n_bytes more."""
        self.bytes += n_bytes

    def reset(self) -> int:
        """Start again from 0; returns the bytes counted so far."""
        counted, self.bytes = self.bytes, 0
        return counted


def require_gl41(ctx: moderngl.Context) -> None:
    """Raise GraphicsError unless the context speaks OpenGL 4.1 or later."""
    if ctx.version_code < 410:
        got = f"{ctx.version_code // 100}.{ctx.version_code // 10 % 10}"
        raise GraphicsError(
            f"nn3d needs OpenGL 4.1, {ctx.info['GL_RENDERER']} gives {got}. Update the graphics driver or install Mesa."
        )


def check_errors(ctx: moderngl.Context, where: str) -> None:
    """Raise GraphicsError when OpenGL has an error pending; `where` says what was being done."""
    error = ctx.error
    if error != "GL_NO_ERROR":
        raise GraphicsError(f"{where}: OpenGL says {error}, expected none. Run with --debug and report this.")


def vertex_format(
    dtype: np.dtype[Any],
    *,
    used: Collection[str] | None = None,
    per_instance: bool = False,
    prefix: str = "in_",
) -> tuple[str, tuple[str, ...]]:
    """moderngl's format string of a structured dtype, and the attribute names in order.

    used : attributes that a program has; other fields become padding (a driver drops unused attributes).
    Raises ShaderError for a field that no vertex attribute can hold.
    """
    if dtype.fields is None or dtype.names is None:
        raise ShaderError(f"a vertex layout should be a structured dtype, got {dtype}. Name its fields.")
    parts: list[str] = []
    names: list[str] = []
    at = 0
    for name in dtype.names:
        field, offset = dtype.fields[name][:2]
        if used is not None and prefix + name not in used:
            continue
        if offset > at:
            parts.append(f"{offset - at}x")
        parts.append(_attribute(name, field))
        names.append(prefix + name)
        at = offset + field.itemsize
    if dtype.itemsize > at:
        parts.append(f"{dtype.itemsize - at}x")
    return " ".join(parts) + ("/i" if per_instance else ""), tuple(names)


def _attribute(name: str, field: np.dtype[Any]) -> str:
    base = field.base
    count = int(np.prod(field.shape, dtype=np.int64)) if field.shape else 1
    code = _CODES.get(base.str[1:])
    if code is None or count not in _COUNTS or base.str[0] == ">":
        raise ShaderError(f"vertex field {name!r}: expected 1 to 4 numbers of {', '.join(_CODES)}, got {field}.")
    return f"{count}{code}" if count > 1 else code


def attributes(
    program: moderngl.Program, data: moderngl.Buffer, dtype: np.dtype[Any], *, per_instance: bool = False
) -> tuple[Any, ...]:
    """One entry of `ctx.vertex_array(program, [...])`: (buffer, format, *names) of the fields the program uses."""
    used = {name for name in program if isinstance(program[name], moderngl.Attribute)}
    layout, names = vertex_format(dtype, used=used, per_instance=per_instance)
    return (data, layout, *names)


def set_uniforms(program: moderngl.Program, optional: Collection[str] = (), /, **values: Any) -> None:
    """Set uniforms by name: numbers, sequences, numpy arrays; a uniform block takes its binding.

    optional : names that may be absent because the driver optimised them out.
    Raises ShaderError for another absent name, or when the value has the wrong number of entries.
    """
    for name, value in values.items():
        member = program.get(name, None)
        if isinstance(member, moderngl.Uniform):
            member.write(_uniform_bytes(member, value))
        elif isinstance(member, moderngl.UniformBlock):
            member.binding = int(value)
        elif name not in optional:
            has = ", ".join(sorted(n for n in program if isinstance(program[n], moderngl.Uniform))) or "none"
            raise ShaderError(f"the program has no uniform {name!r}, only: {has}. Use it in a shader or list it.")


def _uniform_bytes(uniform: Any, value: Any) -> bytes:
    gl_type: int = uniform.gl_type
    kind = np.float32 if gl_type in _FLOATING else np.uint32 if gl_type in _UNSIGNED else np.int32
    array = np.asarray(value).astype(kind)
    wanted = uniform.dimension * uniform.array_length
    if array.size != wanted:
        raise ShaderError(f"uniform {uniform.name!r} takes {wanted} numbers, got {array.size} (shape {array.shape}).")
    side = _SQUARE.get(gl_type)
    if side is not None:
        array = array.reshape(-1, side, side).swapaxes(1, 2)
    return array.tobytes()


def make_buffer(ctx: moderngl.Context, array: Array, uploads: Uploads) -> moderngl.Buffer:
    """A vertex or uniform buffer that holds `array` (an empty array gives a small unused buffer)."""
    data = np.ascontiguousarray(array)
    if data.nbytes == 0:
        return ctx.buffer(reserve=max(16, data.dtype.itemsize))
    uploads.add(data.nbytes)
    return ctx.buffer(data.view(np.uint8).data)


def update_buffer(buffer: moderngl.Buffer, array: Array, uploads: Uploads) -> None:
    """Put `array` at the start of `buffer`, which grows when it is too small; vertex arrays on it stay valid."""
    data = np.ascontiguousarray(array)
    if data.nbytes == 0:
        return
    buffer.orphan(max(buffer.size, data.nbytes))
    buffer.write(data.view(np.uint8).data)
    uploads.add(data.nbytes)


def make_texture(
    ctx: moderngl.Context, array: Array, uploads: Uploads, *, nearest: bool = True, layers: bool = False
) -> moderngl.Texture | moderngl.TextureArray:
    """A texture of (H, W) or (H, W, C) values, or with `layers` a texture array of (K, H, W[, C]); never repeats.

    float32 and float16 as they are, uint8 as 0 … 1, int32 and uint32 as integers (isampler, usampler).
    Raises GraphicsError when the array has another shape or dtype or exceeds the GPU's limit.
    """
    data = np.ascontiguousarray(array)
    flat = data.shape[1:] if layers else data.shape
    code = _TEXTURE_CODES.get(data.dtype.str[1:])
    channels = flat[2] if len(flat) == 3 else 1
    if code is None or len(flat) not in (2, 3) or not 1 <= channels <= 4:
        raise GraphicsError(f"a texture should be (H, W[, C≤4]), got {data.shape} of {data.dtype}. Reshape it.")
    _check_limit(ctx, data.shape, flat, layers=layers)
    size = (flat[1], flat[0])
    texture: moderngl.Texture | moderngl.TextureArray
    raw = data.view(np.uint8).data
    if layers:
        texture = ctx.texture_array((*size, data.shape[0]), channels, raw, alignment=1, dtype=code)
    else:
        texture = ctx.texture(size, channels, raw, alignment=1, dtype=code)
    mode = moderngl.NEAREST if nearest or code in ("i4", "u4") else moderngl.LINEAR
    texture.filter = (mode, mode)
    texture.repeat_x = texture.repeat_y = False
    uploads.add(data.nbytes)
    return texture


def _check_limit(ctx: moderngl.Context, shape: tuple[int, ...], flat: tuple[int, ...], *, layers: bool) -> None:
    limit = int(ctx.info["GL_MAX_TEXTURE_SIZE"])
    deep = int(ctx.info["GL_MAX_ARRAY_TEXTURE_LAYERS"]) if layers else 0
    if min(shape) < 1 or max(flat[:2]) > limit or (layers and shape[0] > deep):
        most = f"{limit} × {limit}" + (f" in {deep} layers" if layers else "")
        raise GraphicsError(f"a texture holds 1 to {most} texels, got {shape}. Split or pool it.")


def write_texture(
    texture: moderngl.Texture | moderngl.TextureArray,
    array: Array,
    uploads: Uploads,
    viewport: Any = None,
) -> None:
    """Overwrite a texture or its `viewport` (x, y, w, h; arrays: x, y, layer, w, h, n) with values of its dtype."""
    data = np.ascontiguousarray(array)
    if data.nbytes == 0:
        return
    texture.write(data.view(np.uint8).data, viewport=viewport, alignment=1)
    uploads.add(data.nbytes)
