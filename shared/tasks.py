"""The tasks of the model, and the maps that some of them take or draw.

API, worker, engine, command line and training use this definition. It imports only the standard library, so
that the engine may import it.
"""

from enum import StrEnum, unique


@unique
class MapKind(StrEnum):
    """Kind of a map: a picture that describes another one, pixel by pixel."""

    DEPTH = "depth"
    SEGMENTATION = "segmentation"
    EDGES = "edges"
    HED = "hed"
    POSE = "pose"


OLDER_MAP_NAMES = {"canny": MapKind.EDGES}
"""Old names that requests may still use; responses and documents use the new ones."""
MAP_ALIASES = {"openpose": MapKind.POSE, **OLDER_MAP_NAMES}
"""Names of other tools and older versions, which the command line accepts."""

_CONTROL_MAPS = frozenset({MapKind.DEPTH, MapKind.EDGES, MapKind.HED, MapKind.POSE})


@unique
class Task(StrEnum):
    """A task of the model: its prompt template, and whether a picture is given.

    text_to_image  draws one picture
    image_pair     draws a picture (upper half) and its map (lower half)
    subject        given a subject, draws it in another scene
    control        given a map, draws a picture that it describes
    edit           given a picture, draws it changed
    dense          given a picture, draws its map
    """

    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_PAIR = "image_pair"
    SUBJECT = "subject"
    CONTROL = "control"
    EDIT = "edit"
    DENSE = "dense"

    @property
    def takes_image(self) -> bool:
        """Whether a picture is given as the upper panel and only the lower panel is drawn."""
        return self not in {Task.TEXT_TO_IMAGE, Task.IMAGE_PAIR}

    @property
    def maps(self) -> frozenset[MapKind]:
        """The kinds of maps that a request of this task can choose from; empty if it has none."""
        match self:
            case Task.IMAGE_PAIR | Task.CONTROL:
                return _CONTROL_MAPS
            case Task.DENSE:
                return frozenset(MapKind)
            case Task.TEXT_TO_IMAGE | Task.SUBJECT | Task.EDIT:
                return frozenset()


TASK_ALIASES = {"t2i": Task.TEXT_TO_IMAGE, "pair": Task.IMAGE_PAIR}
"""Short names, which the command line accepts."""
