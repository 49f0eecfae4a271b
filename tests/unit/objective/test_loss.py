"""The weighted token loss, and that working it out piece by piece changes nothing."""

import pytest
import torch
from torch import nn

from glmkit.core.types import AttentionMask, Batch
from glmkit.models.glm import GLM, GLMConfig, initialize
from glmkit.objective.loss import ROWS, batch_loss, language_model, token_losses, token_scores
from glmkit.testing import MODULE_TOLERANCE


def model() -> GLM:
    built = GLM(GLMConfig(num_layers=1, hidden_size=8, num_heads=2, vocab_size=20, max_positions=16))
    initialize(built, torch.Generator().manual_seed(0))
    return built


def batch(weights: torch.Tensor) -> Batch:
    rows, length = weights.shape
    generator = torch.Generator().manual_seed(1)
    return Batch(
        tokens=torch.randint(0, 20, weights.shape, generator=generator),
        targets=torch.randint(0, 20, weights.shape, generator=generator),
        weights=weights,
        positions=torch.arange(length).expand(rows, 2, length),
        mask=AttentionMask.prefix([2] * rows),
    )


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, atol=MODULE_TOLERANCE, rtol=MODULE_TOLERANCE)


def test_the_loss_is_the_weighted_sum_of_minus_log_p() -> None:
    glm, weights = model(), torch.tensor([[0.0, 0.5, 1.0, 0.0], [2.0, 0.0, 0.0, 1.0]])
    data = batch(weights)
    probabilities = glm.logits(glm(data.tokens, data.positions, data.mask)).softmax(-1)
    wanted = torch.tensor(0.0)
    for row in range(2):
        for place in range(4):
            wanted = wanted - weights[row, place] * probabilities[row, place, data.targets[row, place]].log()
    close(batch_loss(glm, data), wanted)


def test_targets_without_weight_do_not_matter() -> None:
    glm, weights = model(), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    data = batch(weights)
    before = batch_loss(glm, data)
    data.targets[weights == 0] = -100  # not even an id
    assert torch.equal(batch_loss(glm, data), before)


def test_a_batch_in_which_nothing_counts_has_no_loss() -> None:
    loss = batch_loss(model(), batch(torch.zeros(2, 3)))
    loss.backward()
    assert loss.item() == 0


def test_many_targets_are_worked_out_piece_by_piece_with_the_same_gradients() -> None:
    glm = model()
    generator = torch.Generator().manual_seed(2)
    count = 2 * ROWS + 7
    hidden = torch.randn(count, 8, generator=generator, requires_grad=True)
    targets = torch.randint(0, 20, (count,), generator=generator)
    pieces = token_losses(glm, hidden, targets)
    whole = torch.nn.functional.cross_entropy(glm.logits(hidden), targets, reduction="none")
    close(pieces, whole)
    parameters = [hidden, glm.embedding.words.weight]
    for ours, wanted in zip(
        torch.autograd.grad(pieces.mean(), parameters), torch.autograd.grad(whole.mean(), parameters), strict=True
    ):
        close(ours, wanted)


def test_scores_are_losses_and_hits() -> None:
    glm = model()
    hidden = torch.randn(ROWS + 5, 8, generator=torch.Generator().manual_seed(3))
    best = glm.logits(hidden).argmax(-1)
    targets = torch.where(torch.arange(len(hidden)) % 3 == 0, best, (best + 1) % 20)
    losses, hits = token_scores(glm, hidden, targets)
    close(losses, token_losses(glm, hidden, targets))
    assert hits.tolist() == [index % 3 == 0 for index in range(len(hidden))]


def test_only_a_language_model_is_taken_for_one() -> None:
    glm = model()
    assert language_model(glm) is glm
    with pytest.raises(TypeError, match="a Linear is no language model"):
        language_model(nn.Linear(2, 2))
