"""What can go wrong, said in one sentence: what was found, what was expected, what to do next.

Each exception carries the exit code with which a command ends: 2 bad input or usage, 3 a component
is missing, 4 in use (docs/commands.md lists all codes). Programming mistakes are ``assert``; these
are for people.

    RtbciError
      BadInput            a file, option or value cannot be used as it is       exit 2
        BadBundle         a subject bundle is damaged or does not fit           exit 2
      NoUsableSignal      a recording holds nothing that can be decoded         exit 2
      Missing             an extra, a display or a stream is not there          exit 3
      InUse               another rtbci holds the session or the file           exit 4
"""


class RtbciError(Exception):
    """Base of all errors that end a command with one sentence instead of a traceback."""

    exit_code = 2


class BadInput(RtbciError):
    """A file, an option or a value that cannot be used as it is."""


class BadBundle(BadInput):
    """A subject bundle that is damaged, or does not fit the stream it is asked to decode."""


class NoUsableSignal(RtbciError):
    """A recording without a signal worth decoding: bad contact, no markers, dead or humming."""


class Missing(RtbciError):
    """Something that has to be installed, connected or started first."""

    exit_code = 3


class InUse(RtbciError):
    """The session or file is held by another process."""

    exit_code = 4
