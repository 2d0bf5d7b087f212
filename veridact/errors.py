"""Every way a command can end other than well, each with the exit code it deserves (SPEC §5)."""


class VeridactError(Exception):
    """A one-line reason that says what to do next; `exit_code` is what the command exits with."""

    exit_code = 70


class UsageError(VeridactError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class ManifestError(VeridactError):
    """The manifest is not valid. `layer` is the check that refused it: text, schema or rules; `path` is a JSON path."""

    exit_code = 3

    def __init__(self, layer: str, path: str, reason: str) -> None:
        super().__init__(f"invalid manifest ({layer}) at {path}: {reason}")
        self.layer = layer
        self.path = path
        self.reason = reason


class MediaError(VeridactError):
    """The media file cannot be read, or is refused for what it is."""

    exit_code = 4


class BindingError(VeridactError):
    """The manifest was made for another file, or disagrees with it about the timeline."""

    exit_code = 5


class SafetyError(VeridactError):
    """Going on could lose or show something: the target exists, an item is unreviewed, nothing would be covered."""

    exit_code = 6


class MissingModelError(VeridactError):
    """A model, its weights or the extra that brings it is not installed."""

    exit_code = 7


class MachineError(VeridactError):
    """This machine cannot do it: disk full, no permission, out of memory, self-test failed."""

    exit_code = 8


class AuditError(VeridactError):
    """A receipt cannot be read as one."""

    exit_code = 1
