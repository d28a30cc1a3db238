"""``rtbci info FILE``: shows the content of a recording or dataset, and possible problems."""

import argparse
import json
import sys
from pathlib import Path

from rtbci.commands.options import add_reading_options, reading_settings
from rtbci.errors import RtbciError

HELP = """Show what a recording contains, and any problems in it.

For a folder of the 122-channel picture dataset, a summary is shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``info``; those for reading files are the same in other commands."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="file, session or dataset folder"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per file on stdout")
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Show all files; returns 0, or 2 if a file could not be read."""
    from rtbci.formats.dataset import is_dataset
    from rtbci.report.recording_summary import recording_json, show_recording

    reading = reading_settings(args)
    code, seen = 0, dict[str, Path]()
    for place, path in enumerate(args.files):
        if is_dataset(path):
            code = max(code, dataset(path, args.json))
            continue
        try:
            recording = reading.read(path, pick=True)
        except RtbciError as error:
            if len(args.files) == 1:
                raise
            print(error, file=sys.stderr)
            code = max(code, error.exit_code)
            continue
        twin = seen.setdefault(recording.provenance.sha256, path)
        same = str(twin) if twin != path else None
        if args.json:
            print(json.dumps(recording_json(recording, same), ensure_ascii=False, allow_nan=False))
        else:
            if place:
                print()
            show_recording(recording, same)
    return code


def dataset(folder: Path, json_wanted: bool) -> int:
    """Show a folder of the dataset; returns 2 if files are damaged or contradictory, else 0."""
    from rtbci.formats.dataset import look, twins
    from rtbci.report.dataset_summary import dataset_json, show_dataset

    found = look(folder)
    same = twins(run.array for run in found.runs)
    if json_wanted:
        print(json.dumps(dataset_json(folder, found, same), ensure_ascii=False))
    else:
        show_dataset(folder, found, same)
    return 2 if found.wrong or not found.runs else 0
