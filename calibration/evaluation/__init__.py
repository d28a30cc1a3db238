"""Evaluation of models on trials that they were not trained on: figures, controls and a report.

values.py     what was predicted, as plain values
figures.py    from predictions to figures, verdict and sentences
refusals.py   what makes every figure dishonest: class blocks, missing classes, trained-on runs
bundles.py    one person's bundle on that person's runs, through the live pipeline
pretrained.py a shared backbone with a head for each person: sessions, other sessions, others
words.py      what a text head says: class names, zero-shot categories, captions (captions.py)
controls.py   the same decoder where there is nothing to decode
page.py       the report as one HTML file (rtbci/report), with its tables (tables.py)
document.py   the same as JSON, and both on disk
"""
