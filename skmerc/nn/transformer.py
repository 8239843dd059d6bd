"""Transformer over the utterances of a dialogue, in linear memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmerc._utils.random import Dropout, rand
from skmerc.graph._edges import ranges, turns_near

STEP = 16
"""Chunks of dialogues are multiples of this many turns, as kernels like them."""


class DialogueTransformer(nn.Module):
    """Transformer encoder over dialogues that stand one after another.

    An utterance attends to its own dialogue only, and linear layers see no padding.

    Parameters
    ----------
    size : int
        Width of an utterance, kept by every layer.
    layers : int, default=4
        Number of layers, as in the released code of JOYFUL [1]_.
    heads : int, default=8
        Attention heads per layer, as in that code; they must divide `size`.
    feedforward : int, optional
        Width inside the feed-forward part; by default twice `size`, as in that code.
    dropout : float, default=0.3
        Rate for what sublayers add and inside the feed-forward part, as in that code.
    window : int or None, default=256
        Turns that an utterance sees each way in one layer; None shows it the whole
        dialogue, as in that code, in quadratic time. Memory is linear either way.
    causal : bool, default=False
        Whether an utterance sees none after it.
    position : {None, "rotary", "sinusoidal"}, default=None
        How the order of turns is told: not at all, as in that code; by rotation of
        queries and keys (RoFormer [2]_); or by waves added to the input [3]_.
    norm_first : bool, default=True
        Normalise before each sublayer and at the end; or after each, as in that code.

    References
    ----------
    .. [1] D. Li et al., "Joyful: Joint modality fusion and graph contrastive learning
       for multimodal emotion recognition", EMNLP 2023; github.com/wykstc/MERC-main.
    .. [2] J. Su et al., "RoFormer: Enhanced transformer with rotary position
       embedding", arXiv:2104.09864, 2021.
    .. [3] A. Vaswani et al., "Attention is all you need",
       NeurIPS 2017.

    Examples
    --------
    >>> import torch
    >>> from skmerc.nn.transformer import DialogueTransformer
    >>> encoder = DialogueTransformer(16, layers=2).eval()
    >>> utterances = torch.randn(7, 16)
    >>> together = encoder(utterances, torch.tensor([3, 4]))
    >>> alone = encoder(utterances[:3], torch.tensor([3]))
    >>> torch.allclose(together[:3], alone, atol=1e-5)
    True
    """

    layers: Any  # a list of modules tells nothing of their types

    def __init__(
        self,
        size: int,
        *,
        layers: int = 4,
        heads: int = 8,
        feedforward: int | None = None,
        dropout: float = 0.3,
        window: int | None = 256,
        causal: bool = False,
        position: str | None = None,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        _check(size, heads, window, position)
        self.window, self.causal, self.position = window, causal, position
        self.head_size = size // heads
        self.layers = nn.ModuleList(
            _Layer(size, heads, feedforward or 2 * size, dropout, norm_first)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(size) if norm_first else nn.Identity()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Encode utterances: (n, size) to (n, size)."""
        lay_out = _lay_out_one if torch.compiler.is_exporting() else _lay_out
        turn, row, chunks = lay_out(x, lengths, self.window, self.causal)
        angles = _angles(turn, self.head_size) if self.position == "rotary" else None
        if self.position == "sinusoidal":
            x = x + _waves(turn, x)
        for layer in self.layers:
            x = layer(x, row, chunks, angles)
        return self.norm(x)

    @property
    def reach(self) -> tuple[int | None, int | None]:
        """Turns before and behind that an utterance depends on; None for no bound."""
        n = None if self.window is None else self.window * len(self.layers)
        # Waves tell turns by their numbers, which count from the beginning.
        past = None if self.position == "sinusoidal" else n
        return past, 0 if self.causal else n

    def step(self, x: Tensor, state: tuple | None) -> tuple[Tensor, tuple]:
        """Encode the next utterance of one dialogue, where only the past is seen.

        Parameters
        ----------
        x : Tensor of shape (1, size)
            The utterance.
        state : tuple or None
            What the last call returned; None at the beginning of the dialogue.

        Returns
        -------
        code : Tensor of shape (1, size)
            The utterance in its context.
        state : tuple
            The number of the next turn, and the keys and values of the turns that
            layers see again.
        """
        number, known = state or (0, (None,) * len(self.layers))
        turn = torch.tensor([number], device=x.device)
        angles = _angles(turn, self.head_size) if self.position == "rotary" else None
        if self.position == "sinusoidal":
            x = x + _waves(turn, x)
        kept = []
        for layer, before in zip(self.layers, known, strict=True):
            memory = _Memory(before, self.window)
            x = layer.step(x, memory, angles)
            kept.append(memory.kept)
        return self.norm(x), (number + 1, tuple(kept))


