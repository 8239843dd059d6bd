"""The chain of emotions behind `make_conversations`, and inference in it."""

import numpy as np

# Chance that a speaker goes on, and the size of the arrays of one batch of
# dialogues (dialogues x states x emotions), which bounds the memory.
_STAY = 0.2
_CHUNK_CELLS = 2_000_000


class Talk:
    """Who speaks when, and the chain of emotions that follows from it.

    Arrays of shape (n_dialogues, greatest length); what lies behind the end
    of a dialogue is computed along and never read.
    """

    def __init__(self, n_dialogues, turn_range, n_speakers, rng):
        least, greatest = turn_range
        self.n_speakers = n_speakers
        self.lengths = rng.randint(least, greatest + 1, size=n_dialogues)
        shape = (n_dialogues, self.lengths.max())
        self.used = np.arange(shape[1]) < self.lengths[:, None]
        self.speakers = self._draw_speakers(shape, rng)
        self.rows = self.speakers[self.used]
        self.turns = np.nonzero(self.used)[1]
        self._look_back()

    def _draw_speakers(self, shape, rng):
        step = rng.randint(1, max(self.n_speakers, 2), size=shape)
        step[rng.uniform(size=shape) < _STAY] = 0
        step[:, 0] = rng.randint(self.n_speakers, size=shape[0])
        return step.cumsum(axis=1) % self.n_speakers

    def _look_back(self):
        """Note at each turn who spoke last among the others (-1: nobody yet)."""
        self.others = np.full_like(self.speakers, -1)
        self.returning = np.zeros(self.used.shape, dtype=bool)
        for t in range(1, self.used.shape[1]):
            now, before = self.speakers[:, t], self.speakers[:, t - 1]
            self.others[:, t] = np.where(now == before, self.others[:, t - 1], before)
            self.returning[:, t] = (self.speakers[:, :t] == now[:, None]).any(axis=1)

    def draw_emotions(self, priors, inertia, contagion, rng):
        shape = self.used.shape
        fresh = rng.choice(len(priors), size=shape, p=priors)
        chance = rng.uniform(size=shape)
        keeps = (chance < inertia) & self.returning
        takes = (chance >= inertia) & (chance < inertia + contagion)
        takes &= self.others >= 0
        last = np.zeros((shape[0], self.n_speakers), dtype=int)
        emotions, each = np.empty(shape, dtype=int), np.arange(shape[0])
        for t in range(shape[1]):
            now = self.speakers[:, t]
            emotion = np.where(keeps[:, t], last[each, now], fresh[:, t])
            other = last[each, self.others[:, t]]
            emotions[:, t] = np.where(takes[:, t], other, emotion)
            last[each, now] = emotions[:, t]
        return emotions[self.used]

    def posterior(self, log_likelihood, priors, inertia, contagion):
        """Class probabilities of each row given its whole dialogue."""
        scaled = np.ones((*self.used.shape, len(priors)))
        best = log_likelihood.max(axis=1, keepdims=True)
        scaled[self.used] = np.exp(log_likelihood - best)
        result = np.empty_like(scaled)
        states = _States(len(priors), self.n_speakers)
        size = max(1, _CHUNK_CELLS // states.after[0].size)
        for start in range(0, len(scaled), size):
            part = slice(start, start + size)
            steps = _Steps(self, part, states, priors, inertia, contagion)
            result[part] = _forward_backward(scaled[part], steps)
        return result[self.used]


class _States:
    """The joint state, the last emotion of every speaker, as one number.

    Speakers who have not spoken yet stand at emotion 0 with certainty, and
    nothing reads them there.
    """

    def __init__(self, n_classes, n_speakers):
        place = n_classes ** np.arange(n_speakers)
        number = np.arange(n_classes**n_speakers)
        self.emotion = number // place[:, None] % n_classes
        cleared = number - self.emotion * place[:, None]
        choice = np.arange(n_classes) * place[:, None, None]
        self.after = cleared[:, :, None] + choice


class _Steps:
    """The transitions of some dialogues, one turn at a time."""

    def __init__(self, talk, part, states, priors, inertia, contagion):
        self.speakers, self.others = talk.speakers[part], talk.others[part]
        self.states, self.priors = states, priors
        self.keep = inertia * talk.returning[part]
        self.take = contagion * (self.others >= 0)

    def chances(self, t):
        """Probability of each emotion in each state, at turn t."""
        emotion, classes = self.states.emotion, np.arange(len(self.priors))
        own = emotion[self.speakers[:, t]][:, :, None] == classes
        other = emotion[self.others[:, t]][:, :, None] == classes
        keep, take = self.keep[:, t, None, None], self.take[:, t, None, None]
        return keep * own + take * other + (1 - keep - take) * self.priors

    def after(self, t):
        """State that follows each state and emotion, at turn t."""
        return self.states.after[self.speakers[:, t]]

    def collect(self, t, joint):
        """Sum what leads to the same state, from (state, emotion) to state."""
        now = self.states.emotion[self.speakers[:, t]][:, :, None]
        source = self.after(t) * joint.shape[2] + now
        flat = joint.reshape(len(joint), -1)
        gathered = np.take_along_axis(flat, source.reshape(flat.shape), axis=1)
        return gathered.reshape(joint.shape).sum(axis=2)


def _forward_backward(likelihood, steps):
    n_dialogues, n_turns, _ = likelihood.shape
    state = np.zeros((n_dialogues, steps.states.emotion.shape[1]))
    state[:, 0] = 1
    forward = []
    for t in range(n_turns):
        forward.append(state)
        joint = state[:, :, None] * steps.chances(t) * likelihood[:, t, None]
        state = steps.collect(t, joint)
        state /= state.sum(axis=1, keepdims=True)

    posterior = np.empty_like(likelihood)
    future = np.ones_like(state)
    for t in reversed(range(n_turns)):
        after = steps.after(t)
        ahead = np.take_along_axis(
            future, after.reshape(n_dialogues, -1), axis=1
        ).reshape(after.shape)
        ahead = ahead * steps.chances(t) * likelihood[:, t, None]
        posterior[:, t] = (forward[t][:, :, None] * ahead).sum(axis=1)
        future = ahead.sum(axis=2)
        future /= future.sum(axis=1, keepdims=True)
    return posterior / posterior.sum(axis=2, keepdims=True)
