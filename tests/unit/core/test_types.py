"""A mask goes where its batch goes, and what is looked at stays on the CPU."""

import torch

from glmkit.core.types import AttentionMask


def test_what_is_one_a_token_goes_to_a_device_and_what_is_one_a_row_stays() -> None:
    none = torch.tensor([0])
    mask = AttentionMask(context=none, begin=none, segments=torch.tensor([[1, 1, 2]])).to("meta")
    assert mask.segments is not None
    assert [part.device.type for part in (mask.context, mask.begin, mask.segments)] == ["cpu", "cpu", "meta"]


def test_a_mask_without_segments_stays_without() -> None:
    assert AttentionMask.prefix([1, 2]).to("meta").segments is None
