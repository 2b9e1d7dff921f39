"""docs/FORMAT.md and docs/run.schema.json say what the code does."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from nn3d.run.reader import open_run
from nn3d.run.validate import validate
from nn3d.run.writer import whole_manifest, write_packed
from tests.run.small import small_run

DOCS = Path(__file__).parents[2] / "docs"


def test_the_example_of_the_format_page_writes_a_run_and_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = (DOCS / "FORMAT.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    scope: dict[str, object] = {}
    exec(code, scope)
    with open_run("run.npz") as run:
        assert validate(run) == 4
        np.testing.assert_array_equal(run.activations("fc"), scope["values"])
        assert run.layers[1].links[0].kind == "weight"


def test_the_reading_example_decodes_uint8_as_nn3d_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = small_run(encoding="u8")
    write_packed(run, "run.npz")
    code = (DOCS / "FORMAT.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    reading = code[code.index("with np.load") :]
    scope: dict[str, object] = {"np": np, "json": json}
    exec(reading, scope)
    np.testing.assert_array_equal(run.activations("body.conv1", 0), scope["values"])


def test_real_manifests_fit_the_schema() -> None:
    schema = json.loads((DOCS / "run.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    manifest = json.loads(json.dumps(whole_manifest(small_run())))
    jsonschema.validate(manifest, schema)
    manifest["nodes"][0]["id"] = "zero"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, schema)
