"""The mask that the docstring of AttentionMask draws."""

import re

import torch

from glmkit.core.types import AttentionMask


def drawing() -> list[list[bool]]:
    rows = re.findall(r"query \d   (.*)", AttentionMask.__doc__ or "")
    return [[mark == "x" for mark in row.split()] for row in rows]


def test_the_drawing_is_the_mask_of_context_three() -> None:
    mask = AttentionMask.prefix([3])
    assert len(drawing()) == 5
    assert mask.visible(0, 5)[0, 0].tolist() == drawing()


def test_later_queries_see_the_last_rows_of_it() -> None:
    assert AttentionMask.prefix([3]).visible(3, 2)[0, 0].tolist() == drawing()[3:]


def test_a_mask_goes_to_a_device_with_all_its_parts() -> None:
    mask = AttentionMask(context=torch.tensor([1]), begin=torch.tensor([0]), segments=torch.tensor([[1, 1, 2]])).to(
        "meta"
    )
    assert mask.segments is not None
    assert {mask.context.device.type, mask.begin.device.type, mask.segments.device.type} == {"meta"}
