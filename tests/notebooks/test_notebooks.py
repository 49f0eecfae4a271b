"""The notebooks run from their first cell to their last, with less training than a reader would give them."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
# Constants of a notebook's first cells, and what they are here.
LESS = {
    "what-a-glm-sees": {"SECONDS": "5"},
    "cloze-in-ten-minutes": {"STEPS, ROWS, EPOCHS": "20, 64, 1"},
    "chatglm2-to-an-adapter": {"BASE, EPOCHS": '"chatglm2-tiny", 2'},
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_outputs_are_not_committed(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_all_notebooks_are_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == LESS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", LESS)
def test_a_notebook_runs(name: str, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="notebooks are run by nbclient")
    nbclient = pytest.importorskip("nbclient", reason="notebooks are run by nbclient")
    pytest.importorskip("ipykernel", reason="notebooks are run by ipykernel")
    if name == "chatglm2-to-an-adapter":
        pytest.importorskip("peft", reason="LoRA needs peft")
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    source = "\n".join(cell.source for cell in notebook.cells)
    for constants, values in LESS[name].items():
        pattern = re.compile(rf"^{constants} = [^#\n]*", re.MULTILINE)
        assert len(pattern.findall(source)) == 1, f"{constants} of {name} was renamed"
        for cell in notebook.cells:
            cell.source = pattern.sub(f"{constants} = {values}  ", cell.source)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    assert [output for output in outputs if output.output_type == "error"] == []
