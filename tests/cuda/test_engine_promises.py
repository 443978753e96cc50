"""The engine's promises on a GPU: the unit tests that state them, with models that lie there."""

from tests.unit.engine.test_batch_invariance import (  # noqa: F401 (pytest collects what is imported)
    test_a_token_is_the_same_in_any_window_and_behind_any_prefix,
    test_no_company_and_no_cut_changes_a_bit,
    test_the_report_agrees_with_every_number_of_rows_tried_here,
    test_up_to_sixteen_streams_share_a_pass,
)
from tests.unit.engine.test_speculative_equality import (  # noqa: F401
    test_a_crowd_of_any_tasks_draws_what_each_draws_sequentially,
    test_a_picture_drawn_alone_is_the_one_drawn_in_company,
    test_a_picture_resumed_from_any_of_its_codes_ends_the_same,
    test_every_architecture_draws_what_it_draws_sequentially,
    test_four_images_of_one_seed_differ_and_each_is_what_it_is_alone,
    test_speculation_takes_fewer_passes,
    test_the_engine_draws_what_whole_prefixes_without_a_cache_say,
)
