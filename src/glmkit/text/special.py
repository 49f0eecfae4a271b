"""The special tokens of blank infilling, by name.

| field | usual text | role |
|---|---|---|
| cls | [CLS] | begins every text of a GLM; ChatGLM2 and 3 have none |
| mask, smask, gmask | [MASK] [sMASK] [gMASK] | a blank: some tokens, whole sentences, the rest of the document |
| sop, eop | <sop> <eop> | begin a span's input, end a span's target |
| eod | <eod> | ends a document |
| pad | <pad> | fills rows; nothing real ever sees it |
| sep | [SEP] | between two texts of a classifier's input |
| block | [dBLOCK] | hides a token of a span's input (the block-mask option of pretraining) |
| spare | | ids kept free: sentinels of the ablation, roles, anything a user adds later |
| other | [UNK] ... | neither text nor free: what a vocabulary writes for text it lacks, its control pieces |
"""

from dataclasses import dataclass

from glmkit.core.errors import UserError
from glmkit.core.kinds import check, list_of, optional, whole

ID = whole(0, (1 << 24) - 1)


@dataclass(frozen=True, kw_only=True)
class SpecialIds:
    """Ids of the special tokens. A vocabulary without task masks has smask = gmask = mask."""

    pad: int
    eod: int
    cls: int | None = None
    mask: int
    smask: int
    gmask: int
    sop: int
    eop: int
    sep: int | None = None
    block: int | None = None
    spare: tuple[int, ...] = ()
    other: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("pad", "eod", "mask", "smask", "gmask", "sop", "eop"):
            check(getattr(self, name), ID, name)
        for name in ("cls", "sep", "block"):
            check(getattr(self, name), optional(ID), name)
        for name in ("spare", "other"):
            check(getattr(self, name), list_of(ID), name)

    @property
    def begin(self) -> int:
        """The id that begins a GLM's text. Raises UserError for a vocabulary that has none."""
        if self.cls is None:
            raise UserError("this tokenizer has no [CLS] to begin a text with: blank infilling needs a GLM's")
        return self.cls

    @property
    def masks(self) -> tuple[int, ...]:
        """The ids that stand for a blank, without repetition."""
        return tuple(dict.fromkeys((self.mask, self.smask, self.gmask)))

    @property
    def ends(self) -> tuple[int, ...]:
        """The ids that end a span when they are generated."""
        return (self.eop, self.eod)

    @property
    def never_generated(self) -> tuple[int, ...]:
        """The ids that are no text and end nothing."""
        optional = {id for id in (self.cls, self.sep, self.block) if id is not None}
        ids = {self.pad, *self.masks, self.sop, *optional, *self.spare, *self.other} - set(self.ends)
        return tuple(sorted(ids))

    def sentinels(self, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """`count` pairs (mask id, start id): the plain pair first, then pairs of spare ids (the sentinel ablation).

        Raises UserError when there are fewer spare ids than needed.
        """
        if 2 * (count - 1) > len(self.spare):
            raise UserError(
                f"sentinel marks for {count} blanks need {2 * (count - 1)} spare ids, "
                f"the tokenizer has {len(self.spare)}; train it with --spare {2 * (count - 1)} or more"
            )
        return (self.mask, *self.spare[0 : 2 * count - 2 : 2]), (self.sop, *self.spare[1 : 2 * count - 2 : 2])
