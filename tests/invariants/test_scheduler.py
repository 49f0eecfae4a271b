"""The engine gives each sequence what the closed loop gives it alone, whatever joins, leaves, waits or is put off."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from torch import Tensor

import glmkit
from glmkit.core.errors import NotFinite, UserError
from glmkit.generate.beam import Beam, search
from glmkit.generate.follow import follow, run
from glmkit.generate.penalties import Penalties
from glmkit.generate.request import Group, ReadGroup, Request, SequenceGroup
from glmkit.generate.sampling import Greedy, SamplingParams
from glmkit.generate.scheduler import CHUNK_BESIDE, Scheduler
from glmkit.generate.sequence import Token
from glmkit.generate.session import DecodeConfig
from glmkit.generate.write import write
from glmkit.kernels.linear import num_rows_alike
from glmkit.nn.accelerate import accelerate, rows_alike
from glmkit.objective.read_padded import read_padded
from glmkit.objective.read_request import ReadRequest
from glmkit.quantization.plan import PLANS
from glmkit.testing import MODEL_TOLERANCE, tiny

SMALL = 12  # ids that texts are made of, so that they repeat themselves
HOW = [
    Greedy(),
    Greedy(penalties=Penalties(frequency=0.3, bias={3: 1.0})),
    SamplingParams(p=0.9, temperature=0.4, seed=1),
    SamplingParams(p=1.0, k=5, temperature=2.0, seed=2, penalties=Penalties(repetition=0.8)),
    SamplingParams(p=0.8, min_p=0.01, seed=3),
    Beam(beams=2),
    Beam(beams=3, length_penalty=0.5, no_repeat_ngram=2),
]


@cache
def config_of(family: str) -> DecodeConfig:
    """Of a tiny model that writes SMALL ids and ends now and then; "prefix": a ChatGLM2 behind a learned prefix."""
    model = tiny("chatglm2" if family == "prefix" else family)
    module = model.module
    if family == "prefix":
        spec, config = model.family, replace(model.config, num_prefix=3)
        torch.manual_seed(0)
        module = spec.build(config).eval().requires_grad_(False)
        spec.initialize(module, torch.Generator().manual_seed(1))
    special = model.tokenizer.special
    return DecodeConfig(
        model=module,
        position_scheme=model.position_scheme,
        special=replace(special, other=(*special.other, *range(SMALL, 256))),
        vocab_size=len(model.tokenizer),
        max_tokens=12,
    )


def told(tokens: Sequence[Token], row: int) -> list[tuple[object, ...]]:
    return [(t.blank, t.id, t.finish_reason, [id for id, _ in t.top]) for t in tokens if t.row == row]


class Schedules(RuleBasedStateMachine):
    """Requests of every kind, steps and cancellations in any order, within little memory."""

    @initialize(
        family=st.sampled_from(["glm", "neoglm", "chatglm", "chatglm2", "prefix"]),
        rows=st.integers(1, 6),
        kept=st.integers(0, 3),
        memory=st.sampled_from([None, 2, 6]),
        overcommit=st.booleans(),
        chunks=st.sampled_from([(512, 64), (5, 2), (16, 16)]),
    )
    def begin(
        self, family: str, rows: int, kept: int, memory: int | None, overcommit: bool, chunks: tuple[int, int]
    ) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("glmkit.generate.scheduler.CHUNK", chunks[0])
        self.patch.setattr("glmkit.generate.scheduler.CHUNK_BESIDE", chunks[1])
        self.patch.setattr("glmkit.generate.active_sequence.MIN_CHUNK", 3)
        self.family, self.config = family, config_of(family)
        row = self.config.model.new_cache(1, 600).nbytes
        limit = None if memory is None else memory * row
        self.scheduler = Scheduler(
            self.config.model, cache_bytes=limit, max_rows=rows, kept_rows=kept, overcommit=overcommit
        )
        self.groups: list[tuple[SequenceGroup, list[Token]]] = []
        self.reads: list[ReadGroup] = []
        self.cancelled: list[Group] = []

    @rule(
        ids=st.lists(st.integers(0, SMALL - 1), min_size=1, max_size=40),
        blanks=st.lists(st.integers(0, 99), min_size=1, max_size=2),
        how=st.sampled_from(HOW),
        copies=st.integers(1, 3),
        limit=st.integers(1, 12),
        top=st.integers(0, 2),
        keep=st.booleans(),
        lookup=st.booleans(),
        priority=st.integers(0, 2),
        owner=st.sampled_from(["", "a"]),
        boundary=st.integers(0, 40),
    )
    def add(
        self,
        ids: list[int],
        blanks: list[int],
        how: Greedy | SamplingParams | Beam,
        copies: int,
        limit: int,
        top: int,
        keep: bool,
        lookup: bool,
        priority: int,
        owner: str,
        boundary: int,
    ) -> None:
        if self.family in ("glm", "neoglm", "chatglm"):
            for place in blanks:
                ids.insert(place % (len(ids) + 1), self.config.special.gmask)
        if self.groups and keep and self.family in ("chatglm2", "prefix"):  # goes on from another
            group, tokens = self.groups[-1]
            ids = [*group.request.prompt, *(token.id for token in tokens if token.is_text), *ids]
        request = Request(
            config=replace(self.config, max_tokens=limit, boundaries=(boundary,)),
            prompt=ids,
            strategy=how,
            num_return_sequences=1 if isinstance(how, Beam) else copies,
            top=top,
            keep=keep,
            lookup=lookup,
            priority=priority,
            owner=owner,
        )
        with suppress(UserError):  # more than there is memory for
            self.groups.append((self.scheduler.add(request), []))

    @rule(
        context=st.integers(1, 40),
        both_ways=st.booleans(),
        beside=st.lists(st.integers(1, 20), max_size=4),
        every=st.integers(1, 5),
        hidden=st.booleans(),
        priority=st.integers(0, 2),
        seed=st.integers(0, 99),
    )
    def read(
        self, context: int, both_ways: bool, beside: list[int], every: int, hidden: bool, priority: int, seed: int
    ) -> None:
        """A context and what stands behind it side by side, of which some places are asked about."""
        rng = np.random.default_rng(seed)
        length = context + sum(beside)
        scheme = self.config.position_scheme
        request = ReadRequest(
            tokens=rng.integers(0, SMALL, length),
            positions=np.tile(np.arange(length) % 50, (scheme.channels, 1)),
            context=context if both_ways and scheme.channels == 2 else 0,
            segments=np.repeat(np.arange(len(beside) + 1), [context, *beside]),
            places=np.arange(length - 1, -1, -every)[::-1],
            hidden=hidden,
            priority=priority,
        )
        with suppress(UserError):  # more than there is memory for
            self.reads.append(self.scheduler.add(request))

    @rule(count=st.integers(1, 8))
    def step(self, count: int) -> None:
        for _ in range(count):
            for group, token in self.scheduler.step():
                next(tokens for one, tokens in self.groups if one is group).append(token)

    @precondition(lambda self: self.groups or self.reads)
    @rule(number=st.integers(0, 99))
    def cancel(self, number: int) -> None:
        groups = [*(group for group, _ in self.groups), *self.reads]
        group = groups[number % len(groups)]
        if not group.finished:
            self.scheduler.cancel(group)
            self.cancelled.append(group)
            assert group.finished

    def teardown(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        work = sum(len(group.request.prompt) + 60 for group, _ in self.groups)
        work += sum(len(group.request.tokens) for group in self.reads)
        for _ in range(6 * work + 10):
            if not self.scheduler.has_work:
                break
            self.step(1)
        assert not self.scheduler.has_work, "somebody starves"
        for group, tokens in self.groups:
            assert group.error is None
            assert group.finished
            if group not in self.cancelled:
                self.check(group, tokens)
        for read in self.reads:
            assert read.error is None
            if read not in self.cancelled:
                self.check_read(read)
        stats = self.scheduler.stats
        assert (stats.running, stats.waiting) == (0, 0)
        assert stats.cache_bytes is None or stats.cache_bytes_used <= stats.cache_bytes
        self.scheduler.prefix_cache.clear()
        assert self.scheduler.stats.cache_bytes_used == 0
        self.patch.undo()

    def check(self, group: SequenceGroup, tokens: list[Token]) -> None:
        request = group.request
        if isinstance(request.strategy, Beam):
            alone = search(request.config, request.prompt, request.strategy)
            ours = [[blank.ids for blank in hypothesis.blanks] for hypothesis in group.hypotheses]
            assert ours == [[blank.ids for blank in hypothesis.blanks] for hypothesis in alone]
            return
        copies = request.num_return_sequences
        steps = write(request.config, [request.prompt], request.strategy, copies, top=request.top)
        expected = [token for step in steps for token in step]
        for row in range(copies):
            assert told(tokens, row) == told(expected, row)

    def check_read(self, group: ReadGroup) -> None:
        (expected,) = read_padded(self.config.model, self.config.special.pad, [group.request])
        assert group.result is not None
        torch.testing.assert_close(group.result, expected, atol=MODEL_TOLERANCE, rtol=MODEL_TOLERANCE)


Schedules.TestCase.settings = settings(max_examples=40, stateful_step_count=16, deadline=None)
TestSchedules = Schedules.TestCase


def request(config: DecodeConfig, ids: Sequence[int] = (1, 2, 3), **how: object) -> Request:
    return Request(config=config, prompt=list(ids), **{"strategy": Greedy(), **how})  # type: ignore[arg-type]


@pytest.fixture
def config() -> DecodeConfig:
    return replace(config_of("chatglm2"), min_tokens=12)


def test_a_cancelled_sequence_frees_its_place_within_a_step(config: DecodeConfig) -> None:
    scheduler = Scheduler(config.model, max_rows=1)
    first, second = scheduler.add(request(config)), scheduler.add(request(config))
    scheduler.step()
    assert (scheduler.stats.running, scheduler.stats.waiting) == (1, 1)
    scheduler.cancel(first)
    assert [group for group, _ in scheduler.step()] == [second]


def test_a_long_prompt_holds_nobody_up_longer_than_a_chunk(config: DecodeConfig) -> None:
    """Each step that reads some of it gives the others their token, and reads no more than CHUNK_BESIDE tokens."""
    scheduler = Scheduler(config.model)
    stream = scheduler.add(request(replace(config, max_tokens=40, min_tokens=40)))
    scheduler.step()
    joining = scheduler.add(request(config, [1, 2, 3, 4] * 60))
    read = scheduler.stats.prompt_tokens
    while joining.first_token_at is None:
        assert stream in [group for group, _ in scheduler.step()]
        assert scheduler.stats.prompt_tokens - read <= CHUNK_BESIDE
        read = scheduler.stats.prompt_tokens


def test_lower_priority_numbers_go_first_and_owners_take_turns(config: DecodeConfig) -> None:
    scheduler = Scheduler(config.model, max_rows=2)
    flood = [scheduler.add(request(config, owner="a")) for _ in range(4)]
    other = scheduler.add(request(config, owner="b"))
    urgent = scheduler.add(request(config, owner="a", priority=-1))
    scheduler.step()
    assert [group.started_at is not None for group in (urgent, other, *flood)] == [True, True, *[False] * 4]


class _Fails:
    """A constraint that allows the ids below `limit` until it fails, or until its document is complete."""

    def __init__(self, limit: int, fails_at: float = math.inf, ends_at: float = math.inf) -> None:
        self.limit, self.fails_at, self.ends_at, self.left, self.count = limit, fails_at, ends_at, list[int](), 0

    def mask(self, scores: Tensor, left: int) -> None:
        if self.count >= self.fails_at:
            raise ValueError("the grammar cannot go on")
        self.left.append(left)
        scores[self.limit :] = -math.inf

    def observe(self, id: int) -> bool:
        self.count += 1
        return self.count == self.ends_at


def test_what_is_wrong_with_a_request_ends_it_alone(config: DecodeConfig) -> None:
    def watch(token: Token) -> bool:
        raise RuntimeError("nobody is listening")

    scheduler = Scheduler(config.model)
    good = [scheduler.add(request(config, [1, 2, number])) for number in range(3)]
    bad = [
        scheduler.add(request(config, watch=watch)),
        scheduler.add(request(config, constraint=lambda: _Fails(5, fails_at=2))),
        scheduler.add(request(config, strategy=Greedy(penalties=Penalties(bias={10**6: 1.0})))),
    ]
    tokens: dict[int, list[int]] = {group.id: [] for group in good}
    while scheduler.has_work:
        for group, token in scheduler.step():
            tokens.setdefault(group.id, []).append(token.id)
    for group in good:
        alone = [token.id for (token,) in write(config, [group.request.prompt], Greedy())]
        assert tokens[group.id] == alone
    assert [type(group.error) for group in bad] == [RuntimeError, ValueError, UserError]


def test_a_constraint_says_what_may_come_and_when_it_ends(config: DecodeConfig) -> None:
    made: list[_Fails] = []

    def constraint() -> _Fails:
        made.append(_Fails(4, ends_at=3))
        return made[-1]

    how = SamplingParams(p=1.0, temperature=2.0)
    (group,) = run(
        Scheduler(config.model), [request(config, strategy=how, num_return_sequences=2, constraint=constraint)]
    )
    for row in range(2):
        tokens = [token for token in group.inbox if token.row == row]
        assert len(tokens) == 3
        assert all(token.id < 4 for token in tokens)
        assert [token.finish_reason for token in tokens] == [None, None, "stop"]
    assert [one.left for one in made] == [[12, 11, 10]] * 2


def test_a_step_that_fails_ends_who_was_at_work_and_the_engine_goes_on(
    config: DecodeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler(config.model)
    first = scheduler.add(request(config))
    scheduler.step()
    with monkeypatch.context() as patch:
        patch.setattr(scheduler.forward, "hidden", lambda *_: 1 / 0)
        assert scheduler.step() == []
    assert isinstance(first.error, ZeroDivisionError)
    assert scheduler.stats.cache_bytes_used == 0
    (second,) = run(scheduler, [request(config)])
    assert [token.id for token in second.inbox] == [t.id for (t,) in write(config, [[1, 2, 3]], Greedy())]


def test_scores_that_are_no_numbers_end_a_request() -> None:
    model = tiny("chatglm2")
    with torch.no_grad():
        model.module.output.weight[7] = math.nan
    config = replace(config_of("chatglm2"), model=model.module)
    with pytest.raises(NotFinite, match=r"its weight output.weight holds such numbers"):
        next(follow(Scheduler(model.module), request(config)))


def test_streams_read_in_turn_are_written_together() -> None:
    """Whoever waits for a token takes the step for all: two streams take no more passes than one."""
    model = tiny("chatglm2")
    alone = [model.generate(text, 8, min_p=0.0) for text in ("one", "two")]
    passes: list[int] = []
    hook = model.module.register_forward_pre_hook(lambda *_: passes.append(1))
    streams = [model.stream(text, 8, min_p=0.0) for text in ("one", "two")]
    first = [next(stream) for stream in streams]
    together = [begun + "".join(stream) for begun, stream in zip(first, streams, strict=True)]
    hook.remove()
    assert together == alone
    assert len(passes) <= 2 + 2 * 8


def test_memory_that_no_sequence_could_do_with_is_said_at_once(config: DecodeConfig) -> None:
    scheduler = Scheduler(config.model, cache_bytes=1000)
    with pytest.raises(UserError, match=r"the prompt and what may be written need .* MiB of keys and values"):
        scheduler.add(request(config))


def test_preempted_sequences_read_again_what_they_had_written(config: DecodeConfig) -> None:
    row = config.model.new_cache(1, 256).nbytes
    scheduler = Scheduler(config.model, cache_bytes=5 * row, overcommit=True)
    settled = replace(config, max_tokens=400, min_tokens=400)
    prompts = [[1, 2, number] for number in range(4)]
    groups = run(scheduler, [request(settled, prompt) for prompt in prompts])
    assert scheduler.stats.preemptions > 0
    for prompt, group in zip(prompts, groups, strict=True):
        assert [token.id for token in group.inbox] == [t.id for (t,) in write(settled, [prompt], Greedy())]


def test_a_second_turn_does_not_take_the_row_of_the_first_from_another_talk() -> None:
    """With room for more than one row, two talks behind one system message keep what they have read."""
    model = tiny("chatglm2")
    model.scheduler.prefix_cache.max_rows = 4
    system = {"role": "system", "content": "be brief and kind " * 6}
    talks = [[system, {"role": "user", "content": text}] for text in ("one", "two")]
    known = []
    for _ in range(2):
        for messages in talks:
            answer = model.stream_chat(messages, max_new_tokens=3, sampling=glmkit.Greedy())
            "".join(answer)
            known.append((answer.cached_tokens, answer.prompt_length))
            messages += [*answer.reply.messages, {"role": "user", "content": "and then?"}]
    assert known[0][0] == 0
    assert known[1][0] >= len(system["content"])
    for first, second in zip(known[:2], known[2:], strict=True):
        assert second[0] >= first[1]


@pytest.mark.parametrize(
    ("family", "kind", "most"),
    [
        ("chatglm2", "bfloat16", min(8, num_rows_alike())),
        ("chatglm2", "int8", num_rows_alike()),
        ("chatglm2", "int4", num_rows_alike()),
        ("chatglm", "int4", min(8, num_rows_alike())),
    ],
)
def test_deterministic_sequences_do_not_depend_on_their_neighbors(family: str, kind: str, most: int) -> None:
    """To the last bit, below float32 too: every log p is the one that the sequence has alone."""
    model = tiny(family)
    model.module.to(torch.bfloat16)
    if kind != "bfloat16":
        for name, layer in list(model.module.named_modules()):
            built = PLANS[kind].quantize(name, layer, layer.weight) if type(layer) is torch.nn.Linear else None
            if built is not None:
                model.module.set_submodule(name, built)
    accelerate(model.module, torch.bfloat16)
    config = replace(config_of(family), model=model.module)
    assert rows_alike(model.module) == most

    def written(scheduler: Scheduler, prompts: list[list[int]]) -> list[list[tuple[int, float]]]:
        how = SamplingParams(p=0.95, temperature=1.5, seed=3)
        groups = run(scheduler, [request(config, prompt, strategy=how) for prompt in prompts])
        return [[(token.id, token.logprob) for token in group.inbox] for group in groups]

    ends = [259, 261] if family == "chatglm" else []  # [gMASK] sop
    prompts = [[(i * j) % SMALL for j in range(1, 2 + 9 * i)] + ends for i in range(1, 40)]
    together = written(Scheduler(model.module, deterministic=True), prompts)
    assert together == [written(Scheduler(model.module, deterministic=True), [prompt])[0] for prompt in prompts]
