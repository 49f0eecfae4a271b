"""glmkit info PATH"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from glmkit.cli.arguments import Parser
from glmkit.cli.loading import add_source, source
from glmkit.core.json_types import Table


def main(arguments: Sequence[str]) -> None:
    parser = Parser(
        "info",
        "Says what a model directory holds, and what is missing; reads no weights.",
        "glmkit info THUDM/glm-2b --keys",
    )
    parser.add_argument("path", type=Path, help="a model directory of any known layout, or a training run")
    parser.add_argument("--keys", action="store_true", help="also each weight: our name, shape, type, and theirs")
    parser.add_argument("--verify", action="store_true", help="compare every file with its checksum (native layout)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_source(parser)
    options = parser.parse_args(arguments)

    from glmkit.families.adapter import refuse_adapter
    from glmkit.families.inspect import inspect, keys

    refuse_adapter(options.path)
    facts = inspect(options.path, verify=options.verify, **source(options))
    if options.keys:
        facts["keys"] = keys(options.path, **source(options))
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=1))
    else:
        for line in _lines(facts):
            print(line)


def _lines(facts: Table) -> list[str]:
    tokenizer = facts["tokenizer"]
    lines = [
        f"{facts['path']}: family {facts['family']}, layout {facts['layout']}",
        f"parameters  {facts['parameters']:,}",
        "weights     " + ", ".join(f"{size / 2**20:,.1f} MiB {name}" for name, size in facts["bytes"].items()),
        "config      " + "  ".join(f"{key}={value}" for key, value in _leaves(facts["config"])),
    ]
    for name, quirk in (facts["published"] or {}).items():
        lines.append(f"published   {name}" + (f": {quirk}" if quirk else ""))
    if facts["model"]:
        evidence = "; ".join(facts["model"]["evidence"]) or "nothing in the directory says which"
        lines.append(f"model       {facts['model']['name'] or 'unknown'} ({evidence})")
    if tokenizer:
        special = {text: id for text, id in tokenizer["special"].items() if not text.startswith("<spare_")}
        chat = f", conversations as {tokenizer['chat']}'s" if tokenizer["chat"] else ""
        spare = [id for text, id in tokenizer["special"].items() if text not in special]
        shown = [f"{text} {id}" for text, id in special.items()]
        shown += [f"{len(spare)} spare, {spare[0]}-{spare[-1]}"] if spare else []
        lines += [f"tokenizer   {tokenizer['kind']}, {tokenizer['ids']:,} ids{chat}", f"special     {'  '.join(shown)}"]
    lines += [f"file        {name}  {size:,} bytes" for name, size in facts["files"].items()]
    lines += [f"not used    {key}: {reason}" for key, reason in facts["ignored"].items()]
    lines += [f"missing     {what}" for what in facts["missing"]]
    for row in facts.get("keys", ()):
        packing = "" if row["packing"] == "same" else f"  ({row['packing']})"
        lines.append(f"key         {row['name']}  {row['shape']} {row['dtype']}  <- {', '.join(row['keys'])}{packing}")
    return lines


def _leaves(table: Table) -> Iterator[tuple[str, object]]:
    """The values of a table, those of a table in it under dotted keys."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", part) for inner, part in _leaves(value))
        else:
            yield key, value
