"""Problems of sessions."""

from services.api.problems.codes import Problem, ProblemCode


def no_such_session() -> Problem:
    """Problem of an unknown session; the same for a session of another project."""
    return Problem(ProblemCode.NOT_FOUND, "There is no session with this id.", param="session_id")


def no_such_turn() -> Problem:
    """Problem of a turn that the session does not have, or that was deleted."""
    return Problem(ProblemCode.NOT_FOUND, "The session has no turn with this id.", param="turn_id")


def not_in_session(field: str, noun: str) -> Problem:
    """Problem of a body that names something which the session does not have."""
    return Problem(
        ProblemCode.INVALID_REQUEST, f"{field}: The session has no {noun} with this id.", param=field
    )


def head_moved(version: int) -> Problem:
    """Problem of a request whose If-Match names an earlier head."""
    return Problem(
        ProblemCode.HEAD_MOVED,
        f'The head of the session has moved; its ETag is now "{version}".',
        param="If-Match",
        headers={"ETag": f'"{version}"'},
    )
