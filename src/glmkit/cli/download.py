"""glmkit download NAME [--from hub|modelscope] [--output DIR]"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser
from glmkit.cli.invocation import trial


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "download",
        "Fetches a published model, and prints the directory it is in. After a break the same command goes on; files "
        "are compared with the checksums that the hub gives. Afterwards every command takes its id.",
        "glmkit download chatglm2-6b\n"
        "  glmkit download ZhipuAI/chatglm3-6b --from modelscope\n"
        "  glmkit download glm-10b-chinese --output models/glm-10b-chinese",
    )
    parser.add_argument("name", metavar="NAME", help="of a published model, or its id on the hub, OWNER/NAME")
    parser.add_argument(
        "--from",
        dest="hub",
        choices=("hub", "modelscope"),
        default="hub",
        help='the Hugging Face hub (pip install "glmkit[hub]"), or ModelScope ("glmkit[modelscope]")',
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where it goes; into the cache of the hub's own library otherwise"
    )
    options = parser.parse_args(arguments)
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # the libraries' bars, read when they are imported

    from glmkit.cli.progress import console
    from glmkit.families.download import fetch
    from glmkit.families.elsewhere import hub_id

    id = hub_id(options.name, options.hub)
    place = fetch(id, options.hub, options.output, lambda line: console.print(line, soft_wrap=True, markup=False))
    print(place)
    console.print(f"try: {trial(place, options.output or id)}", soft_wrap=True, markup=False)
