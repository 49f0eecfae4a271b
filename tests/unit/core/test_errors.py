"""Errors say what to do, and tell the user's mistakes from ours."""

import pytest

from glmkit.core.errors import CorruptFile, MissingExtra, TrainingDiverged, UserError, nearest


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("stpes", ["steps", "seed"], "; did you mean 'steps'?"),
        ("zzz", ["b", "a"], "; known: a, b"),
        ("Steps", {"steps": 1}, "; did you mean 'steps'?"),
    ],
)
def test_nearest(name: str, known: list[str], said: str) -> None:
    assert nearest(name, known) == said


def test_a_missing_extra_says_how_to_install_it() -> None:
    error = MissingExtra("pyarrow", "data")
    assert str(error) == 'pyarrow is not installed; run: pip install "glmkit[data]"'
    assert isinstance(error, ImportError)


def test_whose_mistake_it_is() -> None:
    assert issubclass(CorruptFile, UserError)
    assert issubclass(MissingExtra, UserError)
    assert issubclass(UserError, ValueError)
    assert not issubclass(TrainingDiverged, UserError)
