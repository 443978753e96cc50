"""All errors that the engine raises.

EngineError
├── CheckpointError       the model folder cannot be loaded
├── VocabularyError       the tokenizer lacks tokens that the image grammar needs
├── PromptError           the request cannot be turned into a sequence
│   └── ImageSizeError    the picture size is not a multiple of the grid
├── GrammarError          the image grammar does not allow a token
├── CapacityError         the request does not fit into the KV cache, even if it is empty
├── MemoryShortageError   the machine has too little memory for weights and KV cache
└── PrecisionError        the machine cannot run this dtype or quantisation
"""

from shared.errors import LuminaryError


class EngineError(LuminaryError):
    """Base of the engine's errors."""

    code = "engine_error"
    hint = "Read the message; it names the cause."


class CheckpointError(EngineError):
    """The model folder is incomplete, damaged or of another architecture."""

    code = "checkpoint_invalid"
    hint = "Compare the folder with the published files and copy the damaged ones again."


class VocabularyError(EngineError):
    """The tokenizer lacks special tokens, or the image codes are not one contiguous range."""

    code = "vocabulary_invalid"
    hint = "Use the tokenizer.json that was published with this checkpoint."


class PromptError(EngineError):
    """The task does not allow or lacks one of the request's texts or pictures."""

    code = "prompt_invalid"
    hint = "Check which inputs the task takes."


class ImageSizeError(PromptError):
    """The picture's size is not a multiple of the token grid."""

    code = "image_size_invalid"
    hint = "Use a width and a height that are multiples of 32 pixels."


class GrammarError(EngineError):
    """The image grammar does not allow a token at its place."""

    code = "grammar_violation"
    hint = "Pass image codes of this model's tokenizer, in row-major order."


class CapacityError(EngineError):
    """The request needs more KV cache than the engine has."""

    code = "request_too_large"
    hint = "Ask for a smaller picture, or give the engine more KV cache."


class MemoryShortageError(EngineError):
    """The machine, its control group or the GPU has too little memory for the model and its KV cache."""

    code = "memory_insufficient"
    hint = "Set WORKER_KV_CACHE_TOKENS lower, quantise the model, or give the worker more memory."


class PrecisionError(EngineError):
    """The dtype or quantisation cannot run on this device."""

    code = "precision_unsupported"
    hint = "Use dtype 'auto', which chooses a dtype that this machine supports."
