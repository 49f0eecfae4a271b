"""glmkit serve MODEL..."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glmkit.cli.arguments import Parser, natural, positive, real
from glmkit.cli.environment import from_environment
from glmkit.cli.keys import bits
from glmkit.cli.loading import add_source, source
from glmkit.core.errors import MissingExtra, UserError

if TYPE_CHECKING:
    from glmkit.serve.settings import ServeSettings

_GIB, _MIB = 1 << 30, 1 << 20


def main(arguments: Sequence[str]) -> None:
    parser = _parser()
    options = parser.parse_args(from_environment(parser, arguments))
    if not options.models:
        raise UserError("no model: give the directory of one, or set GLMKIT_MODELS")
    try:
        import uvicorn  # noqa: F401 (whether the extra is there)
    except ImportError:
        raise MissingExtra("uvicorn", "serve") from None

    from glmkit.serve.start import start

    settings = _settings(options)
    models = _named(options.models, "MODEL")
    start(
        models,
        settings,
        drafts=_drafts(options.draft, models),
        adapters=_named(options.adapter, "--adapter", always=True),
        aliases=options.served_model_name,
        loading=_loading(options),
        threads=options.threads,
        cache_bytes=None if options.cache_memory is None else int(options.cache_memory * _GIB),
        kept_prefixes=options.kept_prefixes,
        overcommit=options.overcommit,
        deterministic=options.deterministic,
        say=lambda line: print(line, flush=True),
    )


def _parser() -> Parser:
    parser = Parser(
        "serve",
        "Serves models over HTTP: OpenAI's API, filling of blanks, scores. Each flag can be set in the environment: "
        "--max-body 8 as GLMKIT_MAX_BODY=8.",
        "glmkit serve chatglm3-6b --quantize int4 --port 8000",
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a model directory, or NAME=DIRECTORY")
    parser.add_argument("--host", default="127.0.0.1", metavar="A", help="another than this machine's needs a key")
    parser.add_argument("--port", "-p", type=natural, default=8000, metavar="N", help="0: any that is free")
    parser.add_argument(
        "--served-model-name", action="append", default=[], metavar="NAME", help="another name of the first model"
    )
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME=DIR", help="served beside its model")
    parser.add_argument(
        "--draft",
        action="append",
        default=[],
        metavar="DIR",
        help="a small model of the same tokenizer that proposes tokens; MODEL=DIR where several are served",
    )
    parser.add_argument("--compat", action="append", default=[], choices=("chatglm",), help="requests of api.py, too")
    parser.add_argument("--no-ui", action="store_true", help="no page at /")
    access = parser.add_argument_group("who may ask")
    access.add_argument("--api-key-file", type=Path, metavar="FILE", help="KEY or NAME KEY on each line")
    access.add_argument("--insecure", action="store_true", help="everybody who reaches the address may ask")
    access.add_argument("--allowed-host", action="append", default=[], metavar="NAME", help="it is asked as NAME, too")
    access.add_argument(
        "--allowed-origin", action="append", default=[], metavar="URL", help="its pages may ask: http://localhost:3000"
    )
    access.add_argument("--ssl-certfile", type=Path, metavar="FILE")
    access.add_argument("--ssl-keyfile", type=Path, metavar="FILE")
    access.add_argument("--ssl-keyfile-password", metavar="TEXT")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--cache-memory", type=real, metavar="GIB", help="of keys and values; no bound unless given")
    limits.add_argument("--overcommit", action="store_true", help="begin more than fits; the last may have to wait")
    limits.add_argument("--deterministic", action="store_true", help="the same reply whatever is written beside it")
    limits.add_argument("--kept-prefixes", type=natural, default=8, metavar="N", help="conversations to go on with")
    limits.add_argument("--max-running", type=positive, default=64, metavar="N", help="sequences written together")
    limits.add_argument("--max-waiting", type=positive, default=256, metavar="N", help="requests in the queue")
    limits.add_argument("--max-per-key", type=positive, default=128, metavar="N", help="requests of one key")
    limits.add_argument("--max-body", type=real, default=4.0, metavar="MIB", help="of a request")
    limits.add_argument("--queue-timeout", type=real, default=120.0, metavar="S", help="seconds a request may wait")
    limits.add_argument("--request-timeout", type=real, default=3600.0, metavar="S", help="seconds of a whole reply")
    limits.add_argument("--receive-timeout", type=real, default=60.0, metavar="S", help="seconds to read a request")
    limits.add_argument("--stall-timeout", type=real, default=60.0, metavar="S", help="seconds a stream may be unread")
    limits.add_argument("--drain-timeout", type=real, default=30.0, metavar="S", help="seconds to end after a signal")
    limits.add_argument("--keep-alive", type=positive, default=75, metavar="S", help="seconds between two requests")
    parser.add_argument("--log-prompts", action="store_true", help="what is asked goes into the log")
    group = parser.add_argument_group("loading")
    group.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    group.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1, mps")
    group.add_argument("--quantize", type=bits, choices=("int8", "int4"), help="the linear layers in 8 or 4 bits")
    group.add_argument("--threads", "-t", type=positive, metavar="N", help="processor threads")
    add_source(group)
    return parser


def _settings(options: Namespace) -> "ServeSettings":
    from glmkit.serve.keys import Keys, read_keys
    from glmkit.serve.settings import ServeSettings

    names = (
        *("host", "port", "insecure", "max_running", "max_waiting", "max_per_key", "queue_timeout", "request_timeout"),
        *("receive_timeout", "stall_timeout", "drain_timeout", "keep_alive", "log_prompts", "ssl_certfile"),
        *("ssl_keyfile", "ssl_keyfile_password"),
    )
    return ServeSettings(
        **{name: getattr(options, name) for name in names},
        keys=Keys({}) if options.api_key_file is None else read_keys(options.api_key_file),
        allowed_hosts=tuple(options.allowed_host),
        allowed_origins=tuple(options.allowed_origin),
        max_body=int(options.max_body * _MIB),
        compat=tuple(options.compat),
        page=not options.no_ui,
    )


def _loading(options: Namespace) -> dict[str, Any]:
    """What `glmkit.load` is called with."""
    given = source(options)
    named = {name: getattr(options, name) for name in ("dtype", "device", "quantize")}
    return named | given.pop("options") | given


def _named(texts: Sequence[str], what: str, *, always: bool = False) -> dict[str, str]:
    """NAME=DIRECTORY texts as a table; without a name a directory goes by its own. Raises UserError for a name that is
    given twice, or that is not given though it must be (`always`)."""
    table: dict[str, str] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not sign or Path(text).exists():
            if always:
                raise UserError(f"{what} {text!r}: write NAME=DIR; requests name it by NAME")
            name, path = Path(text).resolve().name, text
        if not name or not path or name in table:
            raise UserError(f"{what} {text!r}: {'two have that name' if name in table else 'write NAME=DIRECTORY'}")
        table[name] = path
    return table


def _drafts(texts: Sequence[str], models: Mapping[str, str]) -> dict[str, str]:
    """The directories of draft models, by the names of those they draft for. Raises UserError where it is not said for
    which one."""
    table: dict[str, str] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not sign or Path(text).exists():
            if len(models) > 1:
                raise UserError(f"--draft {text!r}: several models are served; write MODEL=DIR: {', '.join(models)}")
            name, path = next(iter(models)), text
        if name not in models or not path:
            raise UserError(f"--draft {text!r}: write MODEL=DIR, where MODEL is one of {', '.join(models)}")
        if name in table:
            raise UserError(f"--draft {text!r}: {name} has a draft model already; give one")
        table[name] = path
    return table
