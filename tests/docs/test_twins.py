"""Every page has a twin in Chinese that says the same: as many headings and rows of tables, the same commands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(path for path in sorted(DOCS.rglob("*.md")) if not path.name.endswith(".zh.md")),
    ROOT / "README.md",
]
_COMMAND = re.compile(r"glmkit|python|pip|make|git|torchrun|curl|vllm|llama-server|echo|[A-Z_]+=\S+ glmkit|\. ")


def twin(page: Path) -> Path:
    return page.with_name(f"{page.stem}.zh.md")


def without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[int]:
    return [len(level) for level in re.findall(r"^(#+) ", without_fences(text), re.MULTILINE)]


def tables(text: str) -> list[int]:
    """The rows of each table."""
    return [len(table.splitlines()) for table in re.findall(r"(?:^\|.*\n)+", without_fences(text) + "\n", re.MULTILINE)]


def examples(text: str) -> list[str]:
    """Fenced examples, without remarks and what is said in strings of documentation."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return ["\n".join([language, *map(code, block.splitlines())]) for language, block in blocks]


def code(line: str) -> str:
    return re.sub(r'""".*"""', '"""', re.sub(r"(^|\s+)#\s.*$", "", line))


def commands(text: str) -> list[str]:
    """Indented commands, continued lines joined, without remarks behind them."""
    lines = re.findall(r"^    ((?:.*\\\n)*.*)$", without_fences(text), re.MULTILINE)
    joined = [re.sub(r"\s*\\\n\s*", " ", line) for line in lines if _COMMAND.match(line)]
    return [re.split(r"\s{3,}|\s+#", line)[0] for line in joined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_says_the_same_in_chinese(page: Path) -> None:
    english, chinese = page.read_text(encoding="utf-8"), twin(page).read_text(encoding="utf-8")
    assert headings(chinese) == headings(english)
    assert tables(chinese) == tables(english)
    assert examples(chinese) == examples(english)
    assert commands(chinese) == commands(english)
    assert len(re.findall(r"[一-鿿]", chinese)) > len(chinese) / 20  # it is Chinese


def test_no_twin_without_its_page() -> None:
    for path in DOCS.rglob("*.zh.md"):
        assert path.with_name(path.name.replace(".zh.md", ".md")).is_file(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_chinese_page_leads_to_chinese_pages(page: Path) -> None:
    """But for its own twin, and for CONTRIBUTING.md and the like."""
    chinese = twin(page)
    for link in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", chinese.read_text(encoding="utf-8")):
        target = (chinese.parent / link).resolve()
        assert target == page or target.name.endswith(".zh.md") or not twin(target).is_file(), link
