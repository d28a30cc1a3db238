"""``rtbci recover FILE``: copies the whole chunks of a truncated or damaged recording."""

import argparse
from pathlib import Path

from rtbci import messages
from rtbci.formats.xdf_salvage import declared_samples
from rtbci.recorder.verify import recover

HELP = """\
Copy every whole chunk of an XDF file into FILE_recovered.xdf, with new footers.
The original is not changed, and nothing is overwritten."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``recover``."""
    parser.add_argument("file", metavar="FILE", type=Path, help="an XDF file")
    parser.add_argument("--out", type=Path, metavar="NEW", help="the copy [FILE_recovered.xdf]")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(args: argparse.Namespace) -> None:
    """Write the copy and report what was lost."""
    written, found = recover(args.file, args.out)
    cut = sum(each.stop - each.start for each in found.damages)
    samples = declared_samples(found)
    if args.json:
        values = {
            "file": str(args.file),
            "written": written and str(written),
            "cut_bytes": cut,
            "cut_samples": samples,
            "chunks": len(found.spans),
        }
        print(messages.line(values))
    elif written is None:
        print(f"{args.file} is whole; there is nothing to recover")
    else:
        lost = f", which held {samples} samples" if samples else ""
        print(
            f"{written} holds all {len(found.spans)} whole chunks; {cut} of {found.size} bytes "
            f"were cut{lost}"
        )
