"""The functions of the compiled library and their arguments, as native/native.cpp declares them.

They are called by the names written here alone: mypy reads the call sites, ctypes takes the types and the order from
the same lines, and a test compares them with the C++.
"""

import ctypes
import inspect
from types import SimpleNamespace
from typing import Annotated, Protocol, cast, get_type_hints

Pointer = Annotated[int | None, ctypes.c_void_p]  # an address; None is null
Text = Annotated[bytes, ctypes.c_char_p]
Int = Annotated[int, ctypes.c_int]
Long = Annotated[int, ctypes.c_int64]
Size = Annotated[int, ctypes.c_uint64]
Float = Annotated[float, ctypes.c_float]


class Functions(Protocol):
    """Each is `glmkit_` and its name there, where a comment says what it computes."""

    def isas(self) -> Text: ...

    def choose(self, *, name: Text) -> Int: ...

    def threads(self, *, parallel: Pointer) -> None: ...

    def pack(
        self,
        *,
        integers: Pointer,
        scales: Pointer,
        zeros: Pointer,
        bits: Int,
        rows: Long,
        columns: Long,
        group: Long,
        to: Pointer,
        threads: Int,
    ) -> None: ...

    def linear(
        self,
        *,
        tile_blocks: Pointer,
        zeros: Int,
        bits: Int,
        rows: Long,
        columns: Long,
        group: Long,
        block: Long,
        x: Pointer,
        kind: Int,
        m: Long,
        bias: Pointer,
        y: Pointer,
        threads: Int,
    ) -> None: ...

    def linear_fp16(
        self,
        *,
        w: Pointer,
        kind: Int,
        rows: Long,
        columns: Long,
        x: Pointer,
        m: Long,
        bias: Pointer,
        y: Pointer,
        threads: Int,
    ) -> None: ...

    def rms_norm(
        self, *, x: Pointer, weight: Pointer, epsilon: Float, rows: Long, columns: Long, y: Pointer, threads: Int
    ) -> None: ...

    def swiglu(self, *, x: Pointer, rows: Long, inner: Long, y: Pointer, threads: Int) -> None: ...

    def apply_rope(
        self,
        *,
        x: Pointer,
        apart: Long,
        cos: Pointer,
        sin: Pointer,
        tokens: Long,
        heads: Long,
        size: Long,
        pairs: Long,
        y: Pointer,
        threads: Int,
    ) -> None: ...

    def dropout(
        self,
        *,
        x: Pointer,
        kind: Int,
        seed: Size,
        count: Long,
        below: Long,
        scale: Float,
        y: Pointer,
        threads: Int,
    ) -> None: ...

    def gelu(self, *, x: Pointer, gradients: Pointer, count: Long, y: Pointer, threads: Int) -> None: ...

    def attention_grad(
        self,
        *,
        scores: Pointer,
        gradients: Pointer,
        bias: Pointer,
        apart: Long,
        together: Long,
        matrices: Long,
        queries: Long,
        keys: Long,
        causal: Int,
        scale: Float,
        shift: Float,
        threads: Int,
    ) -> None: ...

    def fused_decode(
        self,
        *,
        blocks: Pointer,
        count: Long,
        architecture: Pointer,
        x: Pointer,
        m: Long,
        cos: Pointer,
        sin: Pointer,
        threads: Int,
    ) -> None: ...

    def attend_rows(
        self,
        *,
        kind: Int,
        rows: Pointer,
        tokens: Long,
        q: Pointer,
        k: Pointer,
        v: Pointer,
        heads: Long,
        groups: Long,
        size: Long,
        y: Pointer,
        threads: Int,
    ) -> None: ...

    def read(self, *, memory: Pointer, bytes: Long, threads: Int) -> Size: ...


def signatures() -> dict[str, tuple[type | None, dict[str, type]]]:
    """What each function returns, and the types of its arguments in order."""
    table = {}
    for name, function in vars(Functions).items():
        if inspect.isfunction(function) and not name.startswith("_"):
            hints = get_type_hints(function, include_extras=True)
            result = hints.pop("return")
            arguments: dict[str, type] = {key: hint.__metadata__[0] for key, hint in hints.items()}
            table[name] = (None if result is type(None) else result.__metadata__[0], arguments)
    return table


def bind(library: ctypes.CDLL) -> Functions:
    """The functions of a loaded library. Raises AttributeError where one is missing."""
    bound = SimpleNamespace()
    for name, (result, arguments) in signatures().items():
        prototype = ctypes.CFUNCTYPE(result, *arguments.values())
        setattr(bound, name, prototype((f"glmkit_{name}", library), tuple((1, argument) for argument in arguments)))
    return cast(Functions, bound)
