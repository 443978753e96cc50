"""Intrinsics that threads need and numba lacks: atomic counters, borrowed arrays, `sched_yield`."""

from typing import Any

from llvmlite import ir
from numba import types

from services.worker.engine.fused.codegen.ir_words import INT, LONG, Builder, Value, call, intrinsic, pointer


@intrinsic
def add_atomically(typing_context: Any, address: Any, number: Any) -> Any:
    """Add to the int64 at an address, atomically; returns its value before."""

    def generate(_: Any, builder: Builder, __: Any, arguments: list[Value]) -> Value:
        address, number = arguments
        return builder.atomic_rmw("add", pointer(builder, address, LONG(0), LONG), number, "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def read_atomically(typing_context: Any, address: Any) -> Any:
    """Read the int64 at an address with acquire ordering: writes made before it was set are visible then."""

    def generate(_: Any, builder: Builder, __: Any, arguments: list[Value]) -> Value:
        return builder.load_atomic(pointer(builder, arguments[0], LONG(0), LONG), "acquire", 8)

    return types.int64(types.int64), generate


@intrinsic
def borrowed(typing_context: Any, array: Any) -> Any:
    """The same array without reference counting; the caller must keep the original alive."""

    def generate(_: Any, builder: Builder, __: Any, arguments: list[Value]) -> Value:
        [view] = arguments
        for owner in (0, 1):  # numba's meminfo and parent
            null = ir.Constant(view.type.elements[owner], None)
            view = builder.insert_value(view, null, owner)
        return view

    return array(array), generate


@intrinsic
def let_others_run(typing_context: Any) -> Any:
    """Let the operating system run another thread on this core."""

    def generate(context: Any, builder: Builder, _: Any, __: Any) -> Value:
        call(builder, "sched_yield", INT)
        return context.get_dummy_value()

    return types.void(), generate
