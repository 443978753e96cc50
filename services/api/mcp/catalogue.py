"""The tools, with the models of their arguments."""

from dataclasses import dataclass
from typing import Any, cast

from services.api.mcp.arguments import (
    Arguments,
    Cancel,
    Create,
    Dense,
    Edit,
    Extend,
    Job,
    SessionTree,
    Vary,
)


@dataclass(frozen=True)
class ToolKind:
    """A tool. draws: whether a call queues a job. reads: whether it changes nothing."""

    name: str
    title: str
    arguments: type[Arguments]
    draws: bool = False
    reads: bool = False
    destroys: bool = False


TOOLS = (
    ToolKind("create", "Draw a picture", Create, draws=True),
    ToolKind("edit", "Change a picture", Edit, draws=True),
    ToolKind("vary", "Draw a variation", Vary, draws=True),
    ToolKind("extend", "Make a picture larger", Extend, draws=True),
    ToolKind("dense", "Draw a map of a picture", Dense, draws=True),
    ToolKind("session_tree", "Read a session", SessionTree, reads=True),
    ToolKind("job", "Read a job", Job, reads=True),
    ToolKind("cancel", "Cancel a job", Cancel, destroys=True),
)
INSTRUCTIONS = (
    "Luminary draws pictures and changes them step by step. `create` begins a session; `edit` with its "
    "session_id changes the newest picture, and `from` goes back to an earlier one, so that a session is a "
    "tree. Nothing outside of an edit's mask changes. If a picture takes long, the answer has a job_id: ask "
    "with `job`."
)
NOISE = frozenset({"title", "pattern", "minLength", "maxLength"})


def input_schema(kind: ToolKind) -> dict[str, Any]:
    """The schema of the tool's arguments, without what only programs need: language models read every word.

    The arguments of a call are checked against the whole model.
    """
    return brief(kind.arguments.model_json_schema())


def brief(schema: Any) -> Any:
    """The schema without titles, nulls, patterns and lengths."""
    if isinstance(schema, list):
        return [brief(one) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    found = cast("dict[str, Any]", schema)
    choices = [one for one in found.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        found = {**choices[0], **{key: value for key, value in found.items() if key != "anyOf"}}
    return {key: brief(value) for key, value in found.items() if not is_noise(key, value)}


def is_noise(key: str, value: Any) -> bool:
    """Whether a language model needs no such entry. An argument of such a name has a dict as its value."""
    return (key in NOISE and not isinstance(value, dict)) or (key == "default" and value is None)
