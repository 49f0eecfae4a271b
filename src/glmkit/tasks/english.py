"""The English tasks, with the patterns and words of the original (THUDM/GLM, tasks/superglue/pvp.py): data."""

from glmkit.tasks import rows
from glmkit.tasks.pattern import pattern
from glmkit.tasks.task import Task

_YES_NO = (" Yes", " No")
_NO_YES = (" No", " Yes")
_FALSE_TRUE = (" false", " true")
_ENTAILED = (
    '[P]|"|~{hypothesis:bare}|" ?|//|[P]|[MASK]|,|[P]| "|~{premise}|"',
    "[P]|~{hypothesis:bare}|?|//|[P]|[MASK]|,|[P]|~ {premise}",
    '[P]|"|~{hypothesis:bare}|" ?|//|[P]|[MASK]|. "|[P]|~{premise}|"',
    "[P]|~{hypothesis:bare}|?|//|[P]|[MASK]|.|[P]|~ {premise}",
)
_BOOLQ = (
    "[P]|~{passage}|[P]| Question:|~ {question}|? Answer:|[P]|[MASK]|.",
    "[P]|~{passage}| Based on the previous passage,|[P]|~ {question}|?|[P]|[MASK]|.",
    "Based on the following passage|[P]|~ {question}|?|[P]|[MASK]|.|[P]|~ {passage}",
)
_PASSAGE, _COPA = "~{passage:trim:bare}", "{choice1:lower:bare}"
_COPA_ANSWER = " {choice:lower:bare}"

