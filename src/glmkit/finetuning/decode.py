"""Rows of a file written out by a model, in batches, and what they are worth against the targets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from glmkit.core.errors import UserError
from glmkit.finetuning.conversations import Conversation, SFTRow
from glmkit.finetuning.sft_encoder import SFTEncoder
from glmkit.generate.beam import Beam
from glmkit.generate.fill import fill
from glmkit.generate.sampling import Greedy, Strategy
from glmkit.generate.scheduler import Scheduler
from glmkit.generate.sequence import Completion
from glmkit.generate.session import DecodeConfig

ROWS = 16  # written at once


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A row: the prompt as text (`asked`), what the model wrote, and what is right (any of `wanted`)."""

    where: str
    asked: str
    written: str
    wanted: tuple[str, ...]
    logprob: float


def decode(
    encoder: SFTEncoder,
    rows: Sequence[SFTRow],
    how: Strategy | Beam | None = None,
    *,
    max_tokens: int = 128,
    min_tokens: int = 1,
) -> Iterator[Decoded]:
    """What the model writes for each row, in order; greedily unless `how` says otherwise.

    Rows are written together; what one gets does not depend on the others. A context that is too long
    is read in windows, and of what they give the most probable for its length counts. Several blanks of a row are
    joined by " | ".
    """
    config = _decode_config(encoder, max_tokens, min_tokens)
    requests = [_prompts(encoder, row, max_tokens) for row in rows]
    flat = [(number, prompt) for number, prompts in enumerate(requests) for prompt in prompts]
    best: dict[int, tuple[float, list[Completion]]] = {}
    model = encoder.scorer.model
    was_training = model.training
    model.eval()
    scheduler = Scheduler(model, max_rows=encoder.scorer.rows or ROWS)
    for (number, _), fillings in zip(
        flat, fill(scheduler, config, [prompt for _, prompt in flat], how or Greedy(), 1), strict=True
    ):
        blanks = fillings[0]
        tokens = sum(max(1, len(filled.logprobs)) for filled in blanks)
        score = sum(filled.logprob for filled in blanks) / tokens
        if number not in best or score > best[number][0]:
            best[number] = score, blanks
    model.train(was_training)
    for number, row in enumerate(rows):
        score, blanks = best[number]
        yield Decoded(
            where=row.where,
            asked=encoder.scorer.tokenizer.decode(requests[number][0]),
            written=" | ".join(_text(encoder, filled) for filled in blanks),
            wanted=_wanted(encoder, row),
            logprob=sum(filled.logprob for filled in blanks),
        )


def _decode_config(encoder: SFTEncoder, max_tokens: int, min_tokens: int) -> DecodeConfig:
    scorer = encoder.scorer
    stops = () if encoder.fills else encoder.chat.stop_ids(scorer.tokenizer)
    return DecodeConfig(
        model=scorer.model,
        position_scheme=scorer.position_scheme,
        special=scorer.special,
        vocab_size=len(scorer.tokenizer),
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        max_length=scorer.max_length,
        stop_ids=frozenset(stops),
    )


def _prompts(encoder: SFTEncoder, row: SFTRow, max_tokens: int) -> list[list[int]]:
    """The prompts of a row: one, or one for each window of a context too long to be read."""
    if isinstance(row, Conversation):
        return [encoder.chat_prompt(row)]
    prompts = [encoder.prompt(part) for part in encoder.windows(row)]
    if (longest := max(map(len, prompts))) > encoder.scorer.max_length:
        raise UserError(f"{row.where}: {longest} tokens, the model reads {encoder.scorer.max_length}; lower length")
    return prompts


def _text(encoder: SFTEncoder, filled: Completion) -> str:
    text = encoder.scorer.tokenizer.decode(filled.ids)
    if encoder.fills:
        return text.strip()
    content = encoder.chat.reply(text, []).content
    return content if isinstance(content, str) else text


def _wanted(encoder: SFTEncoder, row: SFTRow) -> tuple[str, ...]:
    if isinstance(row, Conversation):
        return (str(row.messages[-1]["content"]),)
    return (" | ".join(row.targets),) if encoder.form.blank == "{source}" else row.targets


def of_length(encoder: SFTEncoder, max_tokens: int) -> SFTEncoder:
    """The same, with room for targets of `max_tokens`."""
    return replace(encoder, target_length=min(max_tokens, encoder.length // 2))
