"""`glmkit serve`: models from directories, the server around them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from pathlib import Path

from glmkit.api import Model
from glmkit.api import load as load_model
from glmkit.api.adapters import shares_weights
from glmkit.core import machine
from glmkit.core.errors import UserError
from glmkit.core.json_types import Table
from glmkit.families.adapter import adapter_at, base_of
from glmkit.generate.scheduler import Scheduler
from glmkit.serve.access import LOG, JsonLines
from glmkit.serve.app import App, OnProgress
from glmkit.serve.models import Models, ServedModel
from glmkit.serve.run import run
from glmkit.serve.settings import ServeSettings


def start(
    models: Mapping[str, str],
    settings: ServeSettings,
    *,
    drafts: Mapping[str, str],
    adapters: Mapping[str, str],
    aliases: Sequence[str],
    loading: Table,
    threads: int | None,
    cache_bytes: int | None,
    kept_prefixes: int,
    overcommit: bool,
    deterministic: bool,
    say: Callable[[str], None],
) -> None:
    """Serves `models` and `adapters`, name -> directory, until a signal; `drafts` are the directories of the draft
    models of some. `say` is given a line for people when the server listens and when it is ready. Raises what keeps it
    from either."""
    parents = {name: _parent(name, Path(path), models) for name, path in adapters.items()}
    if taken := [name for name in (*adapters, *aliases) if name in models]:
        raise UserError(f"two models have the name {taken[0]!r}")
    _log()
    spelled = copy_context()  # as the command line spells arguments; models are loaded in another thread

    def load(progress: OnProgress) -> Models:
        if threads is not None:
            machine.use_threads(threads)
        served = [ServedModel(name, _load(name, path, progress, loading)) for name, path in models.items()]
        by_name = {one.name: one.model for one in served}
        for name, path in drafts.items():
            placed = {key: loading[key] for key in ("dtype", "device")}
            draft = _load(f"the draft model of {name}", path, progress, placed)
            spelled.run(by_name[name].use_draft, draft)
        for name, path in adapters.items():
            parent, base = by_name[parents[name]], models[parents[name]]
            progress(name, 0.0)
            if together := shares_weights(parent, Path(path)):
                model = parent
                parent.add_adapter(name, path)
            else:
                model = _load(name, base, progress, {**loading, "adapter": path})
            served.append(ServedModel(name, model, parents[name], together))
        return Models(served, aliases=aliases, any_name="chatglm" in settings.compat)

    def scheduler(served: ServedModel) -> Scheduler:
        return Scheduler(
            served.model.module,
            cache_bytes=None if cache_bytes is None else cache_bytes // (len(models) + len(adapters)),
            max_rows=settings.max_running,
            kept_rows=kept_prefixes,
            overcommit=overcommit,
            deterministic=deterministic,
            adapters=served.model.adapters,
            draft=served.model._draft,
        )

    app = App(load, settings, scheduler)
    app.on_ready = lambda names: say(f"ready: {', '.join(names)}")
    run(app, settings, lambda url: say(f"listening at {url}; loading {', '.join([*models, *adapters])}"))


def _load(name: str, path: str, progress: OnProgress, loading: Table) -> Model:
    def watch(done: int, total: int) -> None:
        progress(name, done / max(1, total))

    progress(name, 0.0)
    model = load_model(path, progress=watch, **loading)
    model.tokenizer  # noqa: B018  a model without one says so before anybody asks
    return model


def _parent(name: str, adapter: Path, models: Mapping[str, str]) -> str:
    """The name of the model that an adapter goes over: the only one, or the one that it names. Raises UserError."""
    if len(models) == 1:
        return next(iter(models))
    base = base_of(adapter_at(adapter)).resolve()
    for model, path in models.items():
        if Path(path).resolve() == base:
            return model
    raise UserError(f"the adapter {name} goes over {base}, which is none of the models that are served")


def _log() -> None:
    """Every line of the log is JSON, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for logger, level in ((LOG, logging.INFO), (logging.getLogger("uvicorn.error"), logging.WARNING)):
        logger.handlers[:], logger.propagate = [handler], False
        logger.setLevel(level)
