"""What Python says of the compiled functions is what the C++ declares."""

import ctypes
import re
from pathlib import Path

import pytest

import glmkit
from glmkit.kernels.cache_rows import Rows
from glmkit.kernels.fused_decode import Architecture, Block, Linear, LowRank, Norm
from glmkit.kernels.library import library
from glmkit.kernels.signatures import signatures

SOURCE = (Path(glmkit.__file__).parent / "kernels" / "native" / "native.cpp").read_text(encoding="utf-8")
KINDS = {
    "void": None,
    "int": ctypes.c_int,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "float": ctypes.c_float,
}


def kind(of: str, *, text: bool = False) -> type | None:
    """What ctypes calls a type of C; `text`: a pointer to char ends with a zero."""
    if "*" not in of:
        return KINDS[of.strip()]
    return ctypes.c_char_p if text and "char" in of else ctypes.c_void_p


def test_arguments_have_the_names_types_and_order_of_the_source() -> None:
    declared = {}
    for result, name, inside in re.findall(
        r"^(\w[\w ]*\*? )glmkit_(\w+)\((.*?)\) \{", SOURCE, re.MULTILINE | re.DOTALL
    ):
        pairs = [re.fullmatch(r"\s*(.*?)(\w+)\s*", part) for part in inside.split(",") if part.strip()]
        arguments = {pair[2]: kind(pair[1], text=True) for pair in pairs if pair}
        declared[name] = (kind(result, text=True), arguments)
    assert declared == signatures()
    for name, (_, arguments) in signatures().items():  # dictionaries are equal in any order
        assert [*arguments] == [*declared[name][1]], name


def test_structures_have_the_fields_of_the_source() -> None:
    kinds = KINDS | {"Linear": Linear, "Rows": Rows, "Norm": Norm}
    for structure in (LowRank, Linear, Norm, Rows, Block, Architecture):
        inside = re.search(rf"struct {structure.__name__} \{{(.*?)\}};", SOURCE, re.DOTALL)
        assert inside
        declared = []
        for of, names in re.findall(r"^\s*(?:const )?(\w+) ([\w *,]+);", inside[1], re.MULTILINE):
            for name in names.split(","):
                declared.append((name.strip(" *"), ctypes.c_void_p if "*" in name else kinds[of]))
        assert declared == [*structure._fields_]


@pytest.mark.skipif(library() is None, reason="the compiled kernels are not built or not wanted here")
def test_a_function_takes_all_of_its_arguments_and_no_others() -> None:
    kernels = library()
    assert kernels is not None
    with pytest.raises(TypeError, match="'memory' missing"):
        kernels.functions.read(address=0, bytes=0, threads=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'threads' missing"):
        kernels.functions.read(memory=0, bytes=0)  # type: ignore[call-arg]
    assert kernels.functions.read(memory=0, bytes=0, threads=1) == 0
