"""Dear ImGui on plain moderngl: textures as imgui asks for them, one buffer upload a frame, one atlas of thumbnails.

Works on any OpenGL 4.1 context, a window's or an offscreen one's.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

import moderngl
import numpy as np
from imgui_bundle import imgui
from numpy.typing import NDArray

from nn3d.scene.programs import shared_program

VERTEX_FORMAT: Final = "2f4 2f4 4f1"
VERTEX_NAMES: Final = ("in_pos", "in_uv", "in_col")


class Backend:
    """Draws what `imgui.render()` left, with `ctx`. Create it after the imgui context and before the first frame."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self.ctx = ctx
        io = imgui.get_io()
        io.set_ini_filename("")
        io.backend_flags |= imgui.BackendFlags_.renderer_has_textures | imgui.BackendFlags_.renderer_has_vtx_offset
        platform = imgui.get_platform_io()
        side = int(ctx.info["GL_MAX_TEXTURE_SIZE"])
        platform.renderer_texture_max_width = platform.renderer_texture_max_height = side
        self._program = shared_program(ctx, "ui.vert", None, "ui.frag")
        self._textures: dict[int, moderngl.Texture] = {}
        self._own: set[int] = set()
        self._vertices = ctx.buffer(reserve=1 << 18, dynamic=True)
        self._indices = ctx.buffer(reserve=1 << 17, dynamic=True)
        self._array = ctx.vertex_array(
            self._program, [(self._vertices, VERTEX_FORMAT, *VERTEX_NAMES)], self._indices, index_element_size=4
        )

    def reference(self, texture: moderngl.Texture) -> imgui.ImTextureRef:
        """imgui's name for a texture of ours; the caller keeps and releases the texture."""
        self._textures[texture.glo] = texture
        return imgui.ImTextureRef(texture.glo)

    def draw(self, data: imgui.ImDrawData, target: moderngl.Framebuffer) -> None:
        """Draw over what `target` holds."""
        self._update_textures()
        sx, sy = data.framebuffer_scale
        size = int(data.display_size[0] * sx), int(data.display_size[1] * sy)
        if size[0] <= 0 or size[1] <= 0:
            return
        vertices, indices, draws = _gather(data)
        if not draws:
            return
        self._upload(vertices, indices)
        self._set_state(target, data, size)
        left, top = data.display_pos
        for texture, clip, count, first in draws:
            box = _scissor(clip, (left, top), (sx, sy), size)
            if box is None:
                continue
            self._textures[texture].use(0)
            target.scissor = box
            self._array.render(moderngl.TRIANGLES, vertices=count, first=first)
        target.scissor = None  # type: ignore[assignment]
        self.ctx.disable(moderngl.BLEND)

    def release(self) -> None:
        """Free all GL objects that this backend made."""
        for name in sorted(self._own):
            self._textures.pop(name).release()
        self._own.clear()
        for thing in (self._array, self._indices, self._vertices):
            thing.release()

    def _set_state(self, target: moderngl.Framebuffer, data: imgui.ImDrawData, size: tuple[int, int]) -> None:
        ctx = self.ctx
        target.use()
        target.viewport = (0, 0, *size)
        ctx.enable_only(moderngl.BLEND)
        ctx.wireframe = False
        ctx.blend_equation = moderngl.FUNC_ADD  # type: ignore[assignment]
        blend = (moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)
        ctx.blend_func = blend  # type: ignore[assignment]
        self._program["u_rect"] = (*data.display_pos, *data.display_size)

    def _upload(self, vertices: NDArray[np.uint8], indices: NDArray[np.uint32]) -> None:
        for buffer, content in ((self._vertices, vertices), (self._indices, indices)):
            grown = content.nbytes * 2 if content.nbytes > buffer.size else buffer.size
            buffer.orphan(grown)
            buffer.write(content.data)

    def _update_textures(self) -> None:
        status = imgui.ImTextureStatus
        for t in imgui.get_platform_io().textures:
            if t.status == status.want_create:
                self._create(t)
                t.status = status.ok
            elif t.status == status.want_updates:
                texels = t.get_pixels_array().reshape(t.height, t.width, 4)
                texture = self._textures[t.tex_id]
                for r in t.updates:
                    part = np.ascontiguousarray(texels[r.y : r.y + r.h, r.x : r.x + r.w])
                    texture.write(part.data, viewport=(r.x, r.y, r.w, r.h))
                t.status = status.ok
            elif t.status == status.want_destroy and t.unused_frames > 0:
                self._own.discard(t.tex_id)
                self._textures.pop(t.tex_id).release()
                t.set_tex_id(0)
                t.status = status.destroyed

    def _create(self, t: imgui.ImTextureData) -> None:
        texture = self.ctx.texture((t.width, t.height), 4, np.ascontiguousarray(t.get_pixels_array()).data)
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        texture.repeat_x = texture.repeat_y = False
        self._textures[texture.glo] = texture
        self._own.add(texture.glo)
        t.set_tex_id(texture.glo)


