"""Fit the evoked decoder with scikit-learn and pyriemann; what they learn is stored as arrays.

The three members and their settings are the measured mix (see ``rtbci/decoders/evoked.py``):
nothing is chosen, so nothing can be chosen by luck.
"""

import numpy as np
from pyriemann.estimation import ERPCovariances, XdawnCovariances
from pyriemann.tangentspace import TangentSpace
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rtbci.decoders.evoked import CLIP, MEANS_RATE, Z_LIMIT, EvokedDecoder, binned
from rtbci.decoders.riemann import inverse_root
from rtbci.types import Array

COMPONENTS = 24  # electrodes beyond this are reduced to so many principal components
XDAWN_PER_CLASS = 2
XDAWN_CLASSES = 5  # tangent spaces grow with the square of the classes: no xDAWN beyond
NAME = "mean of ERP covariances, xDAWN covariances and shrinkage LDA"


def fit(x: Array, y: np.ndarray, classes: tuple[str, ...], rate: float) -> EvokedDecoder:
    """``x`` (trials, 2, channels, times) microvolts, ``y`` (trials,) class indices, rate in Hz.

    Every class needs two trials or more.
    """
    x = np.clip(x, -CLIP, CLIP)
    projection = fit_projection(x[:, 0])
    x = projection @ x
    a, b = x[:, 0], x[:, 1]
    k, components = len(classes), len(projection)
    svd = None if k * components <= COMPONENTS else max(1, COMPONENTS // k)
    erp = ERPCovariances(estimator="oas", svd=svd).fit(a, y)
    erp_reference, erp_coef, erp_bias = _tangent_regression(erp.transform(a), y, k)
    if k <= XDAWN_CLASSES:
        xdawn = XdawnCovariances(
            nfilter=min(XDAWN_PER_CLASS, components), estimator="oas", xdawn_estimator="oas"
        ).fit(a, y)
        xdawn_reference, xdawn_coef, xdawn_bias = _tangent_regression(xdawn.transform(a), y, k)
        filters, prototypes = np.asarray(xdawn.Xd_.filters_), np.asarray(xdawn.P_)
    else:
        xdawn_reference = np.eye(1)
        xdawn_coef, xdawn_bias = np.zeros((k, 1)), np.zeros(k)
        filters, prototypes = np.zeros((0, components)), np.zeros((0, a.shape[2]))
    width = max(1, round(rate / MEANS_RATE))
    means = binned(b, width)
    scaler = StandardScaler().fit(means)
    z = np.clip(scaler.transform(means), -Z_LIMIT, Z_LIMIT)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(k, 1 / k)).fit(
        z, y
    )
    lda_coef, lda_bias = per_class(lda.coef_, lda.intercept_)
    return EvokedDecoder(
        classes=classes,
        projection=projection,
        prototypes=np.asarray(erp.P_),
        erp_whitening=inverse_root(erp_reference),
        erp_coef=erp_coef,
        erp_bias=erp_bias,
        xdawn_filters=filters,
        xdawn_prototypes=prototypes,
        xdawn_whitening=inverse_root(xdawn_reference),
        xdawn_coef=xdawn_coef,
        xdawn_bias=xdawn_bias,
        means=np.asarray(scaler.mean_),
        scales=np.asarray(scaler.scale_),
        lda_coef=lda_coef,
        lda_bias=lda_bias,
        bin=np.array([width]),
    )


def fit_projection(a: Array) -> Array:
    """``(components, channels)``: the identity, or principal components of many electrodes.

    ``a`` (trials, channels, times).
    """
    n_channels = a.shape[1]
    if n_channels <= COMPONENTS:
        return np.eye(n_channels)
    covariance = np.einsum("nct,ndt->cd", a, a)
    _, vectors = np.linalg.eigh(covariance)
    return np.ascontiguousarray(vectors[:, ::-1][:, :COMPONENTS].T)


def logistic() -> LogisticRegression:
    """The head of the tangent-space members."""
    return LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)


def per_class(coef: Array, intercept: Array) -> tuple[Array, Array]:
    """One row a class: scikit-learn keeps a single row for two classes."""
    if len(coef) == 1:
        return np.vstack([-coef / 2, coef / 2]), np.concatenate([-intercept / 2, intercept / 2])
    return coef, intercept


def _tangent_regression(covariances: Array, y: np.ndarray, k: int) -> tuple[Array, Array, Array]:
    """Reference point (p, p), coefficients (classes, features) and biases (classes,)."""
    space = TangentSpace(metric="riemann").fit(covariances)
    head = logistic().fit(space.transform(covariances), y)
    coef, bias = per_class(head.coef_, head.intercept_)
    assert len(coef) == k
    return space.reference_, coef, bias
