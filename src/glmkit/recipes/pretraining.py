"""Named pretraining runs with published hyper-parameters (facts: the original's config files and paper).

A recipe is a function that returns a complete config; a variant of it is `dataclasses.replace`.
"""

from collections.abc import Callable
from dataclasses import replace

from glmkit.families import chatglm2, neoglm
from glmkit.families.glm import preset
from glmkit.infill.mixture import ObjectiveConfig
from glmkit.train.config import PretrainConfig
from glmkit.train.optimizer import OptimizerConfig
from glmkit.train.schedule import ScheduleConfig


def glm_nano() -> PretrainConfig:
    """The demo's size: about five minutes on 2 cores."""
    return PretrainConfig(
        model=preset("glm-nano"),
        seq_length=128,
        batch_size=16,
        micro_batch_size=16,
        steps=1000,
        schedule=ScheduleConfig(peak=2e-3),
        validation_every=100,
        save_every=500,
    )


def glm_mini() -> PretrainConfig:
    """About 10M parameters: about 18 hours on 2 cores (extrapolated)."""
    return PretrainConfig(
        model=preset("glm-mini"),
        seq_length=256,
        batch_size=32,
        micro_batch_size=16,
        steps=20_000,
        schedule=ScheduleConfig(peak=1e-3),
        validation_every=500,
        save_every=1000,
    )


def glm_base() -> PretrainConfig:
    """GLM-Base, 110M, token objective: 1,024 rows of 512 tokens a step, 120,000 steps of decay."""
    return PretrainConfig(
        model=replace(preset("glm-base"), dropout=0.1),
        seq_length=512,
        batch_size=1024,
        micro_batch_size=16,
        steps=120_000,
        schedule=ScheduleConfig(peak=4e-4, warmup=0.05, floor=0.05),
        validation_every=1000,
        save_every=1000,
    )


def glm_large() -> PretrainConfig:
    """GLM-Large, 335M: as GLM-Base at half the rate, 160,000 steps."""
    base = glm_base()
    return replace(
        base, model=replace(preset("glm-large"), dropout=0.1), steps=160_000, schedule=replace(base.schedule, peak=2e-4)
    )


def glm_2b() -> PretrainConfig:
    """GLM-2B: token, sentence and document blanks 4 : 3 : 3."""
    return PretrainConfig(
        model=replace(preset("glm-2b"), dropout=0.1),
        objective=ObjectiveConfig(token=0.4, sentence=0.3, document=0.3, shortest_document=0.25, short=0.02),
        optimizer=OptimizerConfig(beta2=0.95, eps=1e-8),
        seq_length=512,
        batch_size=1024,
        micro_batch_size=32,
        steps=175_000,
        schedule=ScheduleConfig(peak=1e-4, warmup=0.04, floor=0.1),
        checkpoint_activations=True,
        validation_every=1000,
        save_every=1000,
    )


def glm_10b() -> PretrainConfig:
    """GLM-10B, first stage: token, sentence and document blanks 5 : 3 : 2, 5,376 rows a step."""
    base = glm_2b()
    return replace(
        base,
        model=replace(preset("glm-10b"), dropout=0.1),
        objective=replace(base.objective, token=0.5, sentence=0.3, document=0.2),
        batch_size=5376,
        micro_batch_size=21,
    )


_CAUSAL = ObjectiveConfig(token=0.0, causal=1.0)


def chatglm2_nano() -> PretrainConfig:
    """A ChatGLM2 of the demo's size, which writes on from left to right: minutes on 2 cores."""
    return replace(glm_nano(), model=chatglm2.PRESETS["chatglm2-nano"], objective=_CAUSAL)


def chatglm2_mini() -> PretrainConfig:
    """A ChatGLM2 of 12.6M parameters: about a day on 2 cores (extrapolated)."""
    return replace(glm_mini(), model=chatglm2.PRESETS["chatglm2-mini"], objective=_CAUSAL)


def chatglm2_6b() -> PretrainConfig:
    """ChatGLM2-6B's shape, from nothing or, with init_from, from the published weights; its pretraining was not
    published: the schedule is GLM-10B's."""
    return replace(
        glm_2b(),
        model=chatglm2.PRESETS["chatglm2-6b"],
        objective=_CAUSAL,
        seq_length=2048,
        batch_size=1024,
        micro_batch_size=1,
    )


def _modern(base: PretrainConfig, model: str, peak: float) -> PretrainConfig:
    """A GLM's recipe for a NeoGLM: Muon for the matrices, 30 % blanked, half of the examples left to right, for more
    targets out of the same compute. `peak` is AdamW's, which has the tables."""
    return replace(
        base,
        model=neoglm.PRESETS[model],
        objective=ObjectiveConfig(token=0.5, left_to_right=0.5, ratio=0.3),
        optimizer=OptimizerConfig(name="muon"),
        schedule=replace(base.schedule, peak=peak),
    )


def neoglm_nano() -> PretrainConfig:
    """GLM with today's parts, of the demo's size: half as many blocks as glm-nano's, and wider ones."""
    return _modern(glm_nano(), "neoglm-nano", 8e-3)


def neoglm_mini() -> PretrainConfig:
    """A NeoGLM of about 9M parameters."""
    return _modern(glm_mini(), "neoglm-mini", 8e-3)


def neoglm_base() -> PretrainConfig:
    """A NeoGLM of 99M parameters over the rows and steps of GLM-Base."""
    return _modern(glm_base(), "neoglm-base", 4e-3)


def neoglm_large() -> PretrainConfig:
    """A NeoGLM of 290M parameters over the rows and steps of GLM-Large."""
    return _modern(glm_large(), "neoglm-large", 4e-3)


RECIPES: dict[str, Callable[[], PretrainConfig]] = {
    "glm-nano": glm_nano,
    "glm-mini": glm_mini,
    "glm-base": glm_base,
    "glm-large": glm_large,
    "glm-2b": glm_2b,
    "glm-10b": glm_10b,
    "chatglm2-nano": chatglm2_nano,
    "chatglm2-mini": chatglm2_mini,
    "chatglm2-6b": chatglm2_6b,
    "neoglm-nano": neoglm_nano,
    "neoglm-mini": neoglm_mini,
    "neoglm-base": neoglm_base,
    "neoglm-large": neoglm_large,
}
