"""`luminary usage`: the table that it prints."""

from luminary.remote.usage_command import table_of

AMOUNTS = {"jobs": 2, "images": 3, "prompt_tokens": 10, "tokens_done": 8, "compute_seconds": 1.25}


def test_the_table_has_names_where_they_are_known_and_the_sums_at_its_end() -> None:
    report = {
        "group_by": ["day", "api_key", "model"],
        "data": [
            {"day": "2026-03-01", "api_key_id": "key_1", "model": "tiny", **AMOUNTS},
            {"day": "2026-03-01", "api_key_id": "key_2", "model": None, **AMOUNTS},
        ],
    }
    numbers = ("2", "3", "10", "8", "1.2")
    assert table_of(report, {"key_1": "lum_AbCd production"}) == [
        ("DAY", "API KEY", "MODEL", "JOBS", "IMAGES", "PROMPT TOKENS", "TOKENS DONE", "COMPUTE SECONDS"),
        ("2026-03-01", "lum_AbCd production", "tiny", *numbers),
        ("2026-03-01", "key_2", "-", *numbers),
        ("total", "", "", "4", "6", "20", "16", "2.5"),
    ]


def test_without_usage_the_sums_are_zero() -> None:
    assert table_of({"group_by": ["task"], "data": []}, {})[1:] == [("total", "0", "0", "0", "0", "0.0")]
