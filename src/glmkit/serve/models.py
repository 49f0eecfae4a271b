"""The models of a server, by the names they are asked for."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from glmkit.api import Model
from glmkit.core.json_types import JsonObject
from glmkit.generate.sampling import SamplingParams
from glmkit.generate.session import DecodeConfig
from glmkit.quantization.plan import quantization_config
from glmkit.serve.errors import ApiError, bad_request
from glmkit.text.chat import FORMATS
from glmkit.text.conversation import ChatFormat
from glmkit.text.roles import CHATGLM3

if TYPE_CHECKING:
    from glmkit.serve.constrained import Grammars


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model under its `name`; `parent` is the model that an adapter goes over. `together`: sequences with the adapter
    are written together with those of the parent, by its engine."""

    name: str
    model: Model
    parent: str | None = None
    together: bool = False
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def engine(self) -> str:
        """The name of the model whose engine writes for it."""
        return self.parent if self.together and self.parent is not None else self.name

    @property
    def adapter(self) -> str | None:
        """The adapter of that engine that it is written with."""
        return self.name if self.together else None

    @property
    def limit(self) -> int:
        """The tokens it reads at most."""
        return int(self.model.config.max_positions)

    @property
    def vocabulary(self) -> int:
        """Ids from 0 on that it can read."""
        return min(len(self.model.tokenizer), int(self.model.config.vocab_size))

    @cached_property
    def fills_blanks(self) -> bool:
        return self.model.prompt_format.fills_blanks

    @cached_property
    def chats(self) -> bool:
        return bool(self.model.tokenizer.chat or self.model.prompt_format.chat)

    @property
    def chat_format(self) -> ChatFormat:
        """Raises UserError for a model that was not trained to chat."""
        return self.model.chat_format

    @cached_property
    def grammars(self) -> "Grammars":
        """What its replies can be held to. Raises MissingExtra without llguidance."""
        from glmkit.serve.constrained import Grammars

        return Grammars(self.model.tokenizer, int(self.model.config.vocab_size))

    @property
    def usual(self) -> SamplingParams | None:
        """How it draws unless it is asked otherwise: as the official code; None: it takes the most probable token."""
        return self.model.chat_sampling if self.chats else None

    @property
    def keeps_prefixes(self) -> bool:
        """Whether what was read of one prompt serves another that begins alike."""
        return not self.model.prompt_format.bidirectional

    def continuing(self, max_tokens: int | None, min_tokens: int = 0) -> DecodeConfig:
        """For what is written behind a prompt."""
        wanted = self.limit if max_tokens is None else min(max_tokens, self.limit)
        config = self.model._continuation_config(wanted)
        return replace(config, min_tokens=min(min_tokens, wanted))

    def filling(self, max_tokens: int, min_tokens: int) -> DecodeConfig:
        """For what is written into the blanks of a prompt."""
        return self.model._decode_config(min(max_tokens, self.limit), min_tokens)

    @property
    def table(self) -> JsonObject:
        """As /v1/models lists it."""
        return {
            "id": self.name,
            "object": "model",
            "created": self.created,
            "owned_by": "glmkit",
            "root": self.parent or self.name,
            "parent": self.parent,
            "max_model_len": self.limit,
            "sampling": None if self.usual is None else {"temperature": self.usual.temperature, "top_p": self.usual.p},
        }

    @property
    def facts(self) -> JsonObject:
        """What it is and can do, for people."""
        model = self.model
        quantized = quantization_config(model.module)
        form = FORMATS.get(model.tokenizer.chat or model.prompt_format.chat)
        return {
            "id": self.name,
            "family": model.family.name,
            "parameters": sum(parameter.numel() for parameter in model.module.parameters()),
            "context": self.limit,
            "dtype": str(next(model.module.parameters()).dtype).removeprefix("torch."),
            "quantized": {"bits": quantized["bits"]} if quantized else None,
            "fills_blanks": self.fills_blanks,
            "chats": self.chats,
            "system": form is not None and form.name == CHATGLM3.name,
            "tools": form is not None and form.name == CHATGLM3.name,
            "labels": list(model.labels) or None,
            "adapter_of": self.parent,
        }


class Models:
    """Models by name. The first is the one that is asked when there is no other."""

    def __init__(self, models: Iterable[ServedModel] = (), *, aliases: Sequence[str] = (), any_name: bool = False):
        """`aliases`: other names of the first model; `any_name`: every name means it."""
        self.models = {served.name: served for served in models}
        self.aliases, self.any_name = tuple(aliases), any_name

    def find(self, name: str | None) -> ServedModel:
        """The model that a request names. Raises ApiError listing those there are."""
        first = next(iter(self.models.values()))
        if name in self.models:
            return self.models[name]
        if name in self.aliases or self.any_name or (name is None and len(self.models) == 1):
            return first
        known = ", ".join(self.names)
        if name is None:
            raise bad_request(f"several models are served, name one in model: {known}", "model")
        raise ApiError(
            404, f"the model {name[:100]!r} does not exist; there is: {known}", param="model", code="model_not_found"
        )

    @property
    def names(self) -> list[str]:
        return [*self.models, *self.aliases]

    @property
    def tables(self) -> list[JsonObject]:
        first = next(iter(self.models.values()))
        return [served.table for served in self.models.values()] + [
            first.table | {"id": alias, "root": first.name} for alias in self.aliases
        ]
