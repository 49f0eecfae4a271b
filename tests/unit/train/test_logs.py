"""What is worked out from the log of a run."""

from glmkit.recipes.demo import training_seconds


def test_seconds_are_of_all_sessions() -> None:
    """Two sessions of different speed: 100 tokens at 50 a second, then 300 at 100 a second."""
    steps = [{"tokens": 100, "tokens_per_second": 50.0}, {"tokens": 400, "tokens_per_second": 100.0}]
    assert training_seconds(steps) == 5.0
