"""Fits the evoked-response decoder with scikit-learn and pyRiemann and stores it as plain arrays.

The three members and their settings are the measured mix (see
``rtbci/decoding/decoders/evoked.py``): nothing is chosen, so nothing can be chosen by luck.
``embed`` makes the features, ``fit`` the heads upon them.
"""

from dataclasses import replace

import numpy as np
from pyriemann.estimation import ERPCovariances, XdawnCovariances
from pyriemann.tangentspace import TangentSpace
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rtbci.decoding.decoders.evoked import CLIP, MEANS_RATE, EvokedDecoder, beside, binned
from rtbci.decoding.decoders.riemann import inverse_root, oas
from rtbci.types import Array

# Montages with more electrodes than this are reduced to this many principal components.
COMPONENTS = 24
XDAWN_PER_CLASS = 2
# xDAWN is not used for more classes: its tangent space grows with their square.
XDAWN_CLASSES = 5
# Covariances with more rows than this are averaged with the log-Euclidean mean.
LARGE = 32
NAME = "mean of ERP covariances, xDAWN covariances and shrinkage LDA"


def fit(x: Array, y: np.ndarray, classes: tuple[str, ...], rate: float) -> EvokedDecoder:
    """Decoder for ``x`` (trials, 2, channels, times) uV at ``rate`` Hz and classes ``y`` (trials,).

    Every class needs two trials or more.
    """
    k = len(classes)
    blank = embed(x, y, classes, rate, XDAWN_PER_CLASS if k <= XDAWN_CLASSES else 0)
    x = blank.limited(x)
    erp_coef, erp_bias = regress(blank.erp_features(x[:, 0]), y)
    xdawn_coef, xdawn_bias = blank.xdawn_coef, blank.xdawn_bias
    if len(blank.xdawn_filters):
        xdawn_coef, xdawn_bias = regress(blank.xdawn_features(x[:, 0]), y)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(k, 1 / k))
    lda.fit(blank.mean_features(x[:, 1]), y)
    lda_coef, lda_bias = per_class(lda.coef_, lda.intercept_)
    return replace(
        blank,
        erp_coef=erp_coef,
        erp_bias=erp_bias,
        xdawn_coef=xdawn_coef,
        xdawn_bias=xdawn_bias,
        lda_coef=lda_coef,
        lda_bias=lda_bias,
    )


def embed(
    x: Array, y: np.ndarray, classes: tuple[str, ...], rate: float, xdawn: int
) -> EvokedDecoder:
    """Decoder without its heads: projection, averages, filters, tangent points and z-scores.

    ``xdawn`` filters are fitted for each class in ``y``. With one class in ``y`` for all trials
    nothing depends on labels.
    """
    x = np.clip(x, -CLIP, CLIP)
    projection = fit_projection(x[:, 0])
    x = projection @ x
    a, b = x[:, 0], x[:, 1]
    k, components = len(classes), len(projection)
    svd = None if k * components <= COMPONENTS else max(1, COMPONENTS // k)
    prototypes = np.asarray(ERPCovariances(estimator="oas", svd=svd).fit(a, y).P_)
    filters, xdawn_prototypes = np.zeros((0, components)), np.zeros((0, a.shape[2]))
    xdawn_whitening, heads = np.eye(1), np.zeros((k, 1))
    if xdawn:
        fitted = XdawnCovariances(
            nfilter=min(xdawn, components), estimator="oas", xdawn_estimator="oas"
        ).fit(a, y)
        filters = np.asarray(fitted.Xd_.filters_)
        xdawn_prototypes = np.asarray(fitted.P_)
        xdawn_whitening = tangent_point(beside(xdawn_prototypes, filters @ a))
    width = max(1, round(rate / MEANS_RATE))
    scaler = StandardScaler().fit(binned(b, width))
    return EvokedDecoder(
        classes=classes,
        projection=projection,
        prototypes=prototypes,
        erp_whitening=tangent_point(beside(prototypes, a)),
        erp_coef=heads,
        erp_bias=heads[:, 0],
        xdawn_filters=filters,
        xdawn_prototypes=xdawn_prototypes,
        xdawn_whitening=xdawn_whitening,
        xdawn_coef=heads,
        xdawn_bias=heads[:, 0],
        means=np.asarray(scaler.mean_),
        scales=np.asarray(scaler.scale_),
        lda_coef=heads,
        lda_bias=heads[:, 0],
        bin=np.array([width]),
    )


def fit_projection(a: Array) -> Array:
    """Spatial projection (components, channels): identity, or PCA for large montages.

    ``a`` (trials, channels, times).
    """
    n_channels = a.shape[1]
    if n_channels <= COMPONENTS:
        return np.eye(n_channels)
    covariance = sum(trial @ trial.T for trial in a)  # 20 times quicker than einsum
    _, vectors = np.linalg.eigh(covariance)
    return np.ascontiguousarray(vectors[:, ::-1][:, :COMPONENTS].T)


def tangent_point(stacked: Array) -> Array:
    """Inverse root (p, p) of the Riemannian mean of the covariances of ``stacked`` trials.

    The log-Euclidean mean for large matrices: it is there in one step instead of a dozen.
    """
    metric = "riemann" if stacked.shape[1] <= LARGE else "logeuclid"
    return inverse_root(TangentSpace(metric=metric).fit(oas(stacked)).reference_)


def regress(features: Array, y: np.ndarray) -> tuple[Array, Array]:
    """Coefficients (classes, features) and biases (classes,) of a tangent-space member's head."""
    head = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000).fit(features, y)
    return per_class(head.coef_, head.intercept_)


def per_class(coef: Array, intercept: Array) -> tuple[Array, Array]:
    """One row a class: scikit-learn keeps a single row for two classes."""
    if len(coef) == 1:
        return np.vstack([-coef / 2, coef / 2]), np.concatenate([-intercept / 2, intercept / 2])
    return coef, intercept
