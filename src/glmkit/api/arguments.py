"""What the calls of a model take: the kind of each argument under its name, which is the same in every call.

checked(prompt=3)        prompt must be text, got 3
checked(texts="abc")     texts must be a list, each text, got 'abc'
"""

import os
from collections.abc import Callable, Mapping, Sequence

from glmkit.core.errors import argument
from glmkit.core.kinds import FLAG, TEXT, TEXTS, Fault, Kind, check, either, list_of, one_of, optional, whole
from glmkit.generate.beam import LENGTH_PENALTY, Beam


def such(wanted: str, admits: Callable[[object], bool]) -> Kind:
    """Whatever `admits` says yes to."""
    return Kind(wanted, lambda value: None if admits(value) else Fault("", value, wanted))


def _is_path(value: object) -> bool:
    try:
        name = os.fsencode(value) if isinstance(value, str | os.PathLike) else b""
    except UnicodeEncodeError:
        return False
    return 0 < len(name) < 4096 and b"\0" not in name and all(len(part) < 256 for part in name.split(os.sep.encode()))


def _is_strategy(value: object) -> bool:
    return callable(getattr(value, "sampler", None)) and not isinstance(value, type)


PATH = such("the name of a directory", _is_path)
FILE = such("the name of a file", _is_path)
PROGRESS = such("a function", callable)
ROW = either(TEXT, list_of(TEXT), such("a table", lambda value: isinstance(value, Mapping)))
_MESSAGE = such('{"role": ..., "content": ...}', lambda value: isinstance(value, Mapping))
_STRATEGY = such("Greedy() or TopP()", _is_strategy)
_STRATEGY_OR_BEAM = such("Greedy(), TopP() or Beam()", lambda value: _is_strategy(value) or isinstance(value, Beam))
_STOP = either(such("text that is not empty", lambda value: TEXT.find(value) is None and value != ""))
_PLACE = such(
    "a place (start, end)",
    lambda value: isinstance(value, Sequence) and list_of(whole(low=0)).find(value) is None and len(value) == 2,
)
_SPANS = either(TEXTS, list_of(_PLACE), wanted="a list of texts, or of places (start, end) in the text")
_ORDER = either(
    one_of("given", "sampled"),
    whole(1, 10_000),
    list_of(whole(low=0)),
    wanted="'given', 'sampled', a number of orders from 1 to 10,000, or a permutation",
)

ARGUMENTS: dict[str, Kind] = {
    "prompt": TEXT,
    "prompts": TEXTS,
    "text": TEXT,
    "texts": TEXTS,
    "messages": list_of(_MESSAGE),
    "context": TEXT,
    "choices": TEXTS,
    "tokens": TEXTS,
    "spans": _SPANS,
    "order": _ORDER,
    "name": TEXT,
    "path": PATH,
    "sampling": optional(_STRATEGY),
    "samplings": optional(either(_STRATEGY, list_of(_STRATEGY), wanted="Greedy() or TopP(), or a list of such")),
    "strategy_or_beam": optional(_STRATEGY_OR_BEAM),
    "max_new_tokens": whole(low=1),
    "max_tokens": whole(low=1),
    "min_tokens": whole(low=0),
    "alternatives": whole(1, 10_000),
    "stop": list_of(_STOP),
    "adapter": optional(TEXT),
    "overflow": one_of("error", "truncate"),
    "top": whole(low=0),
    "pooling": one_of("mean", "last"),
    "ended": FLAG,
    "length_penalty": LENGTH_PENALTY,
    "seed": whole(low=0),
}


def checked(**given: object) -> None:
    """Raises UserError naming the first of some arguments of a model's call that is not of its kind."""
    check_arguments({name: ARGUMENTS[name] for name in given}, given)


def check_arguments(kinds: Mapping[str, Kind], given: Mapping[str, object]) -> None:
    """Raises UserError naming the first of the arguments in `kinds` that is not of its kind."""
    for name, kind in kinds.items():
        check(given[name], kind, argument(name))
