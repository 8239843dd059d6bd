"""Products and sums over edges, of which few are held at a time.

A layer that writes a vector for each edge spends most of its time on fresh memory. Here
neither the way there nor the way back keeps such vectors: the way back of the products
are sums, and that of the sums are products and sums.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch_geometric.utils import scatter

_AT_ONCE = 2**18
"""How many numbers are held on a processor: a megabyte, which stays in its cache."""


def edge_products(a: Tensor, b: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Multiply vectors at both ends of each edge: ``(a[i] * b[j]).sum(-1)``.

    Parameters
    ----------
    a, b : Tensor of shape (n, ..., d)
        The vectors.
    i, j : Tensor of shape (n_edges,)
        Where those of each edge stand.

    Returns
    -------
    Tensor of shape (n_edges, ...)
        The inner products.
    """
    if torch.compiler.is_exporting():
        return (a[i] * b[j]).sum(-1)
    return _Products.apply(a, b, i, j)


def edge_sums(weight: Tensor, value: Tensor, i: Tensor, j: Tensor, n: int) -> Tensor:
    """Add up what edges bring: ``weight * value[i]`` of each one, at its ``j``.

    Parameters
    ----------
    weight : Tensor of shape (n_edges, ...)
        Factor of each edge.
    value : Tensor of shape (n_rows, ..., d)
        The vectors.
    i, j : Tensor of shape (n_edges,)
        Where the vector of each edge stands, and where it goes.
    n : int
        How many sums there are.

    Returns
    -------
    Tensor of shape (n, ..., d)
        The sums, 0 where no edge goes.
    """
    if torch.compiler.is_exporting():
        return scatter(weight[..., None] * value[i], j, dim_size=n, reduce="sum")
    return _Sums.apply(weight, value, i, j, n)


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, i: Tensor, j: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, i, j)
        return _products(a, b, i, j)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        a, b, i, j = ctx.saved_tensors
        return _sums(grad, b, j, i, len(a)), _sums(grad, a, i, j, len(b)), None, None


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, value: Tensor, i: Tensor, j: Tensor, n: int
    ) -> Tensor:
        ctx.save_for_backward(weight, value, i, j)
        return _sums(weight, value, i, j, n)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        weight, value, i, j = ctx.saved_tensors
        of_value = _sums(weight, grad, j, i, len(value))
        return _products(value, grad, i, j), of_value, None, None, None


def _products(a: Tensor, b: Tensor, i: Tensor, j: Tensor) -> Tensor:
    parts = _parts(a, i, j)
    return torch.cat(
        [(a.index_select(0, k) * b.index_select(0, m)).sum(-1) for k, m in parts]
    )


def _sums(weight: Tensor, value: Tensor, i: Tensor, j: Tensor, n: int) -> Tensor:
    total = value.new_zeros(n, *value.shape[1:])
    for share, k, m in _parts(value, weight, i, j):
        total.index_add_(0, m, share[..., None] * value.index_select(0, k))
    return total


def _parts(vectors: Tensor, *of_edges: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Take some edges after others; a GPU takes all at once."""
    size = max(1, _AT_ONCE // max(1, vectors.shape[1:].numel()))
    if vectors.device.type != "cpu":
        size = max(1, len(of_edges[0]))
    return zip(*(each.split(size) for each in of_edges), strict=True)