class _Memory:
    """Keys and values of the turns that one layer sees again, to which it adds one."""

    def __init__(self, kept: tuple[Tensor, ...] | None, window: int | None) -> None:
        self.kept, self.window = kept, window

    def add(self, *new: Tensor) -> tuple[Tensor, ...]:
        seen = new
        if self.kept:
            seen = tuple(torch.cat(pair) for pair in zip(self.kept, new, strict=True))
        first = 0 if self.window is None else max(0, len(seen[0]) - self.window - 1)
        self.kept = kept = tuple(x[first:] for x in seen)
        return kept


class _Chunks(NamedTuple):
    """Chunks of one size: whole dialogues, or parts, which see their neighbors."""

    size: int
    rows: int
    whole: bool
    mask: Tensor | None


class _Dropout(Dropout):
    # Drawing from a Bernoulli distribution takes 2.5 times as long on a CPU.
    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.p > 0:
            drawn = rand(x.shape, dtype=x.dtype, device=x.device)
            x = x * drawn.ge_(self.p).mul_(1 / (1 - self.p))
        return x


class _Layer(nn.Module):
    def __init__(
        self, size: int, heads: int, hidden: int, dropout: float, norm_first: bool
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(2))
        self.attention = _Attention(size, heads)
        self.dropout = _Dropout(dropout)
        self.feedforward = nn.Sequential(
            nn.Linear(size, hidden),
            nn.ReLU(),
            _Dropout(dropout),
            nn.Linear(hidden, size),
            _Dropout(dropout),
        )

    def forward(self, x: Tensor, *where: Any) -> Tensor:
        return self._around(lambda z: self.attention(z, *where), x)

    def step(self, x: Tensor, memory: _Memory, angles: Tensor | None) -> Tensor:
        return self._around(lambda z: self.attention.step(z, memory, angles), x)

    def _around(self, attention: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        first, second = self.norms
        if self.norm_first:
            x = x + self.dropout(attention(first(x)))
            return x + self.feedforward(second(x))
        x = first(x + self.dropout(attention(x)))
        return second(x + self.feedforward(x))


class _Attention(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.size, self.heads = size, heads
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)

    def forward(
        self, x: Tensor, row: Tensor, chunks: list[_Chunks], angles: Tensor | None
    ) -> Tensor:
        qkv = self._project(x, angles)
        rows = [each.rows for each in chunks]
        padded = qkv.new_zeros(sum(rows), qkv.shape[1]).index_copy(0, row, qkv)
        parts = zip(padded.split(rows), chunks, strict=True)
        out = torch.cat([self._attend(part, each) for part, each in parts])
        return self.out(out.index_select(0, row))

    def step(self, x: Tensor, memory: _Memory, angles: Tensor | None) -> Tensor:
        q, k, v = self._project(x, angles).split(self.size, dim=1)
        k, v = memory.add(k, v)
        q, k, v = (
            part.unflatten(1, (self.heads, -1)).movedim(0, 1) for part in (q, k, v)
        )
        out = F.scaled_dot_product_attention(q[None], k[None], v[None])
        return self.out(out[0].movedim(1, 0).flatten(1))

    def _project(self, x: Tensor, angles: Tensor | None) -> Tensor:
        qkv = self.qkv(x)
        if angles is None:
            return qkv
        qk, v = qkv.split([2 * self.size, self.size], dim=1)
        return torch.cat([_rotate(qk, angles), v], dim=1)

    def _attend(self, qkv: Tensor, chunks: _Chunks) -> Tensor:
        q, k, v = qkv.view(-1, chunks.size, qkv.shape[1]).split(self.size, dim=2)
        if not chunks.whole:
            k, v = _with_neighbors(k), _with_neighbors(v)
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (q, k, v)
        )
        out = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=chunks.mask,
            is_causal=chunks.mask is None,
        )
        return out.transpose(1, 2).reshape(-1, self.size)


