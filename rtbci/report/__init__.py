"""How results are shown: number formats, plots, pages, summaries."""
