"""The reference's way of starting: the model itself says START and the size, token by token.

With START and both grid tokens the open plan turns into an ordinary one. For the tasks that take an image
the reference gives these three, so their open plan has its ordinary plan from the beginning.
"""

from dataclasses import dataclass, field, replace

from services.worker.engine.errors import GrammarError, PromptError
from services.worker.engine.image_grammar import (
    HEADER_LENGTH,
    OUTSIDE,
    GrammarState,
    ImageGrammar,
    ImageShape,
)
from services.worker.engine.prompts import PictureRequest
from services.worker.engine.sequence_plan import SequencePlan, image_tokens, plan_sequence, prompt_tokens
from services.worker.engine.text_tokenizer import TextTokenizer
from services.worker.engine.vocabulary import Vocabulary


@dataclass(frozen=True)
class OpenPlan:
    """A sequence whose picture has no size yet.

    tokens: what the reference hands to its model, then what the model has said.
    plan: the ordinary plan, which begins with `tokens`; None until the header is known.
    """

    vocabulary: Vocabulary = field(repr=False)
    tokens: tuple[int, ...] = field(repr=False)
    state: GrammarState = OUTSIDE
    plan: SequencePlan | None = None

    def extend(self, token: int) -> "OpenPlan":
        """The plan after the model has said one more token; any token may come before START.

        Raises GrammarError when START is not followed by two grid tokens, or when the header is known
        already and `plan` is to be run instead.
        """
        if self.plan is not None:
            raise GrammarError("the header of this image is known; its plan says which tokens follow")
        state = ImageGrammar(self.vocabulary).advance(self.state, token)
        longer = replace(self, tokens=(*self.tokens, token), state=state)
        return longer if state.shape is None else replace(longer, plan=_draw_all(longer, state.shape))


def open_plan(vocabulary: Vocabulary, text_tokenizer: TextTokenizer, request: PictureRequest) -> OpenPlan:
    """The tokens that the reference starts from: the prompt and, where one is given, the upper panel.

    Raises what `plan_sequence` raises; PromptError for kept codes where the model chooses the size.
    """
    if not request.task.takes_image:
        if request.kept_codes is not None:
            raise PromptError("codes can be kept only in a picture whose size is fixed beforehand")
        return OpenPlan(vocabulary, prompt_tokens(vocabulary, text_tokenizer, request))
    plan = plan_sequence(vocabulary, text_tokenizer, request)
    known: list[int] = []
    for token in plan.tokens:
        if token is None:
            break
        known.append(token)
    state = ImageGrammar(vocabulary).read(known[plan.image_start :])
    return OpenPlan(vocabulary, tuple(known), state, plan)


def _draw_all(opened: OpenPlan, shape: ImageShape) -> SequencePlan:
    before_start = opened.tokens[:-HEADER_LENGTH]
    cells = (None,) * (shape.rows * shape.columns)
    tokens = (*before_start, *image_tokens(opened.vocabulary, shape, cells))
    return SequencePlan(
        vocabulary=opened.vocabulary,
        tokens=tokens,
        image_start=len(before_start),
        shape=shape,
        draft_source=(None,) * len(tokens),
        result_rows=range(shape.rows),
    )
