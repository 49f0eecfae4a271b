"""Sampling said by keywords, the same in Python, in chat and at the command line:

temperature=0.7, top_p=0.9      SamplingParams(temperature=0.7, p=0.9)
temperature=0                   Greedy()
repetition_penalty=1.1          Penalties(repetition=1.1), of whatever is drawn or not drawn by the others
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from glmkit.core.errors import UserError, argument, nearest
from glmkit.core.kinds import Kind, check, whole
from glmkit.generate.penalties import BIAS, PENALTY, REPETITION, Penalties
from glmkit.generate.sampling import CHANCE, SHARE, TEMPERATURE_OR_0, Greedy, SamplingParams, Strategy

S = TypeVar("S")


class Settings(TypedDict, total=False):
    """How tokens are chosen; None is as if it were not given."""

    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    seed: int | None
    repetition_penalty: float | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logit_bias: Mapping[int, float] | None


DRAWS = ("temperature", "top_p", "top_k", "min_p", "seed")  # any of these asks for a draw
SETTINGS: dict[str, Kind] = {
    "temperature": TEMPERATURE_OR_0,
    "top_p": SHARE,
    "top_k": whole(low=1),
    "min_p": CHANCE,
    "seed": whole(),
    "repetition_penalty": REPETITION,
    "presence_penalty": PENALTY,
    "frequency_penalty": PENALTY,
    "logit_bias": BIAS,
}
_PENALTIES = {"repetition_penalty": "repetition", "presence_penalty": "presence", "frequency_penalty": "frequency"}
_PENALTIES |= {"logit_bias": "bias"}


def chosen(
    call: str,
    sampling: S | None,
    settings: Mapping[str, Any],
    usual: SamplingParams | None = None,
    *,
    takes: Sequence[str],
) -> S | Strategy:
    """`sampling` as it was given to `call`, or the strategy its `settings` ask for (see `strategy`).

    `takes`: the other arguments of the call, of which a name that is none may be a slip. Raises UserError for both
    together, and for names that the call does not take.
    """
    given = {name: value for name, value in settings.items() if value is not None or name not in SETTINGS}
    for name in given:
        if name not in SETTINGS:
            raise UserError(f"{call} takes no {name!r}{nearest(name, [*takes, *SETTINGS])}")
    if sampling is None:
        return strategy(given, usual)
    if given:
        raise UserError(f"{call} takes sampling or {next(iter(given))}, not both; put the latter into the former")
    return sampling


def strategy(settings: Mapping[str, Any], usual: SamplingParams | None = None) -> Strategy:
    """The strategy of some settings of SETTINGS. Where none of them asks for a draw it draws as `usual`, or without one
    takes the most probable token, as it does at temperature 0."""
    given = {name: check(value, SETTINGS[name], argument(name)) for name, value in settings.items()}
    penalties = Penalties(**{ours: given[name] for name, ours in _PENALTIES.items() if name in given})
    if given.get("temperature") == 0 or (usual is None and not given.keys() & set(DRAWS)):
        return Greedy(penalties=penalties)
    usual = usual or SamplingParams(p=1.0)
    return SamplingParams(
        p=given.get("top_p", usual.p),
        k=given.get("top_k", usual.k),
        min_p=given.get("min_p", usual.min_p),
        temperature=given.get("temperature", usual.temperature),
        seed=given.get("seed", usual.seed),
        penalties=penalties,
    )
