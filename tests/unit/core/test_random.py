"""Random numbers by place: the same (seed, epoch, index) gives the same numbers, other ones give others."""

import numpy as np

from glmkit.core.random import ExampleRandom, epoch_generator


def draw(rng: np.random.Generator) -> list[float]:
    """Numbers of every kind that objectives draw, 32-bit ones (which a generator keeps halves of) included."""
    whole = rng.integers(0, 100, 3, dtype=np.int32).tolist()
    return [*rng.random(5).tolist(), *whole, *rng.permutation(6).tolist()]


def test_a_place_gives_the_same_numbers_whatever_was_drawn_before() -> None:
    random = ExampleRandom(5)
    places = [(epoch, index) for epoch in range(3) for index in (0, 1, 2**40)]
    first = {place: draw(random.at(*place)) for place in places}
    for place in reversed(places):
        random.at(9, 9).random(np.random.default_rng(place).integers(1, 7))
        assert draw(random.at(*place)) == first[place]
        assert draw(ExampleRandom(5).at(*place)) == first[place]
    assert len({tuple(numbers) for numbers in first.values()}) == len(places)


def test_seeds_differ_negative_ones_too() -> None:
    seeds = [0, 1, -1, -2, 2**63]
    assert len({tuple(draw(ExampleRandom(seed).at(0, 0))) for seed in seeds}) == len(seeds)
    assert len({tuple(draw(epoch_generator(seed, 0, 0))) for seed in seeds}) == len(seeds)


def test_what_is_drawn_once_an_epoch_depends_on_seed_epoch_and_purpose() -> None:
    places = [(seed, epoch, purpose) for seed in (0, 1) for epoch in (0, 1) for purpose in (0, 1, 2)]
    drawn = [tuple(draw(epoch_generator(*place))) for place in places]
    assert len(set(drawn)) == len(places)
    assert drawn == [tuple(draw(epoch_generator(*place))) for place in places]


def test_numbers_of_neighbouring_examples_are_not_correlated() -> None:
    random = ExampleRandom(0)
    numbers = np.array([random.at(0, index).random(50) for index in range(400)])
    assert abs(numbers.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(numbers[:-1].ravel(), numbers[1:].ravel())[0, 1]) < 0.03
