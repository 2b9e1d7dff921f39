"""Laws of the shader loader and of the bridge between numpy and moderngl, on a real OpenGL context."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import moderngl
import numpy as np
import pytest

from nn3d.errors import GraphicsError, ShaderError
from nn3d.scene import gpu
from nn3d.scene.library import load_program, read_source
from nn3d.stage.frame import BOX, STRAND, TILE

VERTEX = "layout(location = 0) in vec2 in_place;\nout vec4 v_sum;\n"


@pytest.fixture(scope="module")
def ctx() -> Iterator[moderngl.Context]:
    context = moderngl.create_context(standalone=True, backend="egl", require=410)
    context.simple_framebuffer((4, 4)).use()
    yield context
    context.release()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "include").mkdir()
    return tmp_path


def write(folder: Path, **shaders: str) -> None:
    for name, text in shaders.items():
        (folder / name.replace("__", "/").replace("_", ".")).write_text(text)


def test_error_names_file_line_and_what_stands_there(ctx: moderngl.Context, folder: Path) -> None:
    write(folder, a_vert="void main() {\n    gl_Position = vec4(nothing);\n}\n")
    with pytest.raises(ShaderError, match=r"^a\.vert:2: .*nothing.*`gl_Position = vec4\(nothing\);`") as caught:
        load_program(ctx, "a.vert", folder=folder)
    assert "\n" not in str(caught.value)


def test_error_in_an_include_tells_the_chain(ctx: moderngl.Context, folder: Path) -> None:
    write(folder, a_vert='#include "b.glsl"\nvoid main() { gl_Position = vec4(f()); }\n')
    write(folder, include__b_glsl='// a comment\n#include "c.glsl"\n', include__c_glsl="\n\nfloat f() { return x; }\n")
    with pytest.raises(ShaderError, match=r"^c\.glsl:3: .*, included from b\.glsl:2, included from a\.vert:1$"):
        load_program(ctx, "a.vert", folder=folder)


def test_line_numbers_go_on_after_an_include(ctx: moderngl.Context, folder: Path) -> None:
    write(folder, a_vert='#include "b.glsl"\n\nvoid main() { gl_Position = vec4(f() + y); }\n')
    write(folder, include__b_glsl="float f() {\n return 1.0;\n}\n")
    with pytest.raises(ShaderError, match=r"^a\.vert:3: "):
        load_program(ctx, "a.vert", folder=folder)


def test_error_in_a_fragment_shader_names_that_file(ctx: moderngl.Context, folder: Path) -> None:
    write(folder, a_vert="void main() { gl_Position = vec4(0); }\n", a_frag="\nout vec4 c;\nvoid main() { c = z; }\n")
    with pytest.raises(ShaderError, match=r"^a\.frag:3: "):
        load_program(ctx, "a.vert", fragment="a.frag", folder=folder)


def test_stages_that_do_not_link_name_both_files(ctx: moderngl.Context, folder: Path) -> None:
    write(folder, a_vert="out vec2 v_a;\nvoid main() { v_a = vec2(0); gl_Position = vec4(0); }\n")
    write(folder, a_frag="in vec4 v_a;\nout vec4 c;\nvoid main() { c = v_a; }\n")
    with pytest.raises(ShaderError, match=r"^a\.vert \+ a\.frag: "):
        load_program(ctx, "a.vert", fragment="a.frag", folder=folder)


def test_an_include_comes_once_however_often_it_is_asked_for(folder: Path) -> None:
    write(folder, a_vert='#include "b.glsl"\n#include "c.glsl"\nvoid main() {}\n')
    write(folder, include__b_glsl='#include "c.glsl"\n', include__c_glsl="float once;\n")
    assert read_source("a.vert", folder=folder).text.count("float once;") == 1


def test_includes_in_a_circle_are_refused(folder: Path) -> None:
    write(
        folder, a_vert='#include "b.glsl"\n', include__b_glsl='#include "c.glsl"\n', include__c_glsl='#include "b.glsl"'
    )
    with pytest.raises(ShaderError, match=r"c\.glsl:1: .*b\.glsl → c\.glsl → b\.glsl"):
        read_source("a.vert", folder=folder)


def test_a_missing_include_says_who_asked(folder: Path) -> None:
    write(folder, a_vert='\n#include "gone.glsl"\n')
    with pytest.raises(ShaderError, match=r"a\.vert:2: .*gone\.glsl"):
        read_source("a.vert", folder=folder)


def test_a_shader_with_its_own_version_is_refused(folder: Path) -> None:
    write(folder, a_vert="#version 330\n")
    with pytest.raises(ShaderError, match=r"a\.vert:1"):
        read_source("a.vert", folder=folder)


def test_defines_reach_the_shader_and_false_leaves_them_out(folder: Path) -> None:
    write(folder, a_vert="void main() {}\n")
    text = read_source("a.vert", defines={"N": 4, "BARE": True, "OFF": False}, folder=folder).text
    assert text.startswith("#version 410 core\n#define N 4\n#define BARE\nvoid")


@pytest.mark.parametrize("dtype", [TILE, STRAND, BOX])
def test_format_of_a_frame_dtype_spans_the_whole_row(ctx: moderngl.Context, dtype: np.dtype) -> None:
    layout, names = gpu.vertex_format(dtype)
    assert moderngl.detect_format is not None
    assert names == tuple(f"in_{n}" for n in dtype.names or ())
    sizes = {"x": 1, "f4": 4, "i4": 4, "u4": 4}
    total = sum(
        int(part[: -len(code)] or 1) * sizes[code]
        for part in layout.split()
        for code in ("x" if part.endswith("x") else part[-2:],)
    )
    assert total == dtype.itemsize


def test_padding_and_unused_fields_keep_the_stride() -> None:
    dtype = np.dtype({"names": ["a", "b"], "formats": ["f4", ("f4", 2)], "offsets": [0, 8], "itemsize": 24})
    assert gpu.vertex_format(dtype) == ("f4 4x 2f4 8x", ("in_a", "in_b"))
    assert gpu.vertex_format(dtype, used={"in_b"}, per_instance=True) == ("8x 2f4 8x/i", ("in_b",))


def test_a_field_no_attribute_can_hold_is_refused_by_name() -> None:
    with pytest.raises(ShaderError, match="'a'"):
        gpu.vertex_format(np.dtype([("a", "f8", 3)]))


def run_once(ctx: moderngl.Context, program: moderngl.Program, row: np.ndarray) -> np.ndarray:
    vertices = gpu.make_buffer(ctx, row, gpu.Uploads())
    out = ctx.buffer(reserve=16)
    array = ctx.vertex_array(program, [gpu.attributes(program, vertices, row.dtype)])
    array.transform(out, mode=moderngl.POINTS, vertices=1)
    return np.frombuffer(out.read(), np.float32)


def test_matrices_act_on_columns_as_in_numpy(ctx: moderngl.Context, folder: Path) -> None:
    write(folder, a_vert=VERTEX + "uniform mat4 u_m;\nvoid main() { v_sum = u_m * vec4(in_place, 0.0, 1.0); }\n")
    program = load_program(ctx, "a.vert", varyings=("v_sum",), folder=folder)
    matrix = np.arange(16, dtype=np.float64).reshape(4, 4)
    gpu.set_uniforms(program, u_m=matrix)
    row = np.array([((2.0, 3.0), 9.0)], dtype=[("place", "f4", 2), ("unused", "f4")])
    np.testing.assert_allclose(run_once(ctx, program, row), matrix @ [2.0, 3.0, 0.0, 1.0])


def test_uniform_arrays_integers_and_booleans_arrive(ctx: moderngl.Context, folder: Path) -> None:
    body = "uniform vec2 u_a[2];\nuniform int u_i;\nuniform uint u_u;\nuniform bool u_b;\n"
    body += "void main() { v_sum = vec4(u_a[0].y, u_a[1].x, float(u_i) + float(u_u), u_b ? in_place.x : 0.0); }\n"
    write(folder, a_vert=VERTEX + body)
    program = load_program(ctx, "a.vert", varyings=("v_sum",), folder=folder)
    gpu.set_uniforms(program, u_a=[[1, 2], [3, 4]], u_i=-5, u_u=7, u_b=True)
    row = np.array([((8.0, 0.0),)], dtype=[("place", "f4", 2)])
    np.testing.assert_allclose(run_once(ctx, program, row), [2.0, 3.0, 2.0, 8.0])


def test_an_absent_uniform_is_an_error_unless_listed(ctx: moderngl.Context, folder: Path) -> None:
    write(folder, a_vert=VERTEX + "uniform float u_x;\nvoid main() { v_sum = vec4(in_place * u_x, 0.0, 0.0); }\n")
    program = load_program(ctx, "a.vert", varyings=("v_sum",), folder=folder)
    gpu.set_uniforms(program, ("u_gone",), u_x=1.0, u_gone=2.0)
    with pytest.raises(ShaderError, match="'u_gone'"):
        gpu.set_uniforms(program, u_gone=2.0)
    with pytest.raises(ShaderError, match=r"'u_x' takes 1 numbers, got 2"):
        gpu.set_uniforms(program, u_x=(1.0, 2.0))


def test_uploads_count_every_byte_and_reset(ctx: moderngl.Context) -> None:
    uploads = gpu.Uploads()
    buffer = gpu.make_buffer(ctx, np.zeros(10, np.float32), uploads)
    gpu.update_buffer(buffer, np.arange(20, dtype=np.float32), uploads)
    texture = gpu.make_texture(ctx, np.zeros((3, 5), np.uint8), uploads)
    gpu.write_texture(texture, np.full((1, 2), 255, np.uint8), uploads, (1, 1, 2, 1))
    assert uploads.reset() == 40 + 80 + 15 + 2
    assert uploads.bytes == 0
    np.testing.assert_array_equal(np.frombuffer(buffer.read(), np.float32), np.arange(20))
    assert np.frombuffer(texture.read(alignment=1), np.uint8).reshape(3, 5)[1, 1:3].tolist() == [255, 255]


def test_texture_arrays_keep_layers_apart(ctx: moderngl.Context) -> None:
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    texture = gpu.make_texture(ctx, data, gpu.Uploads(), layers=True)
    assert (texture.width, texture.height) == (4, 3)
    np.testing.assert_array_equal(np.frombuffer(texture.read(), np.float32).reshape(2, 3, 4), data)


def test_a_texture_beyond_the_limit_is_refused_in_words(ctx: moderngl.Context) -> None:
    with pytest.raises(GraphicsError, match="Split or pool"):
        gpu.make_texture(ctx, np.zeros((1, 50257), np.uint8), gpu.Uploads())


def test_this_context_is_good_enough_and_has_no_error_pending(ctx: moderngl.Context) -> None:
    gpu.require_gl41(ctx)
    gpu.check_errors(ctx, "nothing done")
    assert ctx.version_code >= 410
