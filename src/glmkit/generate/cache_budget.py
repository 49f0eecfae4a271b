"""How much memory keys and values may take, and who has a share of it."""

from collections.abc import Iterable

from glmkit.core.errors import UserError
from glmkit.core.types import LanguageModel
from glmkit.generate.active_read import ActiveRead
from glmkit.generate.active_sequence import ActiveSequence
from glmkit.generate.draft_model import DraftModel
from glmkit.generate.prefix_cache import PrefixCache
from glmkit.generate.prompt_lookup import MAX_DRAFT
from glmkit.nn.cache import BLOCK

Active = ActiveSequence | ActiveRead


class CacheBudget:
    """At most `limit` bytes (None: no bound) for the rows of sequences at work and those that are kept.

    A sequence is counted as what it may grow to; with `overcommit` as what it has. Kept rows make room first.
    """

    def __init__(
        self,
        model: LanguageModel,
        limit: int | None,
        overcommit: bool,
        prefix_cache: PrefixCache,
        draft: DraftModel | None = None,
    ) -> None:
        self.limit, self.overcommit, self.prefix_cache = limit, overcommit, prefix_cache
        self._token_bytes = 0 if limit is None else _token_bytes(model)
        self._draft_bytes = 0 if limit is None or draft is None else _token_bytes(draft.model)

    def used(self, at_work: Iterable[Active]) -> int:
        return sum(active.nbytes for active in at_work) + self.prefix_cache.nbytes

    def most(self, active: Active) -> int:
        """Bytes that a sequence and its forks may grow to, of the draft model too."""
        tokens = active.most_tokens + _prefix(active)
        drafted = isinstance(active, ActiveSequence) and active.drafter is not None
        token_bytes = self._token_bytes + self._draft_bytes * drafted
        return (1 + active.forks) * token_bytes * _grown(tokens)

    def check(self, active: Active) -> None:
        """Raises UserError for a sequence that may grow to more than all there is."""
        need = self.most(active)
        if self.limit is not None and need > self.limit:
            raise UserError(
                f"{active.group.request.name} and what may be written need {need / 2**20:,.0f} MiB of keys and values, "
                f"and there are {self.limit / 2**20:,.0f} MiB; shorten it, allow fewer tokens or fewer sequences"
            )

    def admits(self, active: Active, at_work: Iterable[Active]) -> bool:
        """Whether a sequence may begin to be read."""
        need = self.most(active)
        if self.overcommit:
            tokens = len(active.to_read) + _prefix(active) + 2 * BLOCK
            need = min(need, (1 + active.forks) * self._token_bytes * tokens)
        return self._make_room(need, at_work)

    def grows(self, ready: list[ActiveSequence], at_work: Iterable[Active]) -> bool:
        """Whether there is memory for the next tokens of the sequences `ready`."""
        if self.limit is None or not self.overcommit:
            return True
        caches = [active.row.cache for active in ready if active.row is not None]
        full = [cache for cache in caches if cache.capacity < cache.length + MAX_DRAFT + 2]
        return not full or self._make_room(
            sum(cache.nbytes // 8 + BLOCK * self._token_bytes for cache in full), at_work
        )

    def holds_drafts(self, ready: list[ActiveSequence], at_work: Iterable[Active]) -> bool:
        """Whether there is memory for the draft model to read all of `ready`. Where there is none it drafts nothing,
        and puts nobody off."""
        if not self._draft_bytes or not self.overcommit:
            return True
        need = 0
        for active in ready:
            if active.row is not None and active.drafter is not None:
                end = active.row.cache.length + MAX_DRAFT + 2
                room = 0 if active.draft_cache is None else active.draft_cache.capacity
                need += self._draft_bytes * (_grown(end) - room) if end > room else 0
        return not need or self._make_room(need, at_work)

    def _make_room(self, need: int, at_work: Iterable[Active]) -> bool:
        if self.limit is None:
            return True
        taken = sum(active.nbytes if self.overcommit else self.most(active) for active in at_work)
        while taken + self.prefix_cache.nbytes + need > self.limit:
            if not self.prefix_cache.evict():
                return False
        return True


def _token_bytes(model: LanguageModel) -> int:
    return model.new_cache(1, BLOCK).nbytes // BLOCK


def _grown(tokens: int) -> int:
    """The most tokens that a row has room for when it has grown to these: by an eighth, or by a block."""
    return tokens + tokens // 8 + BLOCK


def _prefix(active: Active) -> int:
    """Keys and values that an adapter puts before a row."""
    return active.group.adapter.prefix_length if active.group.adapter is not None else 0
