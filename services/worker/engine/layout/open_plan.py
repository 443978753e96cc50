"""Plans whose header the model draws itself, as in the reference: START and both grid tokens.

After the header the plan is an ordinary `SequencePlan`. For tasks that take an image the reference gives the
header, so their open plan has its `SequencePlan` from the beginning.
"""

from dataclasses import dataclass, field, replace

from services.worker.engine.errors import GrammarError, PromptError
from services.worker.engine.layout.image_grammar import (
    HEADER_LENGTH,
    OUTSIDE,
    GrammarState,
    ImageGrammar,
    ImageShape,
)
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import (
    SequencePlan,
    image_tokens,
    plan_sequence,
    prompt_tokens,
)
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary


@dataclass(frozen=True)
class OpenPlan:
    """A sequence whose picture may have no size yet.

    tokens: the tokens that the reference starts from, then those that the model has drawn.
    plan: the ordinary plan, which begins with `tokens`; None until the header is known.
    """

    vocabulary: Vocabulary = field(repr=False)
    tokens: tuple[int, ...] = field(repr=False)
    state: GrammarState = OUTSIDE
    plan: SequencePlan | None = None

    def extend(self, token: int) -> "OpenPlan":
        """Append a token that the model has drawn; any token may come before START.

        Raises GrammarError if START is not followed by two grid tokens, or if the header is already known:
        then `plan` must be used.
        """
        if self.plan is not None:
            raise GrammarError("the header of this image is already known; use its plan")
        state = ImageGrammar(self.vocabulary).advance(self.state, token)
        longer = replace(self, tokens=(*self.tokens, token), state=state)
        return longer if state.shape is None else replace(longer, plan=_draw_all(longer, state.shape))


def open_plan(vocabulary: Vocabulary, text_tokenizer: TextTokenizer, request: PictureRequest) -> OpenPlan:
    """The tokens that the reference starts from: the prompt and, if there is one, the given panel.

    Raises the errors of `plan_sequence`, and PromptError for kept codes if the model chooses the size.
    """
    if not request.task.takes_image:
        if request.kept_codes is not None:
            raise PromptError("codes can be kept only in a picture whose size is fixed in advance")
        if request.negative_prompt is not None:
            raise PromptError("a negative prompt needs a picture whose size is fixed in advance")
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
