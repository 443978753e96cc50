"""The page of an exported session: the tree of its turns as nested lists, with their pictures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape

from services.api.sessions.responses import SessionResponse, TreeTurn

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
ul { list-style: none; padding-left: .75rem; border-left: 1px solid GrayText; }
li { margin: 1.5rem 0; }
p { margin: .25rem 0; }
figure { display: inline-block; margin: .5rem 1rem .5rem 0; }
img { display: block; width: 12rem; height: auto; image-rendering: auto; border-radius: .25rem; }
figcaption { font-size: .85rem; opacity: .75; }
.head img { outline: 3px solid Highlight; }
"""


def session_page(tree: SessionResponse, files: Mapping[str, str]) -> str:
    """The HTML page. files: path of each picture's file in the export, by image id."""
    below: defaultdict[str | None, list[TreeTurn]] = defaultdict(list)
    for turn in tree.turns:
        below[turn.parent.turn_id].append(turn)
    title = escape(tree.title or tree.id)
    root = "" if tree.root_image_id is None else figure(files.get(tree.root_image_id), "root", is_head=False)
    note = "" if tree.note is None else f"<p>{escape(tree.note)}</p>"
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n{note}{root}\n"
        f"{branch(below[None], below, tree, files)}\n</html>\n"
    )


def branch(
    turns: Sequence[TreeTurn],
    below: Mapping[str | None, Sequence[TreeTurn]],
    tree: SessionResponse,
    files: Mapping[str, str],
) -> str:
    """The list of these turns, each with the turns below it.

    The stack of open lists is explicit, because a session may be deeper than Python's recursion limit.
    """
    pieces: list[str] = ["<ul>"]
    waiting: list[TreeTurn | None] = [None, *reversed(turns)]
    while waiting:
        turn = waiting.pop()
        if turn is None:
            pieces.append("</ul></li>" if waiting else "</ul>")
            continue
        pieces.append(f"<li>{described(turn, tree, files)}<ul>")
        waiting += [None, *reversed(below.get(turn.id, ()))]
    return "\n".join(pieces)


def described(turn: TreeTurn, tree: SessionResponse, files: Mapping[str, str]) -> str:
    """A turn with its prompt and its pictures."""
    name = f"{turn.number}. {turn.name or turn.prompt or turn.task}"
    figures = [
        figure(
            files.get(candidate.image_id),
            f"{candidate.index + 1}{' ★' if candidate.starred else ''}",
            is_head=candidate.id == tree.head.candidate_id,
        )
        for candidate in turn.candidates
    ]
    note = "" if turn.note is None else f"<p>{escape(turn.note)}</p>"
    state = "" if turn.status == "succeeded" else f" ({escape(turn.status)})"
    return f"<p>{escape(name)}{state}</p>{note}{''.join(figures)}"


def figure(file: str | None, caption: str, *, is_head: bool) -> str:
    """A picture with its caption; a note where its file has expired."""
    if file is None:
        return f"<figure><figcaption>{escape(caption)}: the file has expired</figcaption></figure>"
    kind = ' class="head"' if is_head else ""
    return (
        f'<figure{kind}><img src="{escape(file)}" alt=""><figcaption>{escape(caption)}</figcaption></figure>'
    )
