"""The base class of every error that a user or an operator can see.

LuminaryError
├── shared     MalformedIdError, TokenGridError, SettingsError, StorageError, ImageError, EgressError,
│              NoPictureError
├── gateway    Problem, MalformedEventIdError
├── worker     EngineError, TokenizerError, JobFailureError
├── tokenizer  MoVQGANError, ServiceError
├── training   TrainingError
├── infra      ProcessError, KeyNotFoundError, NoSuchProjectError, BackupError
└── benchmarks UnknownQuestionError, NotAFixtureSetError

The errors module of each package shows the tree below its own base class. This module imports only the
standard library, so that the engine and the image tokenizer's model may import it:
docs/decisions/0013-one-base-for-errors.md.
"""


class LuminaryError(Exception):
    """An error with a message for people and three attributes for programs.

    Every subclass sets its own `code`; `retryable` and `hint` may be inherited from the base class of its
    package. Errors whose attributes come from a table (Problem, JobFailureError) set them on the object.
    """

    code: str
    """Stable name in snake case; programs may depend on it."""
    retryable: bool = False
    """Whether the same request can succeed later."""
    hint: str
    """One sentence about what the user or the operator can do."""
