"""Every command of `glmkit`, in groups, and what the program says of them in English and in Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass

from glmkit.core.language import language_of_environment


@dataclass(frozen=True)
class Verb:
    """A command: its module in glmkit.cli, and what it does in a line of each language."""

    module: str
    english: str
    chinese: str


GROUPS: Mapping[tuple[str, str], Mapping[str, Verb]] = {
    ("train", "训练"): {
        "demo": Verb(
            "demo", "train a small model on the spot and watch it fill blanks", "现场训练一个小模型，看它填空"
        ),
        "tokenizer": Verb("tokenizer", "train a tokenizer on your text", "用自己的文本训练分词器"),
        "data": Verb(
            "data", "prepare text for training; look at training examples", "把文本准备成训练数据；查看训练样本"
        ),
        "pretrain": Verb("pretrain", "pretrain a model by blank infilling", "用自回归填空预训练模型"),
        "finetune": Verb("finetune", "train a model to answer a task", "在任务或对话上微调模型"),
        "compare": Verb(
            "compare", "put training runs side by side: curves and settings", "并排比较多次训练：曲线与配置"
        ),
    },
    ("use", "使用"): {
        "infill": Verb("infill", "fill the [MASK]s of a text", "填补文本中的 [MASK]"),
        "generate": Verb("generate", "continue a text", "续写文本"),
        "chat": Verb(
            "chat", "talk with a ChatGLM in the terminal, or through a pipe", "在终端里或通过管道与 ChatGLM 对话"
        ),
        "predict": Verb("predict", "labels and probabilities for the rows of a file", "给文件的每一行标签和概率"),
        "serve": Verb(
            "serve",
            "serve models over HTTP: OpenAI's API, filling of blanks, a page",
            "通过 HTTP 提供服务：OpenAI 接口、填空、网页",
        ),
    },
    ("models", "模型"): {
        "list": Verb("list", "the models on this machine", "列出本机的模型"),
        "download": Verb("download", "fetch a published model from a hub", "从 Hugging Face 或 ModelScope 下载模型"),
        "info": Verb("info", "say what a model directory holds", "说明模型目录里有什么"),
        "convert": Verb("convert", "write a model in another layout", "把模型转成另一种格式"),
        "quantize": Verb("quantize", "write a model in 8 or 4 bits", "把模型量化为 8 位或 4 位"),
        "merge": Verb("merge", "make a model and its adapter one plain model", "把模型和适配器合并为一个模型"),
    },
    ("measure", "测量"): {
        "eval": Verb("eval", "put a model to tasks and texts", "在任务和文本上评测模型"),
        "bench": Verb("bench", "measure speed against what this machine can do", "测量速度，并与本机的上限比较"),
        "env": Verb("env", "print versions and hardware, for a report", "打印版本和硬件信息，供报告问题时使用"),
        "completion": Verb("completion", "complete commands in bash, zsh or fish", "为 bash、zsh、fish 生成命令补全"),
    },
}
VERBS: Mapping[str, Verb] = {name: verb for verbs in GROUPS.values() for name, verb in verbs.items()}

_USAGE = (
    "usage: glmkit COMMAND ...   (glmkit COMMAND --help for its options and an example)",
    "用法：glmkit 命令 ...   （glmkit 命令 --help 显示选项和例子）",
)
_OPTIONS = {
    "--debug": ("show the traceback of an error", "出错时显示完整的调用栈"),
    "--version": ("print the version", "显示版本"),
}
_BEGIN = ("glmkit trains and runs the GLM family. Try first:", "glmkit 训练并运行 GLM 系列模型。先试试：")
_FIRST = {
    "glmkit demo": (
        "trains a small GLM in two minutes, without a download",
        "两分钟训练一个小 GLM，不用下载任何东西",
    ),
    'glmkit infill demo "Return the [MASK] of the list."': (
        "fills a blank with it",
        "用它填一个空",
    ),
    "glmkit download chatglm2-6b": ("fetches a published model, 12 GB", "下载一个已发布的模型，12 GB"),
    "glmkit chat zai-org/chatglm2-6b --quantize int4": ("talks with it", "和它对话"),
}


def is_chinese() -> bool:
    """Whether people want messages in Chinese."""
    return language_of_environment() == "zh"


def line_of(verb: str) -> str:
    """What a command does, in the language that is wanted."""
    return VERBS[verb].chinese if is_chinese() else VERBS[verb].english


def overview(*, first: bool = False) -> str:
    """Usage and every command in its group; `first`: below the commands that somebody new tries first."""
    language = int(is_chinese())
    lines = []
    if first:
        lines += [_BEGIN[language], ""]
        lines += [line for command, what in _FIRST.items() for line in (f"  {command}", f"      {what[language]}")]
        lines += [""]
    lines += [_USAGE[language]]
    width = max(map(len, VERBS))
    for title, verbs in GROUPS.items():
        lines += ["", title[language] + (":", "：")[language]]
        lines += [f"  {verb:<{width}}  {line_of(verb)}" for verb in verbs]
    lines += ["", *(f"  {flag:<{width}}  {what[language]}" for flag, what in _OPTIONS.items())]
    return "\n".join(lines)
