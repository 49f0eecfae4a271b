"""The Chinese tasks. TNEWS, AFQMC, CLUEWSC and CMRC have the patterns of the original (THUDM/GLM), the other ones,
which it lacks, are ours."""

from glmkit.tasks import rows
from glmkit.tasks.pattern import pattern
from glmkit.tasks.task import Task

_TOPICS = (
    "故事",
    "文化",
    "娱乐",
    "体育",
    "金融",
    "居家",
    "汽车",
    "教育",
    "科技",
    "军事",
    "旅游",
    "世界",
    "股票",
    "农业",
    "游戏",
)
_SAME = {
    0: pattern("~{sentence1}|？|//|你是说|~{sentence2}|？|[MASK]|。", ("不是", "是")),
    1: pattern("~{sentence1}|？|//|[MASK]|，|~{sentence2}", ("不是", "是")),
}

_PRAISE = {  # of reviews: bad first, then good
    0: pattern("~{sentence}|总之|[MASK]|。", ("不好", "好")),
    1: pattern("感觉|[MASK]|。|~{sentence}", ("不好", "好")),
    2: pattern("~{sentence}|我|[MASK]|满意。", ("不", "很")),
}

CHINESE = (
    Task(
        name="tnews",
        labels=(
            "100",
            "101",
            "102",
            "103",
            "104",
            "106",
            "107",
            "108",
            "109",
            "110",
            "112",
            "113",
            "114",
            "115",
            "116",
        ),
        instances=rows.tnews,
        patterns={0: pattern("标题：|~{sentence}|关键词：|~{keywords}|类别：|[MASK]", _TOPICS)},
        pair=("{sentence}", "{keywords}"),
    ),
    Task(
        name="afqmc",
        labels=("0", "1"),
        instances=rows.same,
        patterns=_SAME,
        pair=("{sentence1}", "{sentence2}"),
    ),
    Task(
        name="bustm",
        labels=("0", "1"),
        instances=rows.same,
        patterns=_SAME,
        pair=("{sentence1}", "{sentence2}"),
    ),
    Task(
        name="cluewsc",
        labels=("false", "true"),
        instances=rows.cluewsc,
        patterns={
            0: pattern("[P]|~{text}|代词'*{pronoun}*'|[MASK]|指#{span}#.", ("不是", "是")),
            1: pattern("在如下的句子中：|~{text}|代词'*{pronoun}*'|[MASK]|指'#{span}#'.", ("不是", "是")),
        },
        pair=("{text}", "{span}"),
    ),
    Task(
        name="cmrc",
        instances=rows.squad,
        patterns={0: pattern("~{context}|请问，{question}|[MASK]|。", answer="{choice}")},
        match=True,
    ),
    Task(
        name="eprstmt",
        labels=("Negative", "Positive"),
        instances=rows.eprstmt,
        patterns=_PRAISE,
        pair=("{sentence}",),
    ),
    Task(
        name="chnsenticorp",
        labels=("0", "1"),
        instances=rows.chnsenticorp,
        patterns=_PRAISE,
        pair=("{sentence}",),
    ),
    Task(
        name="ocnli",
        labels=("contradiction", "entailment", "neutral"),
        instances=rows.ocnli,
        patterns={
            0: pattern("~{sentence1}|？|[MASK]|，|~{sentence2}", ("不是", "是", "可能")),
            1: pattern("~{sentence1}|所以|~{sentence2}|？|[MASK]|。", ("不是", "是", "可能")),
        },
        pair=("{sentence1}", "{sentence2}"),
    ),
    Task(
        name="csl",
        labels=("0", "1"),
        instances=rows.csl,
        patterns={
            0: pattern("摘要：|~{abstract}|关键词：|{keywords}|这些关键词|[MASK]|合适的。", ("不是", "是")),
            1: pattern("关键词：|{keywords}|[MASK]|以下摘要的关键词：|~{abstract}", ("不是", "是")),
        },
        pair=("{keywords}", "{abstract}"),
    ),
    Task(
        name="chid",
        instances=rows.chid,
        patterns={0: pattern("~{before}|[MASK]|~{after}", answer="{choice}")},
        pair=("{before}{choice}{after}",),
    ),
    Task(
        name="cmmlu",
        labels=("A", "B", "C", "D"),
        instances=rows.cmmlu,
        patterns={
            0: pattern("以下是关于{subject}的单项选择题。|~{question}| {options}|答案：|[MASK]", ("A", "B", "C", "D")),
        },
        pair=("{question}", "{options}"),
    ),
)
