"""A small model beside a large one: it proposes tokens, of which the large one reads several at a time."""

from glmkit.api.core import Core
from glmkit.core.errors import UserError, argument, short
from glmkit.generate.draft_model import DraftModel
from glmkit.nn.quantized import QuantizedLinear


class Drafts(Core):
    """The ability to write with the drafts of another model."""

    def use_draft(self, draft: Core | None) -> None:
        """From here on `draft` proposes the next tokens of what this model writes; None: prompt look-up does again.

        What is written stays this model's own: greedy or by beams the same tokens (in float32; below, those that are
        about equally probable may change places), sampled with the same probabilities. It pays where the draft model
        is many times smaller and often right. Raises UserError for a model of another family or tokenizer.
        """
        self._draft, self._scheduler = self._checked(draft), None

    def _checked(self, draft: Core | None) -> DraftModel | None:
        if draft is None:
            return None
        if not isinstance(draft, Core):
            raise UserError(f"{argument('draft')} must be a model, as glmkit.load gives it, got {short(draft)}")
        if draft.family.name != self.family.name:
            raise UserError(
                f"a {draft.family.name} cannot draft for a {self.family.name}, whose tokens have other positions; give "
                f"a {self.family.name} as {argument('draft')}"
            )
        if draft.tokenizer.fingerprint != self.tokenizer.fingerprint:
            sizes = f"{len(draft.tokenizer):,} ids, this model's has {len(self.tokenizer):,}"
            raise UserError(
                f"{argument('draft')} has another tokenizer ({sizes}), in which its drafts would be other words; give "
                "a model trained with the same"
            )
        return DraftModel(draft.module, min(1.0, _bytes(draft) / _bytes(self)), int(draft.config.max_positions))


def _bytes(model: Core) -> int:
    """What a token reads, nearly: all weights."""
    parts = [part.packed for part in model.module.modules() if isinstance(part, QuantizedLinear)]
    packed = [part.tile_blocks for part in parts if part is not None]
    return sum(tensor.nbytes for tensor in [*packed, *model.module.parameters(), *model.module.buffers()])
