"""The order of a corpus of many shards: every chunk once an epoch, by window, the same from any place."""

import json
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glmkit.core.errors import CorruptFile
from glmkit.core.types import IntArray
from glmkit.data.chunks import ChunkTable, ExampleSource, ObjectiveSchedule, cut
from glmkit.data.loader import pretraining_steps
from glmkit.data.order import WindowedSource, count_chunks
from glmkit.data.prepare import prepare
from glmkit.data.remote import open_corpus
from glmkit.data.shards import Corpus
from glmkit.data.steps import Step
from glmkit.data.store import StreamConfig
from glmkit.infill.corruption import TokenBlanks, Vocabulary
from glmkit.infill.position_schemes import TwoChannel
from glmkit.text.tokenizer import Tokenizer

WINDOW = 3


@pytest.fixture(scope="module")
def many(corpus: list[str], tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About ten shards."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(10):
        (folder / f"{number}.txt").write_text("\n\n".join(corpus[number * 12 : number * 12 + 7 + number % 3]))
    prepare([folder], tokenizer, folder / "data", part_bytes=1)
    return folder / "data"


@pytest.fixture(scope="module")
def template(many: Path, vocabulary: Vocabulary) -> ExampleSource:
    nothing = np.arange(0)
    return ExampleSource(
        shards=open_corpus(str(many), StreamConfig()).open(),
        table=ChunkTable(nothing, nothing, nothing),
        opening=(vocabulary.special.begin,),
        vocabulary=vocabulary,
        objective=TokenBlanks(),
        position_scheme=TwoChannel(),
        seed=3,
    )


def cutting(lengths: IntArray, prompts: IntArray, shard: int) -> ChunkTable:
    return cut(lengths, prompts, np.arange(len(lengths)), 40)


def windowed(corpus: Corpus, template: ExampleSource, window: int = WINDOW) -> WindowedSource:
    return WindowedSource(
        corpus=corpus,
        template=template,
        cutting=cutting,
        counts=count_chunks(corpus, cutting),
        window=window,
    )


@pytest.fixture
def source(many: Path, template: ExampleSource) -> WindowedSource:
    return windowed(open_corpus(str(many), StreamConfig()), template)


def test_chunks_are_numbered_as_those_of_the_whole_corpus(source: WindowedSource, template: ExampleSource) -> None:
    shards = template.shards
    whole = replace(template, table=cutting(shards.lengths, shards.prompts, 0))
    assert len(source) == len(whole)
    assert source.lengths.sum() == whole.lengths.sum()
    assert source.lengths.min() <= whole.lengths.min()
    for index in (0, 1, len(whole) // 2, len(whole) - 1):
        part, number = source.locate(index)
        assert part.chunk(number).tokens.tolist() == whole.chunk(index).tokens.tolist()
        assert source.lengths[index] == whole.lengths[index]
        (one,), (other,) = source([(2, index)]), whole([(2, index)])
        assert one.tokens.tolist() == other.tokens.tolist()
        assert one.targets.tolist() == other.targets.tolist()


@pytest.mark.parametrize("window", [1, 3, 4, 9])
def test_an_epoch_visits_every_chunk_once_a_window_at_a_time(
    source: WindowedSource, template: ExampleSource, window: int
) -> None:
    source = windowed(source.corpus, template, window)
    epochs = []
    for epoch in range(2):
        order = source.order(epoch)
        visits = [int(order[place]) for place in range(len(order))]
        assert sorted(visits) == list(range(len(source)))
        shards = [source.shard_of(index) for index in visits]
        seen: list[int] = []
        while shards:  # each window's shards are all there is until the window ends
            size = int(source.counts[list(dict.fromkeys(shards))[:window], 0].sum())
            now = set(shards[:size])
            assert len(now) <= window
            assert not now & set(shards[size:])
            seen += sorted(now)
            shards = shards[size:]
        assert sorted(seen) == list(range(len(source.counts)))
        epochs.append(visits)
    assert epochs[0] != epochs[1]


def test_the_place_of_a_chunk_is_the_inverse_of_the_order(source: WindowedSource) -> None:
    order = source.order(1)
    assert [order.place(int(order[place])) for place in range(len(order))] == list(range(len(order)))


def test_an_order_is_that_of_the_seed_and_the_epoch_alone(source: WindowedSource, template: ExampleSource) -> None:
    again = windowed(source.corpus, template)
    places = np.random.default_rng(0).permutation(len(source)).tolist()
    assert [int(again.order(1)[place]) for place in places] == [int(source.order(1)[place]) for place in places]
    other = windowed(source.corpus, replace(template, seed=4))
    assert any(other.order(1)[place] != source.order(1)[place] for place in places)


def steps(source: WindowedSource, count: int, state: dict[str, object] | None = None) -> list[Step]:
    wanted = iter(pretraining_steps(source, rows=4, micro_rows=4, seq_length=40, state=state))
    return [next(wanted) for _ in range(count)]


def test_training_goes_on_exactly_from_any_place(source: WindowedSource, template: ExampleSource) -> None:
    count = 2 * len(source) // 4
    alone = steps(source, count)
    planned = Counter(key for step in alone for key in step.examples)
    assert set(planned.values()) == {1}
    assert {index for epoch, index in planned if epoch == 0} == set(range(len(source)))
    for at in (1, count // 3, count // 2, count - 2):
        state = json.loads(json.dumps(alone[at].state))
        (gone_on,) = steps(windowed(source.corpus, template), 1, state)
        assert gone_on.examples == alone[at + 1].examples
        assert gone_on.state == alone[at + 1].state
        for one, other in zip(gone_on.batches, alone[at + 1].batches, strict=True):
            assert one.tokens.equal(other.tokens)  # type: ignore[attr-defined]


def test_chunks_of_far_shards_are_counted_once(many: Path, tmp_path: Path) -> None:
    corpus = open_corpus(f"file://{many}", StreamConfig(cache=str(tmp_path)))
    counts = count_chunks(corpus, cutting, "40")

    def refuse(lengths: IntArray, prompts: IntArray, shard: int) -> ChunkTable:
        raise AssertionError("counted again")

    assert count_chunks(corpus, refuse, "40").tolist() == counts.tolist()
    with pytest.raises(AssertionError, match="counted again"):
        count_chunks(corpus, refuse, "41")


def test_an_objective_that_changes_knows_how_far_the_epoch_is(source: WindowedSource) -> None:
    progress: list[float] = []

    def at(share: float) -> TokenBlanks:
        progress.append(share)
        return TokenBlanks()

    changing = replace(source, schedule=ObjectiveSchedule(at=at, epochs=1))
    order = changing.order(0)
    for place in range(len(order)):
        changing.draw(0, int(order[place]))
    assert progress == sorted(progress)
    assert progress[0] == 0
    assert progress[-1] > 0.9


def test_a_damaged_shard_is_named_when_it_is_read(many: Path, template: ExampleSource, tmp_path: Path) -> None:
    shutil.copytree(many, tmp_path / "data")
    content = bytearray((tmp_path / "data" / "00004.tokens").read_bytes())
    content[0] ^= 1
    (tmp_path / "data" / "00004.tokens").write_bytes(content)
    source = windowed(open_corpus(str(tmp_path / "data"), StreamConfig()), template)
    with pytest.raises(CorruptFile, match=r"00004\.tokens is damaged: SHA-256"):
        source([(0, source.first(4))])


SYNTHETIC = textwrap.dedent(
    """
    import os, sys, tracemalloc
    from pathlib import Path
    import numpy as np
    from glmkit.data.chunks import ChunkTable, ExampleSource, cut
    from glmkit.data.order import WindowedSource, count_chunks
    from glmkit.data.packing import Plan
    from glmkit.data.shards import Corpus, write_manifest
    from glmkit.data.store import LocalStore
    from glmkit.infill.corruption import TokenBlanks, Vocabulary
    from glmkit.infill.position_schemes import TwoChannel
    from glmkit.bench.pretrain import SPECIAL

    folder, count, tokens = Path(sys.argv[1]), int(sys.argv[2]), 1 << 27
    rng = np.random.default_rng(0)
    ends = np.sort(rng.choice(tokens, tokens // 1000, replace=False))
    ends[-1] = tokens
    index = np.stack([ends, np.zeros_like(ends)], axis=1).astype("<i8")
    (folder / "one.documents").write_bytes(index.tobytes())
    with open(folder / "one.tokens", "wb") as file:
        file.truncate(2 * tokens)  # nothing is stored of a file of zeros
    shards = []
    for number in range(count):
        for kind in ("tokens", "documents"):
            os.link(folder / f"one.{kind}", folder / f"{number:05d}.{kind}")
        shards.append({"name": f"{number:05d}", "documents": len(index), "tokens": tokens,
                       "bytes": [2 * tokens, index.nbytes], "sha256": ["0" * 64, "0" * 64]})
    tracemalloc.start()
    manifest = write_manifest(folder, np.dtype("<u2"), "", 30_000, shards, [])
    corpus = Corpus(LocalStore(folder, verify=False), manifest)
    cutting = lambda lengths, prompts, shard: cut(lengths, prompts, np.arange(len(lengths)), 512)
    nothing = np.arange(0)
    template = ExampleSource(
        shards=None, table=ChunkTable(nothing, nothing, nothing), opening=(SPECIAL.begin,),
        vocabulary=Vocabulary(special=SPECIAL, size=30_000, sentence_ends=np.zeros(30_000, dtype=bool)),
        objective=TokenBlanks(), position_scheme=TwoChannel(), seed=0,
    )
    source = WindowedSource(
        corpus=corpus, template=template, cutting=cutting, counts=count_chunks(corpus, cutting), window=8
    )
    index_bytes = tracemalloc.get_traced_memory()[0]
    for epoch, cursor in ((0, len(source) // 2), (1, len(source) - 3000)):  # the second goes on into another epoch
        plan = Plan(source.lengths, source.order, 256, 512, epoch=epoch, cursor=cursor)
        for _ in range(20):
            source([key for row in plan.next() for key in row])
    print(manifest["tokens"], len(source), index_bytes, tracemalloc.get_traced_memory()[1])
    """
)


@pytest.mark.parametrize("shards", [40, pytest.param(7451, marks=pytest.mark.slow)])
def test_the_index_of_a_trillion_tokens_is_small(tmp_path: Path, shards: int) -> None:
    """What this process allocates on the way, the files that are mapped into memory not counted."""
    done = subprocess.run(
        [sys.executable, "-c", SYNTHETIC, str(tmp_path), str(shards)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    tokens, chunks, index, peak = map(int, done.stdout.split())
    assert tokens == shards << 27
    assert chunks > tokens / 512
    assert index < 32e6
    assert peak < 200e6