def _lay_out_one(
    x: Tensor, lengths: Tensor, window: int | None, causal: bool
) -> tuple[Tensor, Tensor, list[_Chunks]]:
    """Take the only dialogue of an exported network for one chunk."""
    n = x.shape[0]
    turn = torch.arange(n, device=x.device)
    seen = turns_near(turn, window, 0 if causal else window)
    mask = x.new_zeros(seen.shape).masked_fill_(~seen, -torch.inf)
    return turn, turn, [_Chunks(n, n, True, mask)]


def _lay_out(
    x: Tensor, lengths: Tensor, window: int | None, causal: bool
) -> tuple[Tensor, Tensor, list[_Chunks]]:
    """Cut dialogues into chunks and pad the last; tell the row of each utterance."""
    turn = ranges(0, lengths)
    # One size for all would pad short dialogues to the longest of the batch.
    size = STEP * -(-lengths // STEP)
    if window is not None:
        size = size.clamp(max=STEP * -(-max(window, 1) // STEP))
    rows = -(-lengths // size) * size
    order = size.argsort(stable=True)
    start = (rows[order].cumsum(0) - rows[order])[order.argsort()]
    row = turn + start.repeat_interleave(lengths)
    owner = turn.new_zeros(int(rows.sum()))
    owner[row] = row - turn + 1
    sizes = size.unique().tolist()
    parts = owner.split([int(rows[size == each].sum()) for each in sizes])
    owners = (part.view(-1, each) for part, each in zip(parts, sizes, strict=True))
    return turn, row, [_describe(each, window, causal, x) for each in owners]


def _describe(owner: Tensor, window: int | None, causal: bool, x: Tensor) -> _Chunks:
    n, size = owner.numel(), owner.shape[1]
    cut = bool((owner[1:, 0] == owner[:-1, 0]).any())
    whole = not cut and (window is None or window >= size - 1)
    if whole and causal:
        # Padding comes last, where no utterance looks.
        return _Chunks(size, n, whole, None)
    if whole or window is None:
        seen = (owner > 0)[:, None, None]
    else:
        seen = _near(owner, window, causal)
    mask = x.new_zeros(seen.shape).masked_fill_(~seen, -torch.inf)
    return _Chunks(size, n, whole, mask)


def _near(owner: Tensor, window: int, causal: bool) -> Tensor:
    size = owner.shape[1]
    place = torch.arange(3 * size, device=owner.device)
    gap = place[size : 2 * size, None] - place
    near = (gap <= window) & (gap >= (0 if causal else -window))
    # Padding sees padding: rows that see nothing would be NaN.
    return (near & (owner[:, :, None] == _with_neighbors(owner)[:, None]))[:, None]


def _with_neighbors(x: Tensor) -> Tensor:
    """Join each chunk with the one before and after: (k, 3 * size, ...), a view."""
    size = x.shape[1]
    x = F.pad(x, (0, 0) * (x.ndim - 1) + (1, 1)).flatten(0, 1)
    return x.unfold(0, 3 * size, size).movedim(-1, 1)


def _angles(turn: Tensor, width: int) -> Tensor:
    power = torch.arange(0, width, 2, device=turn.device).float() / width
    return turn[:, None] / 10000**power


def _waves(turn: Tensor, x: Tensor) -> Tensor:
    angles = _angles(turn, x.shape[1])
    waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
    return waves[:, : x.shape[1]].to(x)


def _rotate(x: Tensor, angles: Tensor) -> Tensor:
    cos, sin = angles.cos().to(x)[:, None], angles.sin().to(x)[:, None]
    a, b = x.unflatten(1, (-1, 2, angles.shape[1])).unbind(2)
    return torch.stack([a * cos - b * sin, b * cos + a * sin], dim=2).flatten(1)


def _check(size: int, heads: int, window: int | None, position: str | None) -> None:
    if size % heads:
        raise ValueError(
            f"heads={heads} does not divide size={size}: choose another number of "
            f"heads, or round size up to {heads * -(-size // heads)}."
        )
    if position not in (None, "rotary", "sinusoidal"):
        raise ValueError(
            f"position={position!r} is unknown; use None, 'rotary' or 'sinusoidal'."
        )
    if position == "rotary" and size // heads % 2:
        raise ValueError(f"Rotary position needs size / heads even: {size} / {heads}.")
    if window is not None and window < 0:
        raise ValueError(f"window={window} is negative; None shows whole dialogues.")