Draw = tuple[int, tuple[float, float, float, float], int, int]


def _gather(data: imgui.ImDrawData) -> tuple[NDArray[np.uint8], NDArray[np.uint32], list[Draw]]:
    """All command lists as one vertex and one index array; indices made global, so that no base vertex is needed."""
    vertices: list[NDArray[np.uint8]] = []
    indices: list[NDArray[np.uint32]] = []
    draws: list[Draw] = []
    n_vertices = n_indices = 0
    for commands in data.cmd_lists:
        nv, ni = commands.vtx_buffer.size(), commands.idx_buffer.size()
        if nv == 0:
            continue
        index = _view(commands.idx_buffer.data_address(), ni * imgui.INDEX_SIZE)
        own = index.view(np.uint32 if imgui.INDEX_SIZE == 4 else np.uint16).astype(np.uint32)
        for c in commands.cmd_buffer:
            own[c.idx_offset : c.idx_offset + c.elem_count] += n_vertices + c.vtx_offset
            clip = (float(c.clip_rect.x), float(c.clip_rect.y), float(c.clip_rect.z), float(c.clip_rect.w))
            draws.append((c.tex_ref.get_tex_id(), clip, c.elem_count, n_indices + c.idx_offset))
        vertices.append(_view(commands.vtx_buffer.data_address(), nv * imgui.VERTEX_SIZE))
        indices.append(own)
        n_vertices += nv
        n_indices += ni
    if not draws:
        return np.empty(0, np.uint8), np.empty(0, np.uint32), []
    return np.concatenate(vertices), np.concatenate(indices), draws


def _view(address: int, n_bytes: int) -> NDArray[np.uint8]:
    raw: Any = (ctypes.c_uint8 * n_bytes).from_address(address)
    return np.frombuffer(raw, np.uint8)


def _scissor(
    clip: tuple[float, float, float, float],
    origin: tuple[float, float],
    scale: tuple[float, float],
    size: tuple[int, int],
) -> tuple[int, int, int, int] | None:
    """A clip rectangle (px, top left origin) as a GL scissor box (framebuffer px, bottom left), None when empty."""
    x0, x1 = (min(max((v - origin[0]) * scale[0], 0.0), size[0]) for v in (clip[0], clip[2]))
    y0, y1 = (min(max((v - origin[1]) * scale[1], 0.0), size[1]) for v in (clip[1], clip[3]))
    if x1 <= x0 or y1 <= y0:
        return None
    return int(x0), int(size[1] - y1), int(x1 - x0), int(y1 - y0)


class Atlas:
    """Small pictures in one texture, nearest filtering, one texel of clamped border around each.

    Full? It starts over: what is asked for again is put in again.
    """

    def __init__(self, backend: Backend, side: int = 2048) -> None:
        self._texture = backend.ctx.texture((side, side), 4)
        self._texture.filter = moderngl.NEAREST, moderngl.NEAREST
        self._texture.repeat_x = self._texture.repeat_y = False
        self.reference = backend.reference(self._texture)
        self._side = side
        self._places: dict[Any, tuple[float, float, float, float]] = {}
        self._shelf = (0, 0, 0)  # x, y, height
        self.generation = 0

    def get(self, key: Any) -> tuple[float, float, float, float] | None:
        """(u0, v0, u1, v1) of a picture that is in."""
        return self._places.get(key)

    def put(self, key: Any, texels: NDArray[np.uint8]) -> tuple[float, float, float, float]:
        """Put (H, W, 4) uint8 in under `key`; larger pictures than the atlas are thinned. Returns its uv rectangle."""
        step = -(-max(texels.shape[:2]) // (self._side - 2))
        texels = np.pad(texels[::step, ::step], ((1, 1), (1, 1), (0, 0)), "edge")
        h, w = texels.shape[:2]
        x, y, shelf = self._shelf
        if x + w > self._side:
            x, y, shelf = 0, y + shelf, 0
        if y + h > self._side:
            self._places.clear()
            self.generation += 1
            x, y, shelf = 0, 0, 0
        self._texture.write(np.ascontiguousarray(texels).data, viewport=(x, y, w, h))
        self._shelf = (x + w, y, max(shelf, h))
        s = float(self._side)
        place = ((x + 1) / s, (y + 1) / s, (x + w - 1) / s, (y + h - 1) / s)
        self._places[key] = place
        return place

    def release(self) -> None:
        """Free the texture."""
        self._texture.release()
