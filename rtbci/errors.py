"""Errors for the user, each one sentence: found, expected, next step.

Each exception has the exit code with which a command ends: 2 bad input or usage, 3 a component is
missing, 4 in use (docs/commands.md lists all codes). Programming errors are assertions instead.

    RtbciError
      BadInput            a file, option or value cannot be used as it is       exit 2
        BadBundle         a subject bundle is damaged or does not fit           exit 2
      NoUsableSignal      a recording contains nothing that can be decoded      exit 2
      Missing             an extra, a display or a stream is missing            exit 3
      InUse               another rtbci is using the session or the file        exit 4
"""


class RtbciError(Exception):
    """Base of all errors that end a command with one sentence instead of a traceback."""

    exit_code = 2


class BadInput(RtbciError):
    """A file, an option or a value that cannot be used as it is."""


class BadBundle(BadInput):
    """A subject bundle that is damaged, or does not fit the stream to decode."""


class NoUsableSignal(RtbciError):
    """A recording without a signal worth decoding: bad contact, no markers, dead or humming."""


class Missing(RtbciError):
    """Something that has to be installed, connected or started first."""

    exit_code = 3


class InUse(RtbciError):
    """A session or file that another process is using."""

    exit_code = 4