SUPERGLUE = (
    Task(
        name="copa",
        instances=rows.copa,
        patterns={
            0: pattern(
                f'[P]|"|{_COPA}|" or "|{{choice2:lower:bare}}|"?|[P]|~ {{premise:bare}}|{{joiner}}|[P]|[MASK]|.',
                answer=_COPA_ANSWER,
            ),
            1: pattern(
                f"[P]|{_COPA}| or| {{choice2:lower:bare}}|?|[P]|~ {{premise:bare}}|{{joiner}}|[P]|[MASK]|.",
                answer=_COPA_ANSWER,
            ),
            # As the original writes it without continuous prompts, and (3) with them.
            2: pattern(
                f'"|{_COPA}|" or "|{{choice2:lower:bare}}|"?|~{{premise:bare}}|[MASK]| {{choice:lower:bare}}',
                answer=" {link}",
            ),
            3: pattern(
                f'[P]|"|{_COPA}|" or "|{{choice2:lower:bare}}|"|[P]|~ {{premise:bare}}|{{joiner}}|[MASK]|.|[P]',
                answer=_COPA_ANSWER,
            ),
        },
        pair=("{premise} {link}", "{choice}"),
    ),
    Task(
        name="cb",
        labels=("entailment", "contradiction", "neutral"),
        instances=rows.entailment,
        patterns={number: pattern(parts, (" Yes", " No", " Maybe")) for number, parts in enumerate(_ENTAILED)}
        | {
            4: pattern(
                "[P]|~{premise}|[P]| question:|~ {hypothesis}| true, false or neither?|[P]| answer:|[MASK]",
                (" true", " false", " neither"),
            )
        },
        pattern=3,
        metrics=("accuracy", "macro_f1"),
        pair=("{premise}", "{hypothesis}"),
    ),
    Task(
        name="rte",
        labels=("entailment", "not_entailment"),
        instances=rows.entailment,
        patterns={number: pattern(parts, _YES_NO) for number, parts in enumerate(_ENTAILED)}
        | {
            4: pattern(
                "[P]|~{premise}|[P]| question:|~ {hypothesis:bare}| True or False?|[P]| answer:|[MASK]",
                (" true", " false"),
            )
        },
        pair=("{premise}", "{hypothesis}"),
    ),
    Task(
        name="boolq",
        labels=("false", "true"),
        instances=rows.boolq,
        patterns={number: pattern(_BOOLQ[number // 2], _FALSE_TRUE if number % 2 else _NO_YES) for number in range(6)},
        pattern=4,
        pair=("{passage}", "{question}"),
    ),
    Task(
        name="wic",
        labels=("false", "true"),
        instances=rows.wic,
        patterns={
            0: pattern('[P]|~"{sentence1}" / "{sentence2}"|[P]| Similar sense of "{word}"?|[P]|[MASK]|.', _NO_YES),
            1: pattern(
                "~{sentence1}|[P]|~ {sentence2}|[P]| Does {word} have the same meaning in both sentences?|[P]|[MASK]",
                _NO_YES,
            ),
            2: pattern('[P]|{word}| .|[P]| Sense (1) (a) "|~{sentence1}|"|[P]| (|[MASK]|) "|{sentence2}|"', ("2", "b")),
        },
        pattern=1,
        pair=("{word}: {sentence1}", "{sentence2}"),
    ),
    Task(
        name="wsc",
        labels=("False", "True"),
        instances=rows.wsc,
        patterns={
            0: pattern("[P]|~{text}|[P]| The pronoun '*{pronoun}*' refers to|[P]|[MASK]|."),
            1: pattern("[P]|~{text}|[P]| In the previous sentence, the pronoun '*{pronoun}*' refers to|[P]|[MASK]|."),
            2: pattern(
                "[P]|~{text}|[P]| Question: In the passage above, what does the pronoun '*{pronoun}*' refer to?"
                "|[P]| Answer:|[MASK]|."
            ),
        },
        pattern=2,
        pair=("{text}", "{span}"),
        match=True,
    ),
    Task(
        name="multirc",
        labels=("0", "1"),
        instances=rows.multirc,
        patterns={
            0: pattern(
                f"{_PASSAGE}|.|[P]| Question:| {{question:trim:bare}}?|[P]| Is it| {{answer}}|?|[P]|[MASK]|.", _NO_YES
            ),
            1: pattern(
                f"{_PASSAGE}|.|[P]| Question:| {{question:trim:bare}}|?|[P]"
                '| Is the correct answer "|{answer}|"?|[P]|[MASK]|.',
                _NO_YES,
            ),
            2: pattern(
                f"{_PASSAGE}|. Based on the previous passage,|[P]| {{question:trim:bare}}|?|[P]"
                '| Is "|{answer}|" a correct answer?|[P]|[MASK]|.',
                _NO_YES,
            ),
            3: pattern(f"[P]|{_PASSAGE}|[P]| {{question:trim:bare}}|- [|[MASK]|]|[P]|{{answer}}", (" False", " True")),
            4: pattern(
                f"{_PASSAGE}|.|[P]| Question:| {{question:trim:bare}}|?|[P]| {{answer}}|?|[P]|[MASK]|.", _NO_YES
            ),
        },
        metrics=("f1a", "em", "accuracy"),
        pair=("{passage}", "{question} answer: {answer}"),
    ),
    Task(
        name="record",
        instances=rows.record,
        patterns={0: pattern("~{passage}| {before:trim}|[MASK]|{after}")},
        metrics=("qa_em", "qa_f1"),
        pair=("{passage}", "{query} {choice}"),
    ),
)

_NEWS = (
    "[MASK]|:|~{title}|~{body}",
    "[MASK]| News:|~{title}|~{body}",
    "~{title}|(|[MASK]|)|~{body}",
    "~{title}|~{body}|(|[MASK]|)",
    "[ Category:|[MASK]|]|~{title}|~{body}",
    "[MASK]|-|~{title}|~{body}",
)
_QUESTION = (_NEWS[0], "[MASK]| Question:|~{title}|~{body}", *_NEWS[2:])
_YELP = (
    "It was|[MASK]|.|~{text}",
    "~{text}|. All in all, it was|[MASK]|.",
    "Just|[MASK]|!|//|~{text}",
    "~{text}|//| In summary, the restaurant is|[MASK]|.",
)
_TOPICS = (
    *(" Society", " Science", " Health", " Education", " Computer"),
    *(" Sports", " Business", " Entertainment", " Relationship", " Politics"),
)
_STANCE = ('"|~{question}|"|//|[MASK]|. "|~{comment}|"', "~{question}|//|[MASK]|.|~{comment}")

OTHERS = (
    Task(
        name="mnli",
        labels=("contradiction", "entailment", "neutral"),
        instances=rows.mnli,
        patterns={
            number: pattern(
                ('"|~{premise:bare}|" ?|//|[MASK]|, "|~{hypothesis}|"', "~{premise:bare}|?|//|[MASK]|,|~{hypothesis}")[
                    number % 2
                ],
                (" Wrong", " Right", " Maybe") if number < 2 else (" No", " Yes", " Maybe"),
            )
            for number in range(4)
        },
        pair=("{premise}", "{hypothesis}"),
    ),
    Task(
        name="qnli",
        labels=("entailment", "not_entailment"),
        instances=rows.qnli,
        patterns={
            0: pattern(
                "~{passage}| Question:|~ {question:bare}|? Do you know the answer?|[MASK]|.",
                _YES_NO,
            ),
            1: pattern(
                "~{passage}| Based on the previous passage, do you know the answer|~ {question:bare}|?|[MASK]|.",
                _YES_NO,
            ),
            2: pattern(
                "Based on the following passage, do you know the answer|~ {question:bare}|?|[MASK]|.|~ {passage}",
                _YES_NO,
            ),
        },
        pair=("{question}", "{passage}"),
    ),
    Task(
        name="qqp",
        labels=("0", "1"),
        instances=rows.qqp,
        patterns={
            0: pattern("~{text1}|//| Do you mean |~{text2:lower}|[MASK]|.", _NO_YES),
            1: pattern("~{text1}|//|[MASK]|, |~{text2:lower}", _NO_YES),
        },
        pair=("{text1}", "{text2}"),
    ),
    Task(
        name="mrpc",
        labels=("0", "1"),
        instances=rows.mrpc,
        patterns={
            0: pattern("~{text1}|//|[MASK]|, |~{text2:lower}", _NO_YES),
            1: pattern("~{text1}|//| Does it mean that|~{text2:lower:bare}|?|[MASK]", _NO_YES),
        },
        pair=("{text1}", "{text2}"),
    ),
    Task(
        name="sst2",
        labels=("0", "1"),
        instances=rows.sst2,
        patterns={
            0: pattern("~{text}| It was|[MASK]|.", (" terrible", " great")),
            1: pattern("~{text}| It was|[MASK]|.", (" bad", " good")),
        },
        pair=("{text}",),
    ),
    Task(
        name="cola",
        labels=("0", "1"),
        instances=rows.cola,
        patterns={0: pattern('"|~{text}|"| This is|[MASK]|.', (" incorrect", " correct"))},
        pair=("{text}",),
    ),
    Task(
        name="agnews",
        labels=("1", "2", "3", "4"),
        instances=rows.agnews,
        patterns={
            number: pattern(parts, (" World", " Sports", " Business", " Tech")) for number, parts in enumerate(_NEWS)
        },
        pair=("{title}", "{body}"),
    ),
    Task(
        name="yahoo",
        labels=tuple(map(str, range(1, 11))),
        instances=rows.yahoo,
        patterns={number: pattern(parts, _TOPICS) for number, parts in enumerate(_QUESTION)},
        pair=("{title}", "{body}"),
    ),
    Task(
        name="yelp-polarity",
        labels=("1", "2"),
        instances=rows.yelp,
        patterns={number: pattern(parts, (" bad", " good")) for number, parts in enumerate(_YELP)},
        pair=("{text}",),
    ),
    Task(
        name="yelp-full",
        labels=("1", "2", "3", "4", "5"),
        instances=rows.yelp,
        patterns={
            number: pattern(parts, (" terrible", " bad", " okay", " good", " great"))
            for number, parts in enumerate(_YELP)
        },
        pair=("{text}",),
    ),
    Task(
        name="xstance",
        labels=("FAVOR", "AGAINST"),
        instances=rows.xstance,
        patterns={
            number: pattern(_STANCE[number % 2], (("Ja", "Nein"), ("Yes", "No"), ("Oui", "Non"))[number // 2])
            for number in range(6)
        },
        pattern=2,
        pair=("{question}", "{comment}"),
    ),
    Task(
        name="race",
        instances=rows.race,
        patterns={
            0: pattern("~{passage}|//| Question:|~ {question}| Answer:|[MASK]"),
            1: pattern("~{passage}|//| Based on the previous passage,|~ {question}|[MASK]"),
        },
        forms={
            "blank": {
                0: pattern("~{passage}|//|~ {before:trim}|[MASK]|~{after}"),
                1: pattern("~{passage}|//| Based on the previous passage,|~{before_lower}|[MASK]|~{after}"),
            }
        },
        pair=("{passage}", "{question} {choice}"),
    ),
    Task(
        name="squad",
        instances=rows.squad,
        patterns={0: pattern("~{context}| {question}|[MASK]|.")},
        match=True,
        metrics=("accuracy",),
    ),
)
