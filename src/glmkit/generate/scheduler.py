"""The engine: sequences join, are written and leave while others go on.

One step:

    admit    waiting sequences, as long as there is memory for their keys and values
    read     in one pass over the weights: CHUNK tokens of prompts and of texts that are only read, the first come
             first, or beside sequences that are being written CHUNK_BESIDE of them, so that nobody waits long for a
             token (what is seen both ways is read in one piece); and the pending tokens of every running sequence, with
             draft tokens behind them
    sample   the next token of each, and behind a draft token that was right the one after it

In float32 a sequence gets the tokens that it gets alone, whatever it shares its steps with (tests compare with
glmkit.generate.write). A scheduler belongs to one thread at a time.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import overload

import numpy as np
import torch
from torch import Tensor

from glmkit.core.forked import computing
from glmkit.core.types import LanguageModel
from glmkit.generate.active_read import ActiveRead, Taken, reduce_reads
from glmkit.generate.active_sequence import ActiveSequence, as_read, go_on, mask_logits, part_of, row_of
from glmkit.generate.beam import Beam, BeamSearch
from glmkit.generate.cache_budget import Active, CacheBudget
from glmkit.generate.draft_model import MOST_ROWS, DraftModel
from glmkit.generate.next_token import NextToken, next_tokens
from glmkit.generate.prefix_cache import PrefixCache, ReadRow, ReadToken
from glmkit.generate.prompt_lookup import MAX_DRAFT
from glmkit.generate.ragged_forward import RaggedForward
from glmkit.generate.request import Group, ReadGroup, Request, SequenceGroup
from glmkit.generate.sequence import Token
from glmkit.generate.session import DecodeConfig
from glmkit.generate.stats import Stats as Stats
from glmkit.nn.cache import BLOCK
from glmkit.nn.finite import not_finite
from glmkit.nn.lora import Adapter, find_adapter, new_row
from glmkit.objective.read_request import ReadRequest

CHUNK = 512  # tokens of prompts read in one step, where their contexts allow
CHUNK_BESIDE = 64  # the same while other sequences are being written

Pending = list[tuple[ActiveSequence, list[ReadToken]]]


class Scheduler:
    """The engine over one model.

    Keys and values take at most `cache_bytes` (None: no bound): a sequence is admitted only when what it may grow to
    fits, or with `overcommit` what it needs now; the last in order then gives up its row where memory ends, and reads
    it again later. `kept_rows` of those that are finished are kept for prompts that go on from them. `adapters` are
    those that requests may name; a sequence keeps its own when that is taken out of them. `draft` proposes tokens in
    place of prompt look-up; its keys and values are part of `cache_bytes`.

    Below float32 a sum is rounded in an order that depends on how many rows are read together. With `deterministic` a
    sequence gets the tokens that it gets alone there, too: prompts are read one by one in chunks of one size and none
    is kept, and as many tokens are decoded at once as give each row the sums it has alone.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        cache_bytes: int | None = None,
        max_rows: int = 256,
        kept_rows: int = 1,
        overcommit: bool = False,
        deterministic: bool = False,
        adapters: Mapping[str, Adapter] | None = None,
        draft: DraftModel | None = None,
    ) -> None:
        self.model, self.max_rows, self.deterministic = model, max_rows, deterministic
        self.adapters, self.draft = {} if adapters is None else adapters, draft
        self.forward = RaggedForward(model, deterministic)
        self.prefix_cache = PrefixCache(model, 0 if deterministic else kept_rows, self.adapters)
        self.budget = CacheBudget(model, cache_bytes, overcommit, self.prefix_cache, draft)
        self.waiting: list[Active] = []
        self.reading: list[Active] = []
        self.running: list[ActiveSequence] = []
        self.lock = threading.RLock()  # for those who share it (glmkit.generate.follow)
        self._prefixed = model.new_cache(1, 1).prefix > 0
        self._preemptions = self._prompt_tokens = self._generation_tokens = 0

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.reading or self.running)

    @property
    def _at_work(self) -> list[Active]:
        return [*self.reading, *self.running]

    @property
    def stats(self) -> Stats:
        return Stats(
            running=len(self.reading) + len(self.running),
            waiting=len(self.waiting),
            cache_bytes=self.budget.limit,
            cache_bytes_used=self.budget.used(self._at_work),
            prefix_queries=self.prefix_cache.queries,
            prefix_hits=self.prefix_cache.hits,
            preemptions=self._preemptions,
            prompt_tokens=self._prompt_tokens,
            generation_tokens=self._generation_tokens,
        )

    @overload
    def add(self, request: Request) -> SequenceGroup: ...
    @overload
    def add(self, request: ReadRequest) -> ReadGroup: ...
    def add(self, request: Request | ReadRequest) -> Group:
        """Queues a request. Raises UserError for a prompt with nothing to go on from, or that can never be written, and
        for an unknown adapter."""
        adapter = find_adapter(self.adapters, request.adapter)
        active: Active
        if isinstance(request, ReadRequest):
            active = ActiveRead(request, adapter)
        else:
            active = ActiveSequence.begin(request, adapter, self.draft)
        self.budget.check(active)
        self.waiting.append(active)
        return active.group

    def cancel(self, group: Group) -> None:
        """Ends a group here; its memory is free at once."""
        self._end(group, None)

    @torch.inference_mode()
    def step(self) -> list[tuple[SequenceGroup, Token]]:
        """One step. Returns the tokens that came of it, each with its group, those of a sequence in order.

        A group that fails is finished with an `error`. What fails in the model itself (memory, say) ends every group at
        work.
        """
        computing()
        self._admit()
        try:
            pending = self._pending()  # it may take rows away, also of prompts
            prompts = self._prompts(sum(len(tokens) for _, tokens in pending))
            places = self._read(prompts, pending)
            return self._sample(places) if places else []
        except BaseException as error:  # whose it is cannot be known, and the engine goes on without what was at work
            failed = error if isinstance(error, Exception) else RuntimeError("the engine was interrupted")
            for active in self._at_work:
                self._end(active.group, failed)
            self.prefix_cache.clear()
            if failed is not error:
                raise
            return []

    # Admission

    def _admit(self) -> None:
        at_work = Counter(active.group.request.owner for active in self._at_work)
        while self.waiting and len(self.reading) + len(self.running) < self.max_rows:
            first = min(self.waiting, key=lambda one: (one.order[0], at_work[one.group.request.owner], one.order))
            if not self.budget.admits(first, self._at_work):
                break
            self.waiting.remove(first)
            self._start(first)
            at_work[first.group.request.owner] += 1

    def _start(self, active: Active) -> None:
        """Gives a sequence a row, with what is known of its prompt."""
        group = active.group
        first, group.started_at = group.started_at is None, group.started_at or time.monotonic()
        if isinstance(active, ActiveSequence):
            request, adapter, prompt = active.group.request, group.adapter, active.to_read
            capacity = len(prompt) + min(DecodeConfig.to_come(active.sequence), BLOCK)
            if request.keep:
                others = [one.row for one in self._at_work if one.row and one.group.request.keep]
                active.row = self.prefix_cache.open(prompt, active.context, capacity, request.owner, adapter, others)
            if active.row is None:
                active.row = ReadRow(new_row(self.model, adapter, capacity), active.context, request.owner, adapter)
            if first:
                active.group.cached_tokens = len(active.row.tokens)
            active.to_read = prompt[len(active.row.tokens) :]
        self.reading.append(active)

    # Reading: [(sequence, hidden [places, D])], behind each place of which a token is to be sampled

    def _read(self, prompts: list[tuple[Active, int]], pending: Pending) -> list[tuple[ActiveSequence, Tensor]]:
        """Parts of prompts, and the pending tokens of sequences with their drafts, in one pass over the weights."""
        if not prompts and not pending:
            return []
        parts = [active.part(size, self.model, self._prefixed) for active, size in prompts]
        hidden = self.forward.hidden(parts, [part_of(row_of(active), tokens) for active, tokens in pending])
        states = iter(hidden.split([*map(len, parts), *(len(tokens) for _, tokens in pending)]))
        places: list[tuple[ActiveSequence, Tensor]] = []
        reads: list[Taken] = []
        for active, size in prompts:
            read = next(states)
            self._prompt_tokens += size
            if isinstance(active, ActiveRead):
                reads.append((active, *active.took(read)))
            elif not active.took(size):
                self.reading.remove(active)
                places += [(one, read[-1:]) for one in self._begin(active)]
        for active, tokens in pending:
            read, drafts = next(states), len(active.drafts)
            row_of(active).record(tokens[: len(tokens) - drafts])
            if not active.sequence.pending_tokens:
                places.append((active, read[len(tokens) - drafts - 1 :]))
        for active, error in reduce_reads(self.forward, reads):
            self._end(active.group, error)
        for active, _, _ in reads:
            if not active.to_read:
                self._end(active.group, None)
        return places

    def _begin(self, active: ActiveSequence) -> list[ActiveSequence]:
        """The sequences that go on from what has been read for one: itself, and the others of its group that have not
        begun. One that had been put off goes on where it was, and has no token to be sampled."""
        strategy = active.group.request.strategy
        members = [active]
        if isinstance(strategy, Beam):
            active.search = active.search or BeamSearch(active.config, strategy, active.sequence)
        else:
            members += [active.fork(number) for number in range(1, active.forks + 1)]
            active.forks = 0
        self.running += members
        return [one for one in members if not one.sequence.pending_tokens]

    def _prompts(self, others: int) -> list[tuple[Active, int]]:
        """What is read of prompts in a step that reads so many tokens of others."""
        most = room = self.forward.room_beside(others, CHUNK_BESIDE) if self.running or self.deterministic else CHUNK
        parts: list[tuple[Active, int]] = []
        for active in self.reading:
            size = active.chunk(room, most)
            if parts and size > room:
                break
            parts.append((active, size))
            if (room := room - size) < 1 or self.deterministic:
                break
        return parts

    def _pending(self) -> Pending:
        """The tokens that running sequences read next, with drafts of what comes behind them."""
        ready = [active for active in self.running if active.sequence.pending_tokens and self._complete(active)]
        while len(ready) > 1 and not self.budget.grows(ready, self._at_work):
            last = max(ready, key=lambda active: active.order)
            self._preempt(last.group)
            ready = [active for active in ready if active.row is not None]
        room = max(0, MAX_DRAFT + 1 - len(ready))  # of so many rows one more takes little time
        if self.forward.most is not None:
            room = min(room, self.forward.most - 1)
        if room and self.draft is not None:
            drafts = len(ready) <= MOST_ROWS and self.budget.holds_drafts(ready, self._at_work)
            room = room if drafts else 0
        inputs: Pending = []
        for active in ready:
            tokens = [*active.take_pending(room, len(ready)), *active.drafts]
            room -= len(active.drafts)
            inputs.append((active, [as_read(*one) for one in tokens]))
        return inputs

    def _complete(self, active: ActiveSequence) -> bool:
        """Whether all branches of a beam search have what they had read, so that it can go on."""
        if active.search is None:
            return True
        branches = sum(other.search is active.search for other in self.running)
        return branches == len(active.search.branches)

    def _preempt(self, group: Group) -> None:
        """Takes the rows of a group away; it reads all of them again when there is memory."""
        for active in self._at_work:
            if active.group is not group or active.row is None or isinstance(active, ActiveRead):
                continue
            active.give_up()
            self._preemptions += 1
            (self.running if active in self.running else self.reading).remove(active)
            self.waiting.append(active)

    # Sampling

    def _sample(self, places: list[tuple[ActiveSequence, Tensor]]) -> list[tuple[SequenceGroup, Token]]:
        """The next tokens of sequences, as far as their drafts were right."""
        logits = self.forward.logits([(active.group.adapter, hidden) for active, hidden in places]).float()
        ends = np.cumsum([len(hidden) for _, hidden in places]).tolist()
        at = {active: end - len(hidden) for (active, hidden), end in zip(places, ends, strict=True)}
        for search in {active.search for active in at if active.search is not None}:
            self._search(search, {active: at.pop(active) for active in [*at] if active.search is search}, logits)
        tokens: list[tuple[SequenceGroup, Token]] = []
        while at:
            rows = list(at.values())
            whole = rows == list(range(len(logits)))
            for active, token in self._sample_once(list(at), logits if whole else logits[rows]):
                tokens.append((active.group, token))
            at = {active: row + 1 for active, row in at.items() if active.row is not None and active.accept_draft()}
        for active, _ in places:
            if active.row is not None:
                active.drop_drafts()
        return tokens

    def _search(self, search: BeamSearch, at: dict[ActiveSequence, int], logits: Tensor) -> None:
        """Goes on with a beam search; `at` are the rows of `logits` of the branches that have read all they have."""
        before = {id(active.sequence): active for active in self.running if active.search is search}
        branches = [before[id(sequence)] for sequence in search.sequences]
        group, rows = branches[0].group, [row for row, active in enumerate(branches) if active in at]
        try:
            parents = search.advance(logits[[at[branches[row]] for row in rows]], rows)
        except Exception as error:  # noqa: BLE001 - it ends this search alone
            self._end(group, error)
            return
        alive = go_on(branches, parents, search.sequences)
        for active in branches:
            if active not in alive:
                self._leave(active)
        self.running += [active for active in alive if active not in branches]
        if alive:
            alive[0].forks = search.beam.beams - len(alive)
        else:
            group.unfinished, group.hypotheses, group.ended_at = 0, search.hypotheses, time.monotonic()

    def _sample_once(self, actives: list[ActiveSequence], logits: Tensor) -> list[tuple[ActiveSequence, Token]]:
        """The next token of each sequence by its logits [B, V]. Whatever goes wrong with one ends its group alone."""
        masked = self._mask(actives, logits)
        kept = [place for place, active in enumerate(actives) if active.row is not None]
        if len(kept) < len(actives):
            actives, logits, masked = [actives[place] for place in kept], logits[kept], masked[kept]
        if not actives:
            return []
        top = max(active.group.request.top for active in actives)
        try:
            samplers = [active.sampler for active in actives if active.sampler is not None]
            chosen = next_tokens(logits, masked, samplers, top)
        except Exception as error:  # noqa: BLE001 - of its sampler, say
            if len(actives) == 1:
                self._end(actives[0].group, error)
                return []
            rows = [logits[place : place + 1] for place in range(len(actives))]
            return [one for active, row in zip(actives, rows, strict=True) for one in self._sample_once([active], row)]
        results = []
        for active, one in zip(actives, chosen, strict=True):
            if active.row is None:  # another sequence of its group failed
                continue
            try:
                results.append((active, self._append(active, one)))
            except Exception as error:  # noqa: BLE001 - of its watcher, say
                self._end(active.group, error)
        return results

    def _mask(self, actives: list[ActiveSequence], logits: Tensor) -> Tensor:
        """Logits with -inf for what may not be written. A grammar that cannot go on ends its group."""
        masked = mask_logits(actives, logits)
        for place, active in enumerate(actives):
            if active.constraint is not None and active.row is not None:
                try:
                    active.constraint.mask(masked[place], active.sequence.max_tokens - active.sequence.num_tokens)
                except Exception as error:  # noqa: BLE001
                    self._end(active.group, error)
        return masked

    def _append(self, active: ActiveSequence, chosen: NextToken) -> Token:
        if not math.isfinite(chosen.logprob):
            raise not_finite(self.model)
        group, sequence = active.group, active.sequence
        assert active.sampler is not None
        active.sampler.observe(chosen.id)
        complete = active.constraint is not None and active.constraint.observe(chosen.id)
        token = active.config.append_token(sequence, chosen.id, chosen.logprob, chosen.top[: group.request.top])
        stopped = group.request.watch is not None and group.request.watch(token)
        if stopped or complete:
            token = replace(token, finish_reason=token.finish_reason or "stop")
            sequence.finish()
        self._generation_tokens += 1
        if group.first_token_at is None:
            group.first_token_at = time.monotonic()
        if sequence.finished:
            self._leave(active)
            group.unfinished -= 1
            if group.finished:
                group.ended_at = time.monotonic()
        return token

    # Leaving

    def _leave(self, active: Active) -> None:
        """Takes a sequence out of the engine; its row is kept where its request says so."""
        for queue in (self.waiting, self.reading, self.running):
            if active in queue:
                queue.remove(active)  # type: ignore[arg-type]
        if active.row is not None and active.group.request.keep and active.row.tokens:
            self.prefix_cache.keep(active.row)
        active.row = None

    def _end(self, group: Group, error: Exception | None) -> None:
        for active in [*self.waiting, *self.reading, *self.running]:
            if active.group is group:
                self._leave(active)
        if not group.finished:
            group.unfinished, group.error, group.ended_at = 0, error, time.monotonic()
