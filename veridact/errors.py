"""The exceptions of veridact, each with the exit code of the command that it ends (SPEC §5)."""


class VeridactError(Exception):
    """Base class: the message is one line that says what to do next; `exit_code` is the command's."""

    exit_code = 70


class UsageError(VeridactError):
    """The arguments are invalid or contradict each other."""

    exit_code = 2


class ManifestError(VeridactError):
    """The manifest is not valid: `layer` (text, schema or rules) refused the value at the JSON path `path`."""

    exit_code = 3

    def __init__(self, layer: str, path: str, reason: str) -> None:
        super().__init__(f"invalid manifest ({layer}) at {path}: {reason}")
        self.layer = layer
        self.path = path
        self.reason = reason


class MediaError(VeridactError):
    """The media file cannot be read, or has properties that are not supported."""

    exit_code = 4


class BindingError(VeridactError):
    """The manifest was made for another file, or disagrees with it about the timeline."""

    exit_code = 5


class SafetyError(VeridactError):
    """Continuing could overwrite or expose data: a target exists, an item is unreviewed, nothing would be covered."""

    exit_code = 6


class MissingModelError(VeridactError):
    """A model, its weights or the extra that installs it is missing."""

    exit_code = 7


class MachineError(VeridactError):
    """This machine cannot run the command: disk full, no permission, out of memory, self-test failed."""

    exit_code = 8


class AuditError(VeridactError):
    """A receipt is malformed, or its hash chain is broken."""

    exit_code = 1
