"""With a draft model many streams get the tokens that they get without, and its memory is counted."""

from dataclasses import replace

import pytest
import torch

from glmkit.core.errors import UserError
from glmkit.generate.draft_model import CHUNK, DraftModel
from glmkit.generate.request import Request, SequenceGroup
from glmkit.generate.sampling import Greedy, Strategy, TopP
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.session import DecodeConfig
from glmkit.nn.cache import BLOCK
from glmkit.testing import tiny


@pytest.fixture(scope="module", params=["glm", "chatglm2"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def config_of(family: str, max_tokens: int = 24) -> DecodeConfig:
    model = tiny(family)
    return replace(model._continuation_config(max_tokens), min_tokens=max_tokens)


def prompt_of(config: DecodeConfig, ids: list[int]) -> list[int]:
    return [*ids, config.special.gmask] if type(config.model).__name__ == "GLM" else ids


def write(config: DecodeConfig, how: list[Strategy], draft: DraftModel | None, **given: int) -> list[list[int]]:
    """Streams of different lengths: one joins every third step, each goes on from the prompt of the first; the
    second is cancelled. Ids of each, but of the second."""
    scheduler = Scheduler(config.model, draft=draft, kept_rows=4, **given)
    groups: list[SequenceGroup] = []
    waiting = list(enumerate(how))
    written: dict[int, list[int]] = {}
    steps = 0
    while waiting or scheduler.has_work:
        if waiting and steps % 3 == 0:
            number, one = waiting.pop(0)
            longer = replace(config, max_tokens=6 + 5 * number, min_tokens=6 + 5 * number)
            prompt = prompt_of(config, [5, 6, 7, 8] * (1 + number))
            groups.append(scheduler.add(Request(config=longer, prompt=prompt, strategy=one, keep=True)))
        if steps == 7:
            scheduler.cancel(groups[1])
        for group, token in scheduler.step():
            written.setdefault(group.id, []).append(token.id)
        steps += 1
    assert all(group.error is None for group in groups)
    return [written[group.id] for place, group in enumerate(groups) if place != 1]


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("how", [Greedy(), TopP(p=0.95, temperature=0.9, seed=4)])
def test_streams_that_join_and_leave_get_what_they_get_without(family: str, seed: int, how: Strategy) -> None:
    """A draft model that is always right (seed 0), and one that seldom is. Drawn with a seed, too: the same tokens."""
    config, draft = config_of(family), DraftModel(tiny(family, seed=seed).module, 0.1)
    plain = write(config, [how] * 5, None)
    assert write(config, [how] * 5, draft) == plain
    assert len(plain[-1]) == 26


def test_where_memory_is_short_streams_get_what_they_get_without(family: str) -> None:
    """They are put off, and their drafts with them."""
    config, draft = config_of(family), DraftModel(tiny(family, seed=0).module, 0.1)
    row = config.model.new_cache(1, 60 + BLOCK).nbytes  # of the longest; as much is the draft model's
    plain = write(config, [Greedy()] * 5, None)
    for overcommit in (False, True):
        assert write(config, [Greedy()] * 5, draft, cache_bytes=3 * row, overcommit=overcommit) == plain


@pytest.fixture
def one(family: str) -> tuple[DecodeConfig, DraftModel, Request]:
    config = config_of(family)
    request = Request(config=config, prompt=prompt_of(config, [1, 2, 3]), strategy=Greedy())
    return config, DraftModel(tiny(family).module, 0.1), request


def test_keys_and_values_of_the_draft_model_are_counted(one: tuple[DecodeConfig, DraftModel, Request]) -> None:
    config, draft, request = one
    free = Scheduler(config.model, draft=draft, cache_bytes=1 << 30)
    active = free.add(request)
    free.step()
    free.step()
    (sequence,) = free.running
    assert sequence.row is not None
    assert sequence.draft_cache is not None
    assert free.stats.cache_bytes_used == sequence.row.cache.nbytes + sequence.draft_cache.nbytes
    needed = free.budget.most(sequence)
    free.cancel(active)
    assert free.stats.cache_bytes_used == 0
    assert not free.has_work
    with pytest.raises(UserError, match="MiB of keys and values"):
        Scheduler(config.model, draft=draft, cache_bytes=needed - 1).add(request)
    Scheduler(config.model, draft=draft, cache_bytes=needed).add(request)
    Scheduler(config.model, cache_bytes=needed // 2).add(request)


def test_a_request_waits_until_both_models_have_memory(one: tuple[DecodeConfig, DraftModel, Request]) -> None:
    config, draft, request = one
    alone = Scheduler(config.model, cache_bytes=1 << 30)
    alone.add(request)
    both = 2 * alone.budget.most(alone.waiting[0])  # of two without drafts, or of one with them
    for drafts, running in ((None, 2), (draft, 1)):
        scheduler = Scheduler(config.model, draft=drafts, cache_bytes=both)
        groups = [scheduler.add(request), scheduler.add(request)]
        scheduler.step()
        assert scheduler.stats.running == running
        while scheduler.has_work:
            scheduler.step()
        assert all(group.finished and group.error is None for group in groups)


def test_a_long_prompt_is_read_in_chunks_and_a_text_too_long_is_not_read() -> None:
    config, small = config_of("chatglm2"), tiny("chatglm2").module
    sizes: list[int] = []
    hook = small.register_forward_pre_hook(lambda module, given: sizes.append(given[0].shape[1]))
    request = Request(config=config, prompt=[1, 2, 3, 4] * (CHUNK // 4 + 20), strategy=Greedy())
    try:
        for limit in (4 * CHUNK, CHUNK):
            sizes.clear()
            scheduler = Scheduler(config.model, draft=DraftModel(small, 0.1, limit))
            scheduler.add(request)
            while scheduler.has_work:
                scheduler.step()
            if limit > CHUNK:
                assert max(sizes) == CHUNK
                assert sizes[:2] == [CHUNK, 82]  # two tokens have been written beside it
            else:
                assert not sizes
    finally:
        hook.remove()
    assert not torch.is_inference_mode_enabled()
