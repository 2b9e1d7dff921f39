"""The house: its public names, what importing it costs, its front door, what its wheel carries."""

from __future__ import annotations

import importlib
import json
import pkgutil
import signal
import subprocess
import sys
import time
import tomllib
import types
import zipfile
from pathlib import Path

import pytest

import nn3d
from nn3d import paths
from nn3d.cli import main as front_door
from nn3d.errors import GraphicsError, Nn3dError, RunFormatError

ROOT = Path(__file__).resolve().parent.parent


def python(code: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=check, timeout=120)


def nn3d_command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nn3d", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **variables},
    )  # fmt: skip


def modules() -> list[str]:
    return sorted(found.name for found in pkgutil.walk_packages(nn3d.__path__, "nn3d."))


def test_the_public_surface_is_pinned() -> None:
    assert sorted(nn3d.__all__) == [
        "Recorder",
        "__version__",
        "capture",
        "compose",
        "from_arrays",
        "live",
        "load",
        "render",
        "view",
    ]


def test_importing_nn3d_imports_neither_gl_nor_torch_nor_imgui() -> None:
    code = "import nn3d, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = {name.split(".")[0] for name in json.loads(python(code).stdout)}
    assert not loaded & {"moderngl", "glcontext", "torch", "imgui_bundle", "glfw", "scipy", "numpy", "PIL", "click"}


def test_a_picture_needs_neither_scipy_nor_torch_nor_imgui() -> None:
    code = "import nn3d.offscreen, nn3d.export.png, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = {name.split(".")[0] for name in json.loads(python(code).stdout)}
    assert not loaded & {"scipy", "torch", "imgui_bundle", "glfw"}


@pytest.mark.parametrize("command", [["--help"], ["--version"]])
def test_the_front_door_opens_without_gl_torch_and_numpy(command: list[str]) -> None:
    code = (
        "import sys\nfrom nn3d.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as done: print(done.code, *sorted({m.split('.')[0] for m in sys.modules}), sep=' ')"
    )
    code_and_modules = python(code, *command).stdout.splitlines()[-1].split()
    assert code_and_modules[0] == "0"
    assert not set(code_and_modules) & {"moderngl", "torch", "imgui_bundle", "numpy", "scipy"}


def test_every_public_name_is_itself_after_every_submodule_was_imported() -> None:
    code = (
        "import importlib, sys, types, nn3d\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "wrong = [n for n in nn3d.__all__ if isinstance(getattr(nn3d, n), types.ModuleType)]\n"
        "wrong += [n for n in nn3d.__all__ if n != '__version__' and not callable(getattr(nn3d, n))]\n"
        "print(wrong)"
    )
    adapters = tuple(f"nn3d.extract.adapters.{name}" for name in ("lightning", "huggingface", "keras"))
    known = [name for name in modules() if name not in ("nn3d.__main__", *adapters)]
    assert python(code, *known).stdout.strip() == "[]"


def test_every_public_name_leads_to_its_home() -> None:
    for name, (module, attribute) in nn3d._HOMES.items():
        assert getattr(nn3d, name) is getattr(importlib.import_module(module), attribute)
        assert not isinstance(getattr(nn3d, name), types.ModuleType)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="extrakt"):
        nn3d.extrakt  # noqa: B018


def test_every_module_has_a_docstring() -> None:
    without = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "nn3d").rglob("*.py")
        if not path.read_text("utf-8").lstrip().startswith('"""')
    ]
    assert without == []


@pytest.mark.parametrize("name", sorted(front_door.COMMANDS))
def test_every_command_has_help_with_an_example(name: str) -> None:
    shown = nn3d_command(name, "--help")
    assert shown.returncode == 0, shown.stderr
    assert f"nn3d {name}" in " ".join(shown.stdout.split("Usage:", 1)[1].split()[2:])
    assert "--debug" in shown.stdout


def test_wrong_usage_is_exit_code_2_and_one_line() -> None:
    for arguments in (["paint"], ["demo", "--colour"], ["render"], ["--paint"]):
        shown = nn3d_command(*arguments)
        assert (shown.returncode, shown.stdout) == (2, "")
        assert shown.stderr.startswith("nn3d: ")
        assert shown.stderr.count("\n") == 1


def test_a_file_that_is_no_run_is_exit_code_1_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.npz").write_bytes(b"not a run")
    shown = nn3d_command("info", str(tmp_path / "no.npz"))
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.startswith("nn3d: ")
    assert shown.stderr.count("\n") == 1
    assert "Traceback" in nn3d_command("info", str(tmp_path / "no.npz"), "--debug").stderr


