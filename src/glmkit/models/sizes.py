"""What the sizes of a model can be: beyond these no model was ever published, and none could be built by mistake."""

from collections.abc import Mapping

from glmkit.core.kinds import Kind, check, number, whole

LAYERS = whole(1, 10_000)
WIDTH = whole(1, 1 << 20)
HEADS = whole(1, 1 << 16)
ROWS = whole(1, 1 << 24)  # of a table with a row for each id
POSITIONS = whole(1, 1 << 30)
COUNT = whole(0, 1 << 20)  # of classes, or of a prefix
EPSILON = number(above=0, below=1)
DROPOUT = number(low=0, below=1)


def check_sizes(config: object, schema: Mapping[str, Kind]) -> None:
    """Raises UserError naming the first field of a config that is not of its kind."""
    for name, kind in schema.items():
        check(getattr(config, name), kind, name)
