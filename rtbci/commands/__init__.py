"""Commands, one file each, with ``add_arguments(parser)`` and ``run(args)``; see ``rtbci.cli``."""
