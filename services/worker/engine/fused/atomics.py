"""Counters that threads share, and giving way: numba has neither."""

from typing import Any

from llvmlite import ir
from numba import types

from services.worker.engine.fused.ir_words import INT, LONG, Builder, Value, call, intrinsic, pointer


@intrinsic
def add_atomically(typing_context: Any, address: Any, number: Any) -> Any:
    """Add to the int64 at an address; what it was before."""

    def generate(_: Any, builder: Builder, __: Any, arguments: list[Value]) -> Value:
        address, number = arguments
        return builder.atomic_rmw("add", pointer(builder, address, LONG(0), LONG), number, "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def read_atomically(typing_context: Any, address: Any) -> Any:
    """The int64 at an address, and with it all that was written before it was set."""

    def generate(_: Any, builder: Builder, __: Any, arguments: list[Value]) -> Value:
        return builder.load_atomic(pointer(builder, arguments[0], LONG(0), LONG), "acquire", 8)

    return types.int64(types.int64), generate


@intrinsic
def plain(typing_context: Any, array: Any) -> Any:
    """The array, whose references are no longer counted; whoever made it keeps it alive."""

    def generate(_: Any, builder: Builder, __: Any, arguments: list[Value]) -> Value:
        [view] = arguments
        for owner in (0, 1):  # numba's meminfo and parent
            nobody = ir.Constant(view.type.elements[owner], None)
            view = builder.insert_value(view, nobody, owner)
        return view

    return array(array), generate


@intrinsic
def let_others_run(typing_context: Any) -> Any:
    """Give the core to another thread that waits for one."""

    def generate(context: Any, builder: Builder, _: Any, __: Any) -> Value:
        call(builder, "sched_yield", INT)
        return context.get_dummy_value()

    return types.void(), generate
