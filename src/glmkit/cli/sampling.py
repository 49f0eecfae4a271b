"""The flags that say how tokens are chosen, and how a model is put into memory."""

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glmkit.cli.arguments import Parser, positive, real
from glmkit.cli.loading import add_source, source
from glmkit.core.errors import UserError

if TYPE_CHECKING:
    from glmkit.generate.sampling import Strategy

DRAWS = ("temperature", "top_k", "top_p", "min_p", "seed")
PENALTIES = ("repetition_penalty", "presence_penalty", "frequency_penalty")


def add_sampling(parser: Parser, title: str = "sampling (greedy unless one of the first five is given)") -> None:
    """The flags of sampling and penalties."""
    group = parser.add_argument_group(title)
    group.add_argument("--temperature", "--temp", type=real, metavar="T", help="0: the most probable token")
    group.add_argument("--top-k", type=positive, metavar="K")
    group.add_argument("--top-p", type=real, metavar="P")
    group.add_argument("--min-p", type=real, metavar="P", help="nothing less probable than P times the best")
    group.add_argument("--seed", "-s", type=int, metavar="S")
    group.add_argument("--repetition-penalty", "--repeat-penalty", type=real, metavar="R", help="1 changes nothing")
    group.add_argument("--presence-penalty", type=real, metavar="X", help="taken from what was written")
    group.add_argument("--frequency-penalty", type=real, metavar="X", help="taken as often as it was written")
    group.add_argument("--logit-bias", action="append", metavar="ID=X", help="added to an id; may come several times")


def add_placing(parser: Parser) -> None:
    """The flags of where and how a model is loaded."""
    group = parser.add_argument_group("loading")
    group.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    group.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1, mps")
    group.add_argument("--quantize", choices=("int8", "int4"), help="the linear layers in 8 or 4 bits")
    group.add_argument("--adapter", metavar="DIR", help="one that is laid over the model: LoRA or P-tuning")
    group.add_argument("--threads", "-t", type=positive, metavar="N", help="processor threads")
    add_source(group)


def placing(options: Namespace) -> dict[str, Any]:
    """What `add_placing` was given, as arguments of `load`."""
    if options.threads is not None:
        import torch

        torch.set_num_threads(options.threads)
    names = ("dtype", "device", "quantize", "adapter")
    given = source(options)
    return {name: getattr(options, name) for name in names} | given.pop("options") | given


def settings(options: Namespace) -> dict[str, Any]:
    """The sampling flags that were given."""
    given = {name: getattr(options, name) for name in (*DRAWS, *PENALTIES)}
    given["bias"] = dict(_bias(text) for text in options.logit_bias or ())
    return {name: value for name, value in given.items() if value not in (None, {})}


def sampling(options: Namespace, *, random: bool) -> "Strategy":
    """The strategy that the flags ask for; `random` asks for one that draws even without flags. Temperature 0 never
    draws."""
    given = settings(options)
    drawn = random or bool(given.keys() & set(DRAWS))
    return strategy(given, greedy=not drawn or given.get("temperature") == 0)


def strategy(given: Mapping[str, Any], *, greedy: bool = False) -> "Strategy":
    """The strategy of some settings, each at its default where it is not given."""
    from glmkit.generate.sampling import Greedy, Penalties, TopP

    penalties = Penalties(
        repetition=given.get("repetition_penalty", 1.0),
        presence=given.get("presence_penalty", 0.0),
        frequency=given.get("frequency_penalty", 0.0),
        bias=given.get("bias", {}),
    )
    if greedy:
        return Greedy(penalties=penalties)
    return TopP(
        p=given.get("top_p", 1.0),
        k=given.get("top_k"),
        min_p=given.get("min_p", 0.0),
        temperature=given.get("temperature", 1.0),
        seed=given.get("seed", 0),
        penalties=penalties,
    )


def _bias(text: str) -> tuple[int, float]:
    id, sign, value = text.partition("=")
    try:
        if sign and int(id) >= 0:
            return int(id), float(value)
    except ValueError:
        pass
    raise UserError(f"--logit-bias {text!r}: write ID=X, for example 64790=-100")
