"""A world of small pictures with complete ground truth, drawn by programs from one seed.

    from training.scenes import sample_example
    example = sample_example(numpy.random.default_rng(7))

From nouns to samples: world and palette name things; canvas, drawings and stamps draw objects; scene,
rendering and maps make pictures and their truth; splits, layout and edits draw by chance; descriptions and
wording speak; prompts, chains and examples put all of it together.
"""

from training.scenes.chains import EditStep, sample_chain, sample_step
from training.scenes.edits import Edit, EditKind
from training.scenes.examples import CONTROLS, MIXTURE, TARGETS, Task, TrainingExample, sample_example
from training.scenes.maps import render_map
from training.scenes.rendering import Picture, render
from training.scenes.scene import Scene, SceneObject
from training.scenes.splits import Split
from training.scenes.world import MapKind

__all__ = [
    "CONTROLS",
    "MIXTURE",
    "TARGETS",
    "Edit",
    "EditKind",
    "EditStep",
    "MapKind",
    "Picture",
    "Scene",
    "SceneObject",
    "Split",
    "Task",
    "TrainingExample",
    "render",
    "render_map",
    "sample_chain",
    "sample_example",
    "sample_step",
]
