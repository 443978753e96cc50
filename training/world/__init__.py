"""The larger world: pictures of many things in many settings, with complete ground truth, drawn from a seed.

    from training.world.examples import sample_example
    from training.world.scene import MAIN
    example = sample_example(numpy.random.default_rng(7), MAIN)

It stands beside the scene world of `training.scenes`, which the small bundled model was trained on and which
must not change. Modules, in the order of imports: nouns define kinds, colours and settings; drawing has the
things, landscape the settings; palette, stamps, rendering and maps make pictures; scene, splits and layout
sample scenes; lexicon, wording, edits and instructions make texts; prompts, chains and examples combine them;
codes spells every picture.
"""
