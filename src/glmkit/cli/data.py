"""glmkit data prepare, glmkit data join, glmkit data show"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser, add_longest, natural, positive, say_longest
from glmkit.cli.invocation import again
from glmkit.core.errors import UserError, counted, nearest
from glmkit.core.json_types import JsonObject


def main(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(
            "usage: glmkit data prepare | join | show ...   (--help after any of them for its options)\n\n"
            "example:\n  glmkit data prepare prepared books/ --tokenizer tok\n  glmkit data show prepared --index 3"
        )
        return
    if arguments[0] not in COMMANDS:
        raise UserError(f"unknown command 'data {arguments[0]}'{nearest(arguments[0], COMMANDS)}")
    COMMANDS[arguments[0]](arguments[1:])


def _prepare(arguments: Sequence[str]) -> None:
    parser = Parser(
        "data prepare",
        "Turns text files into memory-mapped shards of token ids.\n"
        "Reads .txt, .jsonl ({'text': ..., 'prompt': ...}; a prompt is never blanked) and .parquet,\n"
        "each also .gz or .zst.",
        "glmkit data prepare prepared books/ extra.jsonl.gz --tokenizer tok --split blank-line",
    )
    parser.add_argument("output", type=Path, help="the directory to write")
    parser.add_argument("input", type=Path, nargs="+", help="files, or directories of them")
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="DIR", help="a tokenizer or a model")
    parser.add_argument(
        "--split", choices=("blank-line", "line", "file"), default="blank-line", help="what ends a document in .txt"
    )
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument(
        "--part",
        type=_turn,
        metavar="I/N",
        help="of N machines that share the output's file system do what is the turn of number I, from 0 on; "
        "`glmkit data join` makes one of them",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: by the nodes of the Ray cluster that RAY_ADDRESS names, which share the files",
    )
    add_longest(parser)
    options = parser.parse_args(arguments)

    from glmkit.cli.progress import reading
    from glmkit.data.cluster import prepare_on_ray
    from glmkit.data.parts import encode_part, job_of
    from glmkit.data.prepare import Encoding, prepare
    from glmkit.data.sources import find_files
    from glmkit.families.hub import local
    from glmkit.families.load import tokenizer_of

    tokenizer = tokenizer_of(local(options.tokenizer))
    longest = options.longest << 20
    encoding = Encoding(split=options.split, longest=longest)
    if options.engine == "ray":
        if options.part:
            raise UserError("--part is for machines that know nothing of each other: leave it out with --engine ray")
        job = job_of(options.input, tokenizer, options.output, encoding)
        total = sum(map(job.bytes, range(len(job.parts))))
        with say_longest(), reading(total, "tokenizing") as on_bytes:
            manifest = prepare_on_ray(job, on_bytes)
        _say(manifest, options.output)
        return
    if options.part:
        turn, machines = options.part
        job = job_of(options.input, tokenizer, options.output, encoding)
        mine = range(turn, len(job.parts), machines)
        total = sum(map(job.bytes, mine))
        with say_longest(), reading(total, "tokenizing") as on_bytes:
            for number in mine:
                encode_part(job, number, workers=options.workers, on_bytes=on_bytes)
        fewer = f", fewer than the {machines} machines (a part has 1 GiB)" if len(job.parts) < machines else ""
        parts = counted(len(job.parts), "part") + fewer
        print(f"{len(mine)} of {parts}; when all are there: glmkit data join {options.output}")
        return
    total = sum(file.stat().st_size for file in find_files(options.input))
    with say_longest(), reading(total, "tokenizing") as on_bytes:
        manifest = prepare(
            options.input,
            tokenizer,
            options.output,
            split=options.split,
            workers=options.workers,
            longest=longest,
            on_bytes=on_bytes,
        )
    _say(manifest, options.output)


def _turn(value: str) -> tuple[int, int]:
    """ "3/8" as two numbers."""
    turn, _, machines = value.partition("/")
    if not (turn.isdecimal() and machines.isdecimal() and int(turn) < int(machines)):
        raise argparse.ArgumentTypeError(f"{value!r} is none of 0/N to N-1/N, such as 0/8")
    return int(turn), int(machines)


def _join(arguments: Sequence[str]) -> None:
    parser = Parser(
        "data join",
        "Makes one directory of the parts that several machines prepared with `glmkit data prepare --part`:\n"
        "byte by byte what one machine would have written. The parts are removed.",
        "glmkit data join prepared",
    )
    parser.add_argument("output", type=Path, help="the directory to write, as it was given to prepare")
    options = parser.parse_args(arguments)

    from glmkit.data.parts import join_parts

    _say(join_parts(options.output), options.output)


def _say(manifest: JsonObject, output: Path) -> None:
    from glmkit.cli.progress import console

    shards, documents = len(manifest["shards"]), manifest["documents"]
    console.print(
        f"{documents:,} {'document' if documents == 1 else 'documents'}, {manifest['tokens']:,} tokens, "
        f"{shards} {'shard' if shards == 1 else 'shards'} in {output}"
    )
    console.print(
        f"try: {again('data', 'show', output)}; {again('pretrain', 'glm-nano', f'data={output}', 'output=runs/nano')}",
        soft_wrap=True,
        markup=False,
    )


def _show(arguments: Sequence[str]) -> None:
    parser = Parser(
        "data show",
        "Prints a training example: the text with its blanks, tokens, targets and positions; draws its attention mask.",
        "glmkit data show prepared --index 3 --objective token --seq-length 64 --mask mask.png",
    )
    parser.add_argument("source", help="prepared data, or a run (then exactly its examples)")
    parser.add_argument("--index", type=natural, default=0, metavar="N", help="which chunk of text")
    parser.add_argument("--epoch", type=natural, default=0, metavar="N", help="which reading of it: its blanks differ")
    own = parser.add_argument_group("of prepared data; a run has its own")
    own.add_argument("--objective", help="token (unless given), sentence, document, single, masked_lm, causal, infill")
    own.add_argument(
        "--preset", "--model", metavar="NAME", help="sizes whose family reads it: glm-nano unless given, chatglm2-nano"
    )
    own.add_argument("--seq-length", type=positive, metavar="N", help="128 unless given")
    own.add_argument("--seed", type=natural, metavar="N", help="0 unless given")
    parser.add_argument("--mask", type=Path, metavar="PNG", help="draw the attention mask into this file")
    options = parser.parse_args(arguments)

    from rich.console import Console

    from glmkit.families.directory import RUN
    from glmkit.families.registry import family_of, preset
    from glmkit.finetuning.show import is_finetuning, of_run
    from glmkit.infill.corruption import write_out
    from glmkit.infill.mask_picture import draw_mask
    from glmkit.infill.mixture import CAUSAL_SHARES, SHARES, ObjectiveConfig
    from glmkit.infill.position_schemes import example
    from glmkit.infill.show import Shown
    from glmkit.train.config import PretrainConfig
    from glmkit.train.pretrain import config_of
    from glmkit.train.text import open_text

    if options.mask and options.mask.suffix != ".png":
        raise UserError(f"--mask {options.mask}: the picture is a PNG; give it a name that ends in .png")
    if (Path(options.source) / RUN).is_file():
        for name in ("objective", "preset", "seq_length", "seed"):
            if getattr(options, name) is not None:
                raise UserError(
                    f"{options.source} is a run and has its own {name}: leave out --{name.replace('_', '-')}"
                )
    if is_finetuning(Path(options.source)):
        if options.mask or options.epoch:
            raise UserError(
                f"{options.source} is a fine-tuning run, whose rows have no blanks drawn: use --index alone"
            )
        print("\n".join(of_run(Path(options.source), options.index)))
        return
    sizes = preset(options.preset or "glm-nano")
    spec = family_of(sizes)
    objective = options.objective or ("token" if spec.prompt.bidirectional else "causal")
    learned = SHARES if spec.prompt.bidirectional else CAUSAL_SHARES
    if objective not in learned:
        raise UserError(f"unknown objective {objective!r} of a {spec.name}{nearest(objective, learned)}")
    if (Path(options.source) / RUN).is_file():
        config = config_of(Path(options.source))
    else:
        shares: JsonObject = {name: float(name == objective) for name in SHARES}
        config = PretrainConfig(
            data=options.source,
            model=sizes,
            objective=ObjectiveConfig(**shares),
            seq_length=options.seq_length or 128,
            seed=options.seed or 0,
            validation=0,
        )
    text = open_text(config)
    source = text.training
    if options.index >= len(source):
        raise UserError(f"--index {options.index}: there are {len(source)} chunks, numbered from 0")
    (layout,) = write_out([source.draw(options.epoch, options.index)], source.vocabulary.special)
    shown = example(layout, source.position_scheme)
    console = Console(highlight=False)
    console.print(source.origin(options.index), markup=False)
    console.print(Shown(layout, shown, text.tokenizer, text.tokenizer.special.eop))
    if options.mask:
        note = draw_mask(layout, shown, options.mask, text.tokenizer)
        print(f"mask in {options.mask}" + (f"; {note}" if note else ""))


COMMANDS = {"prepare": _prepare, "join": _join, "show": _show}
