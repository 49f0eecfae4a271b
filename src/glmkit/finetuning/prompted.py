"""A GLM with continuous prompts, and how it lies on disk: DIR/prompts.safetensors beside the plain model.

Without the prompts the directory is a model like any other; what answers the task puts them back.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from glmkit.conversion.weights import Weights, in_memory
from glmkit.conversion.write import write_tensors
from glmkit.core.errors import CorruptFile, UserError
from glmkit.core.sharded import copy_whole
from glmkit.families import directory
from glmkit.nn.prompt import Kind, PromptedWords, PromptEncoder

FILE = "prompts.safetensors"
_WORDS, _PROMPT = "embedding.words.words.", "embedding.words.prompt."


def add_prompts(model: nn.Module, count: int, kind: Kind, seed: int) -> None:
    """Gives a GLM `count` prompts. Raises UserError for a model of another family."""
    words = getattr(getattr(model, "embedding", None), "words", None)
    if not isinstance(words, nn.Embedding):
        raise UserError("continuous prompts need a GLM: this model's words are not its own")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prompt = PromptEncoder(count, words.embedding_dim, kind)
    prompt.initialize(words.weight, torch.Generator().manual_seed(seed))
    model.set_submodule("embedding.words", PromptedWords(words, prompt.to(words.weight.device)))


def is_prompt(name: str) -> bool:
    """Whether a parameter is the prompts' own."""
    return name.startswith(_PROMPT)


def write_prompts(model: nn.Module, path: Path) -> None:
    """Writes DIR/prompts.safetensors."""
    parts = {name.removeprefix(_PROMPT): part for name, part in model.state_dict().items() if is_prompt(name)}
    write_tensors(path / FILE, parts)
    directory.cover(path, FILE)


def plain_weights(model: nn.Module, where: Path) -> Weights:
    """The state of the model without its prompts, under the plain model's names."""
    state = {name: part for name, part in model.state_dict().items() if not is_prompt(name)}
    return in_memory({name.replace(_WORDS, "embedding.words."): part for name, part in state.items()}, where)


def restore_prompted(path: Path, model: nn.Module) -> None:
    """Puts the weights and prompts of a directory into a prompted model. Raises CorruptFile."""
    prompted = _prompted(model)
    model.set_submodule("embedding.words", prompted.words)
    try:
        directory.restore(path, model)
    finally:
        model.set_submodule("embedding.words", prompted)
    places = prompted.prompt.state_dict()
    for name, tensor in read_prompts(path).items():
        copy_whole(places[name], tensor)


def read_prompts(path: Path) -> Mapping[str, Tensor]:
    """The tensors of DIR/prompts.safetensors. Raises CorruptFile."""
    try:
        return load_file(path / FILE)
    except (OSError, SafetensorError) as error:
        raise CorruptFile(f"{path / FILE} is missing or damaged ({error}); copy the model again") from None


def restore_prompts(model: nn.Module, path: Path, count: int, kind: Kind) -> None:
    """Gives a plain model the prompts that `write_prompts` wrote."""
    add_prompts(model, count, kind, 0)
    _prompted(model).prompt.load_state_dict(read_prompts(path))
    model.eval()


def _prompted(model: nn.Module) -> PromptedWords:
    words = model.get_submodule("embedding.words")
    assert isinstance(words, PromptedWords)
    return words
