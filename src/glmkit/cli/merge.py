"""glmkit merge ADAPTER OUTPUT"""

from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser
from glmkit.cli.invocation import trial
from glmkit.cli.loading import add_source, source


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "merge",
        "Writes a model and its adapter as one plain model, after comparing the logits of both in float32.",
        "glmkit merge runs/advert chatglm2-6b-advert",
    )
    parser.add_argument("adapter", type=Path, help="an adapter, or the run that trained it")
    parser.add_argument("output", type=Path, help="the directory to write")
    parser.add_argument(
        "--base", type=Path, metavar="DIR", help="the model, where the adapter does not name it; also --model"
    )
    add_source(parser)
    options = parser.parse_args(arguments)
    if options.base is None and options.published and Path(options.published).is_dir():  # --model DIR
        options.base, options.published = Path(options.published), None
    given = source(options)

    from glmkit.api.merge import merge
    from glmkit.cli.progress import console

    difference = merge(options.adapter, options.output, options.base, **given.pop("options"), **given)
    console.print(f"model in {options.output}; its logits differ by at most {difference:.1g}", soft_wrap=True)
    console.print(f"try: {trial(options.output)}", soft_wrap=True, markup=False)
