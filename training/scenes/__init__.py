"""The scene world: small pictures with complete ground truth, drawn by programs from a seed.

    from training.scenes import sample_example
    example = sample_example(numpy.random.default_rng(7))

Modules, in the order of imports: world and palette define kinds and colours; canvas, drawings and stamps draw
objects; scene, rendering and maps make pictures and maps; splits, layout and edits sample scenes;
descriptions and wording make texts; prompts, chains and examples combine them.
"""

from training.scenes.chains import EditStep, sample_chain, sample_step
from training.scenes.edits import Edit, EditKind
from training.scenes.examples import CONTROLS, MIXTURE, TARGETS, TrainingExample, sample_example
from training.scenes.maps import render_map
from training.scenes.rendering import Picture, render
from training.scenes.scene import Scene, SceneObject
from training.scenes.splits import Split

__all__ = [
    "CONTROLS",
    "MIXTURE",
    "TARGETS",
    "Edit",
    "EditKind",
    "EditStep",
    "Picture",
    "Scene",
    "SceneObject",
    "Split",
    "TrainingExample",
    "render",
    "render_map",
    "sample_chain",
    "sample_example",
    "sample_step",
]
