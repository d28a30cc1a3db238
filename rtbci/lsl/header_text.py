"""The XML of a stream's header as liblsl holds it, freed after it was read.

pylsl's ``StreamInfo.as_xml`` (1.18) never frees the string that liblsl made for it: a recorder that
asked four streams four times a second grew by 48 MB an hour.
"""

import ctypes

import pylsl
from pylsl.lib import lib

# by index: a function of our own, since that of pylsl turns the pointer into bytes at once
_get_xml = lib["lsl_get_xml"]
_get_xml.restype, _get_xml.argtypes = ctypes.c_void_p, [ctypes.c_void_p]


def xml_of(info: pylsl.StreamInfo) -> str:
    """The header of ``info``; bytes that are not UTF-8 are read as Latin-1."""
    pointer = _get_xml(info.obj)
    if not pointer:
        return ""
    try:
        text = ctypes.string_at(pointer)
    finally:
        lib.lsl_destroy_string(pointer)
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
