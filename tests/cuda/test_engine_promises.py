"""The engine's promises on a GPU: the unit tests that state them, with models that lie there."""

# pytest collects what is imported
# pyright: reportUnusedImport=false

from tests.unit.engine.test_batch_invariance import (  # noqa: F401
    test_a_token_is_the_same_in_any_window_and_behind_any_prefix,
    test_batch_neighbours_and_pass_boundaries_change_no_bit,
    test_the_report_agrees_with_every_number_of_rows_tried_here,
    test_up_to_sixteen_streams_share_a_pass,
)
from tests.unit.engine.test_speculative_equality import (  # noqa: F401
    test_a_picture_is_the_same_with_and_without_batch_neighbours,
    test_a_picture_resumed_from_any_of_its_codes_ends_the_same,
    test_concurrent_requests_draw_the_same_as_sequential_decoding,
    test_every_architecture_draws_the_same_as_sequential_decoding,
    test_four_images_of_one_seed_differ_and_are_independent,
    test_speculation_takes_fewer_passes,
    test_the_engine_draws_the_same_as_full_passes_without_a_cache,
)
