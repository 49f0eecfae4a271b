"""Writes what mkdocs builds the site of, into build/pages: python docs/stage.py

The pages of docs/; the help of every command; and the files elsewhere in the repository that pages link to, under
source/, with links that fit. What the pages say is not changed, but for links to the page's other language, which the
site has a selector for.
"""

import contextlib
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS, PAGES = ROOT / "docs", ROOT / "build/pages"
ALWAYS = ("CONTRIBUTING.md", "CHANGELOG.md")  # in the navigation
_LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")
_OTHER_LANGUAGE = re.compile(r" *\[(?:中文|English)\]\([^)]*\)[。.]?")
# A line broken between two Chinese characters, which would be shown as a space.
_BROKEN_LINE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n {0,3}(?=[\u3000-\u9fff\uff00-\uffef])")
_HEADS = {
    "en": "# Commands\n\nWhat `--help` prints, of every command. Keys of a training run are listed by its recipe.\n",
    "zh": "# 命令\n\n各命令 `--help` 的输出。训练的各个键由配方列出。\n",
}


def main() -> None:
    if len(sys.argv) > 1:
        print(commands(sys.argv[1]))
        return
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(DOCS, PAGES, ignore=shutil.ignore_patterns("__pycache__", "stage.py"))
    elsewhere = linked()
    for path in elsewhere:
        target = PAGES / _on_site(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_file():
            shutil.copy(ROOT / path, target)
        else:
            names = [f"* [{name}]({name})\n" for name in sorted(item.name for item in (ROOT / path).iterdir())]
            target.write_text(f"# {path}\n\n{''.join(names)}", encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        place = PAGES / page.relative_to(DOCS)
        place.write_text(_with_links(page, place), encoding="utf-8")
    for path in (path for path in elsewhere if path.endswith(".md")):
        place = PAGES / _on_site(path)
        text = _with_links(ROOT / path, place)
        place.write_text(text, encoding="utf-8")
        # Among Chinese pages it is in English still, whose headings are not theirs.
        place.with_suffix(".zh.md").write_text(re.sub(r"(\]\([^)#:]+\.md)#[^)]*", r"\1", text), encoding="utf-8")
    for language, name in (("en", "commands.md"), ("zh", "commands.zh.md")):
        # A process each: which language help is in is decided once.
        environment = os.environ | {"COLUMNS": "96", "LANG": "zh_CN.UTF-8" if language == "zh" else "C.UTF-8"}
        environment.pop("LC_ALL", None)
        command = [sys.executable, __file__, language]
        printed = subprocess.run(
            command, env=environment, capture_output=True, text=True, encoding="utf-8", check=True
        ).stdout
        (PAGES / "reference" / name).write_text(printed, encoding="utf-8")


def linked() -> list[str]:
    """Files and folders outside docs/ that pages link to, directly or through such files; of a folder its files too."""
    found = set(ALWAYS)
    pages = [*DOCS.rglob("*.md"), *(ROOT / name for name in ALWAYS)]
    while pages:
        page = pages.pop()
        for link in _LINK.findall(page.read_text(encoding="utf-8")):
            path = _in_repository(page.parent, link)
            if path is None or path.startswith(("docs/", "README")) or path in found:
                continue
            found.add(path)
            found.update(item.relative_to(ROOT).as_posix() for item in (ROOT / path).glob("*") if item.is_file())
            if path.endswith(".md"):
                pages.append(ROOT / path)
    return sorted(found)


def commands(language: str) -> str:
    """The page of all commands, with the help of this process's language."""
    from glmkit.cli.verbs import VERBS

    pages = [_HEADS[language]]
    for verb in VERBS:
        for command in (*_with_subcommands(verb), *([("pretrain", "glm-mini")] if verb == "pretrain" else [])):
            pages.append(f"## glmkit {' '.join(command)}\n\n```text\n{_help(*command)}\n```\n")
    return "\n".join(pages)


def _with_links(page: Path, place: Path) -> str:
    def relative(match: re.Match[str]) -> str:
        path = _in_repository(page.parent, match[1])
        return match[1] if path is None else Path(os.path.relpath(PAGES / _on_site(path), place.parent)).as_posix()

    text = _LINK.sub(relative, _OTHER_LANGUAGE.sub("", page.read_text(encoding="utf-8")))
    return _BROKEN_LINE.sub("", text)


def _in_repository(folder: Path, link: str) -> str | None:
    """A link's file or folder, from the root of the repository; None where it leads to nothing of it."""
    path = Path(os.path.normpath(folder / link))
    return path.relative_to(ROOT).as_posix() if path.exists() and path.is_relative_to(ROOT) else None


def _on_site(path: str) -> str:
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path in ("README.md", "README.zh.md"):
        return path.replace("README", "index")
    return f"source/{path}/index.md" if (ROOT / path).is_dir() else f"source/{path}"


def _with_subcommands(verb: str) -> list[tuple[str, ...]]:
    """A command, or those that stand behind its name."""
    from glmkit.cli.verbs import VERBS

    commands = getattr(importlib.import_module(f"glmkit.cli.{VERBS[verb].module}"), "COMMANDS", ())
    return [(verb, name) for name in commands] or [(verb,)]


def _help(*command: str) -> str:
    from glmkit.cli.main import main as glmkit

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = glmkit([*command, "--help"])
    assert code == 0, f"glmkit {' '.join(command)} --help ended with {code}"
    return printed.getvalue().rstrip()


if __name__ == "__main__":
    main()
