"""Losses of the published systems, as functions of tensors."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "adversarial_loss",
    "contrastive_loss",
    "focal_loss",
    "kl_between_normals",
    "kl_to_standard_normal",
    "scaled_cosine_error",
    "weighted_mean",
]

_BLOCK = 64  # nodes at once, for memory that grows with nodes and not with pairs


def weighted_mean(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of values, weighted where a weight is given; 0 where all weights are.

    Parameters
    ----------
    values : Tensor of shape (n,)
        One value per row.
    weight : Tensor of shape (n,), optional
        Non-negative weights.

    Returns
    -------
    Tensor of shape ()
        ``sum(weight * values) / sum(weight)``.

    Examples
    --------
    >>> import torch
    >>> from skmerc.losses import weighted_mean
    >>> weighted_mean(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 1.0])).item()
    2.0
    """
    weight = torch.ones_like(values) if weight is None else weight
    total = weight.sum()
    # The inverse of a total may be too large for a number where no share of it is.
    return (values * (weight / torch.where(total > 0, total, 1.0))).sum()


def focal_loss(
    logits: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Focal loss: cross-entropy in which rows that are already right count less.

    .. math:: L = -(1 - p)^\gamma \log p

    with :math:`p` the probability of the true class (Lin et al. 2017 [1]_; the form
    of CBERL's overview figure).

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        Unnormalised log-probabilities.
    target : Tensor of shape (n,)
        Index of the true class.
    gamma : float, default=2.0
        Focus; 0 is cross-entropy. The default is that of [1]_.
    weight : Tensor of shape (n,), optional
        Factor on the loss of each row.
    label_smoothing : float, default=0.0
        Share of the target spread evenly over all classes; it mixes in the plain
        cross-entropy to the even distribution.

    Returns
    -------
    Tensor of shape ()
        Weighted mean over the rows.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal loss for dense
       object detection", ICCV 2017.

    Examples
    --------
    >>> import torch
    >>> from skmerc.losses import focal_loss
    >>> logits = torch.log(torch.tensor([[0.5, 0.5]]))
    >>> round(focal_loss(logits, torch.tensor([0])).item(), 4)
    0.1733
    """
    log_p = F.log_softmax(logits, dim=1)
    log_true = log_p.gather(1, target[:, None]).squeeze(1)
    loss = -log_true
    if gamma:
        loss = (-torch.expm1(log_true)).clamp(min=1e-12) ** gamma * loss
    if label_smoothing:
        loss = (1 - label_smoothing) * loss - label_smoothing * log_p.mean(dim=1)
    return weighted_mean(loss, weight)


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    r"""Divergence of diagonal normals from the standard normal.

    .. math:: \frac12 \sum (\mu^2 + \sigma^2 - 1 - \log \sigma^2)

    Parameters
    ----------
    mean, log_var : Tensor of shape (n, d)
        Mean and logarithm of the variance.

    Returns
    -------
    Tensor of shape (n,)
        Divergence in nats.

    Examples
    --------
    >>> import torch
    >>> from skmerc.losses import kl_to_standard_normal
    >>> kl_to_standard_normal(torch.ones(1, 1), torch.zeros(1, 1)).item()
    0.5
    """
    return 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(dim=1)


def kl_between_normals(
    mean: Tensor, log_var: Tensor, other_mean: Tensor, other_log_var: Tensor
) -> Tensor:
    r"""Divergence of diagonal normals from other ones.

    .. math:: \frac12 \sum \left(\log \frac{\sigma_2^2}{\sigma_1^2}
        + \frac{\sigma_1^2 + (\mu_1 - \mu_2)^2}{\sigma_2^2} - 1\right)

    Parameters
    ----------
    mean, log_var : Tensor of shape (n, d)
        Mean and logarithm of the variance.
    other_mean, other_log_var : Tensor of shape (n, d)
        The same of the distributions diverged from.

    Returns
    -------
    Tensor of shape (n,)
        Divergence in nats.

    Examples
    --------
    >>> import torch
    >>> from skmerc.losses import kl_between_normals
    >>> zero = torch.zeros(1, 1)
    >>> kl_between_normals(zero, zero, zero, zero).item()
    0.0
    """
    ratio = (log_var - other_log_var).exp()
    distance = (mean - other_mean) ** 2 * (-other_log_var).exp()
    return 0.5 * (other_log_var - log_var + ratio + distance - 1).sum(dim=1)


def scaled_cosine_error(x: Tensor, y: Tensor, exponent: float = 2.0) -> Tensor:
    r"""Reconstruction error of GraphMAE: :math:`(1 - \cos(x, y))^a`.

    Parameters
    ----------
    x, y : Tensor of shape (n, d)
        Vectors and their reconstructions.
    exponent : float, default=2.0
        The power *a*; Hou et al. 2022 [1]_ use 1 to 3.

    Returns
    -------
    Tensor of shape (n,)
        0 for parallel vectors, 1 for orthogonal ones and where one is zero,
        ``2 ** exponent`` for opposite ones.

    References
    ----------
    .. [1] Z. Hou et al., "GraphMAE: Self-supervised masked graph autoencoders",
       KDD 2022.

    Examples
    --------
    >>> import torch
    >>> from skmerc.losses import scaled_cosine_error
    >>> scaled_cosine_error(torch.eye(2), -torch.eye(2)).tolist()
    [4.0, 4.0]
    """
    cosine = (_unit(x) * _unit(y)).sum(dim=1)
    return (1 - cosine).clamp(min=0) ** exponent


def _unit(x: Tensor) -> Tensor:
    """Bring vectors to length 1, and leave those that are 0."""
    # F.normalize would multiply the gradient of a zero vector by 1e12.
    norm = x.norm(dim=-1, keepdim=True)
    return x / torch.where(norm > 0, norm, 1.0)


def adversarial_loss(
    scores: Tensor,
    real: bool,
    form: str = "least_squares",
    generator: bool = False,
    weight: Tensor | None = None,
) -> Tensor:
    """Loss of a player of an adversarial game, given the discriminator's scores.

    Parameters
    ----------
    scores : Tensor of shape (n,)
        Unbounded scores of the discriminator.
    real : bool
        Whether the scores shall be those of real samples. The generator calls its
        samples real.
    form : {"least_squares", "log", "hinge"}, default="least_squares"
        Least squares (Mao et al. 2017), the non-saturating logarithm (Goodfellow
        et al. 2014), or the hinge.
    generator : bool, default=False
        Whether the player is the generator; matters for the hinge alone.
    weight : Tensor of shape (n,), optional
        Factor on each row.

    Returns
    -------
    Tensor of shape ()
        Weighted mean over the rows.

    Examples
    --------
    >>> import torch
    >>> from skmerc.losses import adversarial_loss
    >>> adversarial_loss(torch.zeros(3), real=True).item()
    1.0
    """
    if form == "least_squares":
        loss = (scores - float(real)) ** 2
    elif form == "log":
        loss = F.softplus(-scores if real else scores)
    elif form == "hinge":
        signed = -scores if real else scores
        loss = signed if generator else F.relu(1 + signed)
    else:
        raise ValueError(
            f"form={form!r} is unknown; use 'least_squares', 'log' or 'hinge'."
        )
    return weighted_mean(loss, weight)


def contrastive_loss(
    view1: Tensor,
    view2: Tensor,
    group: Tensor,
    *,
    form: str = "paper",
    temperature: float = 0.2,
    weight: Tensor | None = None,
    label: Tensor | None = None,
) -> Tensor:
    r"""Contrast of two views of each node with the other nodes of its group.

    With :math:`s(x, y) = e^{\cos(x, y) / \tau}`, the loss of node *i* is in the form
    of JOYFUL (Li et al. 2023, Eqs. 11 to 13; :math:`\tau = 1`)

    .. math:: -\frac12 \log \frac{s(x_i, y_i)^2}{\sum_j s(x_i, y_j) \sum_j s(x_i, x_j)}

    and in that of GRACE (Zhu et al. 2020), averaged over both roles of the views,

    .. math:: -\log \frac{s(x_i, y_i)}{\sum_j s(x_i, y_j) + \sum_{j \ne i} s(x_i, x_j)}

    The supervised form brings together the nodes of one class. Let :math:`V_c` be both
    vectors of the nodes of class *c* in the group. For a vector *a* of class *k*, with
    :math:`V_c' = V_c \setminus \{a\}`, it is

    .. math:: -\frac{1}{|V_k'|} \sum_{b \in V_k'} \log \frac{s(a, b)}
        {\sum_c \frac{1}{|V_c'|} \sum_{b \in V_c'} s(a, b)}

    averaged over both vectors of a node: the supervised contrast of Khosla et al. [1]_
    with the mean of each class in the denominator, so that frequent classes do not
    drown rare ones (Zhu et al. [2]_, who also learn a prototype of each class, which
    is not part of this).

    Parameters
    ----------
    view1, view2 : Tensor of shape (n, d)
        Vectors *x* and *y* of the nodes; a zero vector has cosine 0 to all.
    group : Tensor of shape (n,)
        Number of each node's group, such as its dialogue, in non-decreasing order.
    form : {"paper", "grace", "supervised"}, default="paper"
        The form of JOYFUL's paper, that of GRACE, which its authors released, or the
        supervised one.
    temperature : float, default=0.2
        The :math:`\tau` of "grace", as released, and of "supervised"; "paper" has none.
    weight : Tensor of shape (n,), optional
        Factor on each node's loss. With 0 a node still stands in those of others.
    label : Tensor of shape (n,), optional
        Number of each node's class, for "supervised".

    Returns
    -------
    Tensor of shape ()
        Weighted mean over the nodes.

    Raises
    ------
    ValueError
        If the form is unknown, the shapes do not fit, `group` decreases, or the
        supervised form has no labels.

    References
    ----------
    .. [1] P. Khosla et al., "Supervised contrastive learning",
       NeurIPS 2020.
    .. [2] J. Zhu et al., "Balanced contrastive learning for long-tailed visual
       recognition", CVPR 2022.

    Examples
    --------
    >>> import torch
    >>> from skmerc.losses import contrastive_loss
    >>> round(contrastive_loss(*torch.ones(2, 4, 3), torch.zeros(4)).exp().item(), 4)
    4.0
    """
    if form not in ("paper", "grace", "supervised"):
        raise ValueError(
            f"form={form!r} is unknown; use 'paper', 'grace' or 'supervised'."
        )
    views = _unit_views(view1, view2, group)
    if form != "paper":
        views = views / temperature**0.5
    kind = _kinds(group, label) if form == "supervised" else None
    roles = [views] if form == "paper" else [views, views.flip(0)]
    group = group.contiguous()
    log_sums = [_LogSums.apply(role, group, form, kind) for role in roles]
    loss = torch.cat(log_sums).mean(dim=0).squeeze(1) - _agreement(views, kind)
    return weighted_mean(loss, weight)


def _kinds(group: Tensor, label: Tensor | None) -> Tensor:
    """Number the class of each node; classes of different groups differ."""
    if label is None or label.shape != group.shape:
        found = None if label is None else tuple(label.shape)
        raise ValueError(
            f"form='supervised' needs a label of each node, of shape "
            f"{tuple(group.shape)}; found {found}."
        )
    if not len(label):
        return label
    return torch.stack([group, label]).unique(dim=1, return_inverse=True)[1]


def _agreement(views: Tensor, kind: Tensor | None) -> Tensor:
    """Compute the mean similarity of each node's vectors to their positives."""
    if kind is None:
        return (views[0] * views[1]).sum(dim=1)
    both = views.sum(dim=0)
    total = torch.zeros_like(both).index_add(0, kind, both)[kind]
    others = (both * total).sum(dim=1) - views.square().sum(dim=(0, 2))
    return others / (2 * (_sizes(kind) - 1))


def _sizes(kind: Tensor) -> Tensor:
    """Count the vectors of each node's class in its group, two for each node."""
    return 2 * kind.bincount()[kind]


def _unit_views(view1: Tensor, view2: Tensor, group: Tensor) -> Tensor:
    shapes = [tuple(tensor.shape) for tensor in (view1, view2, group)]
    if shapes != [shapes[0], shapes[0], shapes[0][:1]]:
        raise ValueError(f"view1, view2, group have shapes {shapes}; give equal rows.")
    if len(falls := (group[1:] < group[:-1]).nonzero()):
        raise ValueError(f"group falls after node {falls[0].item()}; sort by group.")
    return _unit(torch.stack([view1, view2]))


# The logarithms of the denominators: two per node in the form "paper", or one.
# Blocks under torch.utils.checkpoint would save nothing: on a CPU the process grew by
# 4.8 GB for one group of 25,000 nodes, which is as much as all pairs take.
class _LogSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, views: Tensor, group: Tensor, form: str, kind: Tensor | None
    ) -> Tensor:
        over, n_sums = (2, 2) if form == "paper" else ((0, 2), 1)
        ctx.form, log_sums = form, views.new_empty(n_sums, len(group), 1)
        for rows, _, logits in _blocks(views, group, form, kind):
            log_sums[:, rows] = logits.logsumexp(over, keepdim=True)
        ctx.save_for_backward(views, group, kind, log_sums)
        return log_sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        views, group, kind, log_sums = ctx.saved_tensors
        total = torch.zeros_like(views)
        for rows, columns, logits in _blocks(views, group, ctx.form, kind):
            share = (logits - log_sums[:, rows]).exp() * grad[:, rows]
            total[:, columns] += share.mT @ views[0, rows]
            total[0, rows] += (share @ views[:, columns]).sum(dim=0)
        return total, None, None, None


def _blocks(
    views: Tensor, group: Tensor, form: str, kind: Tensor | None
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield some nodes, the nodes of their groups and the similarities of both."""
    size = None if kind is None else _sizes(kind).to(views.dtype)
    first = [*torch.searchsorted(group, group).tolist(), len(group)]
    end = torch.searchsorted(group, group, right=True).tolist()
    stop = 0
    while (start := stop) < len(group):
        stop = min(start + _BLOCK, len(group))
        stop = first[stop] if first[stop] > start else stop  # whole groups if possible
        rows, columns = slice(start, stop), slice(first[start], end[stop - 1])
        logits = views[0, rows] @ views[:, columns].mT
        logits.masked_fill_(group[rows, None] != group[columns], -torch.inf)
        if kind is not None and size is not None:
            # All other vectors of a class count together as one.
            own = kind[rows, None] == kind[columns]
            logits -= (size[columns] - own.to(size.dtype)).log()
        if form != "paper":  # a node is not its own negative
            logits[0].diagonal(start - columns.start).fill_(-torch.inf)
        yield rows, columns, logits
