"""The export of a session: a zip file with everything of it, and a page that shows it."""

import io
import json
import zipfile
from html.parser import HTMLParser

from services.api.problems.codes import ProblemCode
from services.api.sessions.examples import SESSION_EXAMPLE
from services.api.sessions.export_page import session_page
from services.api.sessions.responses import SessionResponse
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.storage import ObjectStorage
from shared.tables import Image
from shared.token_grid import TokenGrid
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.sessions import DATA_URL, Json, create, draw, head_of, post_turn, tree


def exported_bytes(project: Project, session: Json) -> int:
    """The size that the answer announces."""
    return int(project.get(f"/v1/sessions/{session['id']}/export").headers["expected-bytes"])


def exported(project: Project, session: Json) -> zipfile.ZipFile:
    answer = project.get(f"/v1/sessions/{session['id']}/export")
    assert answer.headers["content-disposition"] == f'attachment; filename="{session["id"]}.zip"'
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_an_export_holds_the_tree_the_jobs_the_pictures_and_their_codes(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    session = create(alice, title="Shapes", image=DATA_URL)
    turn = post_turn(alice, session, prompt="add <b>a tree</b>")
    draw(database)
    picture = tree(alice, session)["turns"][0]["candidates"][0]["image_id"]
    with database.transaction() as rows:
        drawn = next(image for image in rows.query(Image) if format_id(IdKind.IMAGE, image.id) == picture)
        stored = ObjectStorage(gateway_settings.storage).put_image("prj/aa", png(16, 16), "image/png")
        drawn.storage_key, drawn.byte_size = stored.key, stored.byte_size
    file = exported(alice, session)
    assert file.testzip() is None
    sizes = {entry.filename: entry.file_size for entry in file.infolist()}
    counted = [size for name, size in sizes.items() if name.startswith(("pictures/", "codes/"))]
    assert exported_bytes(alice, session) == sum(counted)
    assert json.loads(file.read("session.json")) == tree(alice, session)
    assert json.loads(file.read(f"jobs/{turn['job_id']}.json"))["request"]["prompt"] == "add <b>a tree</b>"
    assert file.read(f"pictures/{picture}.png") == png(16, 16)
    assert file.read(f"pictures/{session['root_image_id']}.png") == png(64, 64)
    [grid] = json.loads(file.read("codes.json"))
    assert (grid["image_id"], TokenGrid.from_bytes(file.read(grid["file"])).tokens) == (picture, (1, 2, 3, 4))
    page = file.read("index.html").decode()
    assert "add &lt;b&gt;a tree&lt;/b&gt;" in page
    assert f'src="pictures/{picture}.png"' in page


def test_a_picture_whose_file_is_gone_is_left_out_and_the_page_says_so(alice: Project, drawn: Json) -> None:
    """The factory's pictures have no file in the storage."""
    file = exported(alice, drawn)
    assert [name for name in file.namelist() if name.startswith("pictures/")] == []
    assert "the file has expired" in file.read("index.html").decode()
    assert head_of(json.loads(file.read("session.json"))) == head_of(drawn)


def test_another_project_cannot_export_a_session(bob: Project, drawn: Json) -> None:
    assert_problem(bob.get(f"/v1/sessions/{drawn['id']}/export"), ProblemCode.NOT_FOUND)


class Nesting(HTMLParser):
    """Counts how deep the lists of a page are nested, and that each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = self.deepest = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.depth += tag == "ul"
        self.deepest = max(self.deepest, self.depth)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "ul"


def test_the_page_of_a_chain_of_two_thousand_turns_is_well_formed() -> None:
    session = SessionResponse.model_validate(SESSION_EXAMPLE)
    first = session.turns[0]
    chain = [first.model_copy(update={"id": "turn_0"})]
    for number in range(1, 2000):
        parent = first.parent.model_copy(update={"turn_id": f"turn_{number - 1}"})
        chain.append(first.model_copy(update={"id": f"turn_{number}", "parent": parent}))
    nesting = Nesting()
    nesting.feed(session_page(session.model_copy(update={"turns": chain}), {}))
    assert (nesting.depth, nesting.deepest) == (0, 2001)