def test_view_without_a_display_is_exit_code_3_and_one_line() -> None:
    shown = nn3d_command("view", str(next(iter(paths.bundled_runs().values()))))
    assert (shown.returncode, shown.stdout) == (3, "")
    assert shown.stderr.count("\n") == 1


def test_ctrl_c_is_exit_code_130_and_no_traceback(tmp_path: Path) -> None:
    run = str(next(iter(paths.bundled_runs().values())))
    command = [sys.executable, "-m", "nn3d", "render", run, "-o", str(tmp_path / "x.png"), "--frames", "10000"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "nn3d: interrupted"
    assert "Traceback" not in said


@pytest.mark.parametrize("display", ["", ":4242"])
def test_demo_without_a_usable_display_renders_pictures_and_says_where(tmp_path: Path, display: str) -> None:
    shown = nn3d_command("demo", "-o", str(tmp_path / "pictures"), DISPLAY=display)
    assert shown.returncode == 0, shown.stderr
    pictures = sorted((tmp_path / "pictures").glob("*.png"))
    assert len(pictures) == 3
    assert shown.stdout.splitlines()[-3:] == [str(picture) for picture in pictures]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RunFormatError("member x: expected 4 bytes, got 3"), 1, "member x"),
        (GraphicsError("expected OpenGL 4.1, got 3.3"), 3, "4.1"),
        (ImportError("libGL.so.1: cannot open shared object file"), 3, "libgl1"),
        (OSError("libEGL.so.1: cannot open shared object file"), 3, "libegl1"),
        (FileNotFoundError(2, "No such file or directory", "run.npz"), 1, "run.npz"),
        (Nn3dError("two\nlines"), 1, "two lines"),
        (ZeroDivisionError("0"), 1, "--debug"),
    ],
)
def test_every_error_has_a_line_and_a_code(error: Exception, code: int, words: str) -> None:
    got, line = front_door.explain(error)
    assert got == code
    assert words in line
    assert "\n" not in line


def test_a_closed_pipe_is_no_error() -> None:
    shell = f"{sys.executable} -m nn3d demo --list | true; echo ${{PIPESTATUS[0]}}"
    shown = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert (shown.stdout, shown.stderr) == ("0\n", "")


def test_fonts_icons_and_runs_are_there_with_their_licences() -> None:
    codepoints = json.loads(paths.asset("icons", "codepoints.json").read_text("utf-8"))
    assert len(codepoints) > 60
    assert all(isinstance(code, int) for code in codepoints.values())
    for weight in ("Inter-Regular", "Inter-Medium", "Inter-SemiBold", "InterDisplay-SemiBold"):
        assert paths.asset("fonts", f"{weight}.otf").stat().st_size > 100_000
    assert "SIL OPEN FONT LICENSE" in paths.asset("fonts", "LICENSE-Inter.txt").read_text("utf-8")
    assert "ISC License" in paths.asset("icons", "LICENSE").read_text("utf-8")
    assert next(iter(paths.bundled_runs())) == "lenet-mnist"


def test_an_asset_that_is_missing_is_named() -> None:
    with pytest.raises(Nn3dError, match=r"fonts/Comic\.otf"):
        paths.asset("fonts", "Comic.otf")


def test_the_wheel_carries_code_shaders_fonts_icons_and_runs_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("nn3d_viewer-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assets = {f"nn3d/{path.relative_to(ROOT)}" for path in (ROOT / "assets").rglob("*") if path.is_file()}
    shaders = {str(path.relative_to(ROOT)) for path in (ROOT / "nn3d" / "shaders").rglob("*.*") if path.is_file()}
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "nn3d").rglob("*.py")}
    carried = {name for name in names if ".dist-info/" not in name}
    assert carried == assets | shaders | code | {"nn3d/py.typed"}
    assert {"nn3d/assets/fonts/Inter-Regular.otf", "nn3d/assets/runs/lenet-mnist.npz"} <= carried
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_constraints_pin_every_dependency_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["dependencies"] + [w for extra in project["optional-dependencies"].values() for w in extra]
    names = {w.split(">")[0].split("[")[0].lower() for w in wanted} - {"nn3d-viewer"}
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1] not in ("", "#")]
    assert all(line.count("==") == 1 for line in lines)
    assert names <= {line.split("==")[0].lower() for line in lines}
