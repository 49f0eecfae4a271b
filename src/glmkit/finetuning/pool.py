"""Texts for a classifier with a head: one hidden state of each stands for the whole text.

| pool | which |
|---|---|
| cls | of the first token, [CLS] (the original's default) |
| start | of a padding token behind the text, at position 0 |
| end | of the text's last token |

    tokens     [CLS] it rains <eod> | [CLS] no <eod>        several texts a row, none sees another
    weights      1   0   0      0   |   1   0    0          cls
    targets    the class                the class
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from glmkit.core.types import Batch, Example
from glmkit.data.packing import pack
from glmkit.infill.layout import Layout, prompt_layout
from glmkit.infill.position_schemes import PositionScheme, example
from glmkit.text.special import SpecialIds

Pool = Literal["cls", "start", "end"]


def pooled_example(
    position_scheme: PositionScheme,
    special: SpecialIds,
    ids: Sequence[int],
    pool: Pool,
    gold: int = 0,
    weight: float = 1.0,
) -> Example:
    """A text whose pooled token has the class `gold` as its target."""
    layout = prompt_layout(np.asarray(ids, dtype=np.int64))
    if pool == "start":
        layout = Layout(
            tokens=np.append(layout.tokens, special.pad),
            targets=np.append(layout.targets, special.pad),
            weights=np.append(layout.weights, np.float32(0)),
            position_ids=np.append(layout.position_ids, 0),
            block_position_ids=np.append(layout.block_position_ids, 0),
            context=layout.context,
        )
    place = 0 if pool == "cls" else len(layout.tokens) - 1
    plain = example(layout, position_scheme)
    targets, weights = plain.targets.copy(), plain.weights.copy()
    targets[place], weights[place] = gold, weight
    return Example(
        tokens=plain.tokens, targets=targets, weights=weights, positions=plain.positions, context=plain.context
    )


def pooled(position_scheme: PositionScheme, special: SpecialIds, texts: Sequence[Sequence[int]], pool: Pool) -> Batch:
    """A batch of texts (ids), one a row; its weighted tokens, in order, are the pooled ones."""
    return pack([[pooled_example(position_scheme, special, ids, pool)] for ids in texts], special.pad)
