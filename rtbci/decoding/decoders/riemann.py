"""Covariances and the tangent space, forward only, in numpy.

Fitting is done with pyriemann; these few functions repeat its forward pass on stored arrays, so
that the live path imports neither scipy nor scikit-learn. Tests hold them against pyriemann.
"""

import numpy as np

from rtbci.types import Array


def oas(x: Array) -> Array:
    """Covariances ``(..., channels, channels)`` of ``x`` (..., channels, times), shrunk.

    Oracle approximating shrinkage, Chen et al. 2010, doi 10.1109/TSP.2010.2053029, in the form
    of scikit-learn (without the 2/p terms of the paper's eq. 23).
    """
    p, n = x.shape[-2:]
    centred = x - x.mean(axis=-1, keepdims=True)
    cov = centred @ np.swapaxes(centred, -1, -2) / n
    alpha = (cov**2).mean(axis=(-2, -1))
    mu = np.trace(cov, axis1=-2, axis2=-1) / p
    denominator = (n + 1) * (alpha - mu**2 / p)
    with np.errstate(divide="ignore", invalid="ignore"):
        shrinkage = np.where(denominator <= 0, 1.0, np.minimum((alpha + mu**2) / denominator, 1.0))
    cov *= (1 - shrinkage)[..., None, None]
    diagonal = np.arange(p)
    cov[..., diagonal, diagonal] += (shrinkage * mu)[..., None]
    return cov


def tangent(covariances: Array, whitening: Array) -> Array:
    """Tangent vectors ``(..., p (p + 1) / 2)`` at the point whose inverse root is ``whitening``.

    ``whitening`` (p, p) is ``reference ** -1/2``; off-diagonal entries weigh root 2, as in
    Barachant et al. 2012, doi 10.1109/TBME.2011.2172210.
    """
    values, vectors = np.linalg.eigh(whitening @ covariances @ whitening)
    log = (vectors * np.log(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    rows, columns = np.triu_indices(log.shape[-1])
    return log[..., rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2))


def inverse_root(covariance: Array) -> Array:
    """``covariance ** -1/2`` of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors / np.sqrt(values)) @ vectors.T
