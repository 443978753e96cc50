"""Questions to a process: what counts as silence, and what does not."""

from threading import Event

from infra.local.pulse import Pulse
from tests.support.platforms.platform import eventually


def test_an_answer_ends_the_silence() -> None:
    answers = iter([False, False, True])
    pulse = Pulse("web", lambda: next(answers, True), 0.01)
    eventually(lambda: pulse.has_answered, "an answer", 10)
    eventually(lambda: pulse.silent_seconds() == 0.0, "the end of the silence", 10)
    pulse.close()


def test_a_question_that_hangs_is_silence_and_holds_nobody_up() -> None:
    asked, release = Event(), Event()

    def hang() -> bool:
        asked.set()
        return release.wait(30)

    pulse = Pulse("web", hang, 0.01)
    assert asked.wait(10)
    eventually(lambda: pulse.silent_seconds() > 0.05, "a while of silence", 10)
    assert not pulse.has_answered
    before = pulse.silent_seconds()
    pulse.forgive()
    assert pulse.silent_seconds() <= before
    release.set()
    eventually(lambda: pulse.has_answered, "the answer", 10)
    pulse.close()
