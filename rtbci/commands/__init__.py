"""One small file per command: ``add_arguments(parser)`` and ``run(args)``; see rtbci.cli."""
