"""More tokens for a model that is there."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from glmkit.core.errors import UserError
from glmkit.families.assemble import assign
from glmkit.families.spec import MULTIPLE, Config, FamilySpec, OwnModel
from glmkit.text.tokenizer import Tokenizer


def add_tokens(
    family: FamilySpec, config: Config, module: OwnModel, tokenizer: Tokenizer, tokens: Sequence[str]
) -> tuple[dict[str, int], Config, Tokenizer]:
    """Gives `tokens` ids and rows: returns the ids, and the config and tokenizer that go with the changed module.

    Ids go on where the tokenizer ends, into rows of padding while there are some; then the tables grow. A new row is
    the mean of those that mean something. Raises UserError for a token that is there already.
    """
    if known := [token for token in tokens if token in tokenizer.marks or not token]:
        raise UserError(f"{known[0]!r} is a token of this model already, or no token at all")
    first = len(tokenizer)
    ids = {token: first + number for number, token in enumerate(dict.fromkeys(tokens))}
    rows = max(config.vocab_size, -(-(first + len(ids)) // MULTIPLE) * MULTIPLE)
    for name in family.vocab_weights:
        assign(module, name, _with_rows(module.get_parameter(name), first, len(ids), rows))
    grown = replace(config, vocab_size=rows)
    module.config = grown
    for name in family.vocab_weights:
        owner = module.get_submodule(name.rpartition(".")[0])
        if isinstance(owner, nn.Embedding):
            owner.num_embeddings = rows
        elif isinstance(owner, nn.Linear):
            owner.out_features = rows
    return ids, grown, tokenizer.with_tokens(ids)


@torch.no_grad()
def _with_rows(table: Tensor, first: int, count: int, rows: int) -> Tensor:
    """The table with `rows` rows, of which `count` from `first` on, and those added as padding, are the mean."""
    mean = table[:first].float().mean(dim=0).to(table.dtype)
    grown = torch.cat([table.detach(), mean.expand(rows - len(table), -1)])
    grown[first : first + count] = mean
    return grown
