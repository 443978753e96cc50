"""A session as a tool shows it: a tree of turns in lines, and the same as facts. Pure functions."""

from typing import Any

from services.api.sessions.responses import SessionResponse, TreeTurn

BRIEF = 80


def facts_of_tree(tree: SessionResponse) -> dict[str, Any]:
    """The session with what is needed to go on in it."""
    return {
        "session_id": tree.id,
        "title": tree.title,
        "head": tree.head.model_dump(mode="json"),
        "turn_count": tree.turn_count,
        "turns": [facts_of_turn(turn) for turn in tree.turns],
        "next_after": tree.next_cursor,
    }


def facts_of_turn(turn: TreeTurn) -> dict[str, Any]:
    """A turn with its place and its pictures."""
    return {
        "number": turn.number,
        "turn_id": turn.id,
        "job_id": turn.job_id,
        "task": turn.task.value,
        "prompt": turn.prompt,
        "status": turn.status.value,
        "from": turn.parent.candidate_id or turn.parent.turn_id or turn.parent.image_id,
        "candidates": [candidate.id for candidate in turn.candidates],
    }


def outline(tree: SessionResponse) -> str:
    """The tree in lines: each turn below the one that it starts from."""
    depth: dict[str, int] = {}
    lines = [f"Session {tree.id}{f' ({tree.title})' if tree.title else ''}: {tree.turn_count} turns."]
    for turn in tree.turns:
        depth[turn.id] = depth.get(turn.parent.turn_id or "", -1) + 1
        at_head = any(candidate.id == tree.head.candidate_id for candidate in turn.candidates)
        drawn = ", ".join(candidate.id for candidate in turn.candidates) or turn.status.value
        prompt = (turn.prompt or turn.task.value)[:BRIEF]
        lines.append(f"{'  ' * depth[turn.id]}{turn.number}. {prompt}: {drawn}{' (head)' if at_head else ''}")
    if tree.next_cursor is not None:
        lines.append(f"More turns follow: call session_tree with after {tree.next_cursor}.")
    return "\n".join(lines)
