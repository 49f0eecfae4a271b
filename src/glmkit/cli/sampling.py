"""The flags that say how tokens are chosen, and how many."""

from argparse import Namespace, _ArgumentGroup
from typing import TYPE_CHECKING

from glmkit.cli.arguments import Parser, positive, real
from glmkit.core.errors import UserError
from glmkit.core.json_types import JsonObject

if TYPE_CHECKING:
    from glmkit.generate.sampling import Strategy


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


def add_beams(parser: Parser | _ArgumentGroup, *, default: str) -> None:
    """The flags of beam search; `default` says what happens without it."""
    parser.add_argument(
        "--beams", "--num-beams", type=positive, metavar="N", help=f"keep the N best hypotheses at each step; {default}"
    )
    parser.add_argument("--no-repeat-ngram", type=positive, default=0, metavar="N", help="no N tokens twice")


def add_lengths(parser: Parser | _ArgumentGroup, what: str, most: int | None) -> None:
    """The flags of how many tokens `what` gets: at most `most` unless given."""
    parser.add_argument(
        "--max-new-tokens",
        "--max-tokens",
        "-n",
        type=positive,
        default=most,
        metavar="N",
        help=f"at most N tokens {what}" + (f"; {most} unless given" if most else ""),
    )


def settings(options: Namespace) -> JsonObject:
    """The sampling flags that were given, as `glmkit.generate.settings` names them. Raises UserError out of range."""
    from glmkit.generate.settings import SETTINGS, strategy

    given = {name: value for name in SETTINGS if (value := getattr(options, name)) is not None}
    if "logit_bias" in given:
        given["logit_bias"] = dict(_bias(text) for text in given["logit_bias"])
    strategy(given)
    return given


def sampling(options: Namespace, *, random: bool) -> "Strategy":
    """The strategy that the flags ask for; `random` asks for one that draws even without flags. Temperature 0 never
    draws."""
    from glmkit.generate.sampling import SamplingParams
    from glmkit.generate.settings import strategy

    return strategy(settings(options), SamplingParams(p=1.0) if random else None)


def _bias(text: str) -> tuple[int, float]:
    id, sign, value = text.partition("=")
    try:
        if sign and int(id) >= 0:
            return int(id), float(value)
    except ValueError:
        pass
    raise UserError(f"--logit-bias {text!r}: write ID=X, for example 64790=-100")
