"""A mask goes where its batch goes."""

import torch

from glmkit.core.types import AttentionMask


def test_a_mask_goes_to_a_device_with_all_its_parts() -> None:
    none = torch.tensor([0])
    mask = AttentionMask(context=none, begin=none, segments=torch.tensor([[1, 1, 2]])).to("meta")
    assert mask.segments is not None
    assert {mask.context.device.type, mask.begin.device.type, mask.segments.device.type} == {"meta"}


def test_a_mask_without_segments_stays_without() -> None:
    assert AttentionMask.prefix([1, 2]).to("meta").segments is None
