"""Every error the engine raises on purpose.

EngineError
├── CheckpointError       a model folder that cannot be loaded as it is
├── VocabularyError       a tokenizer without the tokens that the image grammar needs
├── PromptError           a request that no sequence can be built for
│   └── ImageSizeError    a picture size outside the grid
├── GrammarError          a token where the grammar does not allow it
├── CapacityError         a request that can never fit the KV cache
└── PrecisionError        a dtype or quantisation that this machine cannot run
"""

from typing import ClassVar


class EngineError(Exception):
    """Base of the engine's errors; `code` is stable, `hint` says what mends it."""

    code: ClassVar[str] = "engine_error"
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = "Read the message; it names the cause."


class CheckpointError(EngineError):
    """The model folder is incomplete, damaged or of another architecture."""

    code = "checkpoint_invalid"
    hint = "Compare the folder with the published files and copy the damaged ones again."


class VocabularyError(EngineError):
    """The tokenizer lacks special tokens, or the image codes are not one contiguous range."""

    code = "vocabulary_invalid"
    hint = "Use the tokenizer.json that was published with this checkpoint."


class PromptError(EngineError):
    """The task, its texts and its pictures do not fit together."""

    code = "prompt_invalid"
    hint = "Check which inputs the task takes."


class ImageSizeError(PromptError):
    """The picture's size does not fall on the token grid."""

    code = "image_size_invalid"
    hint = "Use a width and a height that are multiples of 32 pixels."


class GrammarError(EngineError):
    """A token stands where the image grammar does not allow it."""

    code = "grammar_violation"
    hint = "Pass image codes of this model's tokenizer, in row-major order."


class CapacityError(EngineError):
    """The request needs more KV cache than the engine owns."""

    code = "request_too_large"
    hint = "Ask for a smaller picture, or give the engine more KV cache."


class PrecisionError(EngineError):
    """The dtype or quantisation cannot run on this device."""

    code = "precision_unsupported"
    hint = "Use dtype 'auto', which picks what this machine runs."
