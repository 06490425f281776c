"""What criteria say of units, in float64 and straight from the formulas.

Notation: a consumer computes y = x W + b with W [channels, outputs]; a unit is `size` consecutive channels. Over all calibration tokens,
C = E[x x^T] - mu mu^T where a bias can take up the means (`affine`), else E[x x^T]; A = C + 1e-2 mean(diag C) I.

    flap           C_jj |w_j|^2 (always centred), summed over channels; what is left once the bias is repaired
    second_moment  E[x_j^2] |w_j|^2, summed over channels: what truncation leaves
    magnitude      squared L2 norm of all that is removed with the unit
    wanda_sp       mean |w_j| sqrt(E[x_j^2]), summed over channels
    obs            tr(W_g^T ((A^-1)_gg)^-1 W_g): the damped error of removing g and refitting the others
    osscar         backward: the unit that costs least as obs has it goes, then the rest is a problem of its own
    kcm            R2 D2: K_gh = exp(-|w_g - w_h|^2 / size) over outgoing weights; C = 1/n, C <- C o sqrt(K / (K C)) until it changes by less
                   than 1 %; R2 = diag C from 0 to 1; D2 = sqrt(E[sum of x^2]) over the largest
    random         uniform draws of xoshiro256**, seeded by the calibration's seed xor the first output for 2 * layer + (0 heads, 1 neurons)
"""

import dataclasses

import gradients  # before NumPy: it sets the threads

import numpy as np

DAMPING = 1e-2


@dataclasses.dataclass
class Site:
    """One consumer."""

    W: np.ndarray  # [channels, outputs]
    size: int  # channels of a unit
    x: np.ndarray = None  # [tokens, channels]
    producers: tuple = ()  # weights [outputs, inputs]
    affine: bool = True
    number: int = 0  # 2 * layer + (0 for heads, 1 for neurons)
    seed: int = 0

    def by_unit(self, channels):
        return channels.reshape(-1, self.size).sum(1)

    def units(self):
        return len(self.W) // self.size

    def channels(self, units):
        return (np.asarray(units, dtype=int)[:, None] * self.size + np.arange(self.size)).ravel()

    def system(self):
        """A."""
        x = self.x - self.x.mean(0) if self.affine else self.x
        C = x.T @ x / len(x)
        return C + DAMPING * np.diag(C).mean() * np.eye(len(C))


def flap(site):
    return site.by_unit((site.W**2).sum(1) * site.x.var(0))


def second_moment(site):
    return site.by_unit((site.W**2).sum(1) * (site.x**2).mean(0))


def magnitude(site):
    return sum((weight**2).reshape(site.units(), -1).sum(1) for weight in (site.W, *site.producers))


def wanda_sp(site):
    return site.by_unit(np.abs(site.W).mean(1) * np.sqrt((site.x**2).mean(0)))


def costs(inverse, W, size):
    """What removing each unit costs, all others kept and refitted."""
    if size == 1:
        return (W**2).sum(1) / np.diag(inverse)
    groups = [slice(at, at + size) for at in range(0, len(W), size)]
    return np.array([np.trace(W[g].T @ np.linalg.solve(inverse[g, g], W[g])) for g in groups])


def obs(site):
    return costs(np.linalg.inv(site.system()), site.W, site.size)


def osscar(site, count):
    """The units that are left when `count` are, ascending."""
    left, inverse, W = np.arange(site.units()), np.linalg.inv(site.system()), site.W
    while len(left) > count:
        worst = int(np.argmin(costs(inverse, W, site.size)))
        P = np.arange(worst * site.size, (worst + 1) * site.size)
        K = np.delete(np.arange(len(W)), P)
        # The inverse of A_KK, and the least squares weights of K, from those of K and P (block elimination).
        change = np.linalg.solve(inverse[np.ix_(P, P)], np.hstack([inverse[np.ix_(P, K)], W[P]]))
        inverse, W = inverse[np.ix_(K, K)] - inverse[np.ix_(K, P)] @ change[:, : len(K)], W[K] - inverse[np.ix_(K, P)] @ change[:, len(K) :]
        left = np.delete(left, worst)
    return left.tolist()


def error(A, W, kept):
    """min over V of tr((W - V)^T A (W - V)) with V zero outside of the kept channels, by the normal equations."""
    Y = A @ W
    return float((W * Y).sum() - (Y[kept] * np.linalg.solve(A[np.ix_(kept, kept)], Y[kept])).sum())


def kcm(site):
    points = site.W.reshape(site.units(), -1)
    squares = (points**2).sum(1)
    K = np.exp(-np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0) / site.size)
    C = np.full_like(K, 1 / len(K))
    while True:
        better = C * np.sqrt(K / (K @ C))
        done = np.linalg.norm(better - C) < 0.01 * np.linalg.norm(C)
        C = better
        if done:
            break
    own = np.diag(C)
    spread = np.ptp(own)
    own = (own - own.min()) / spread if spread > 1e-3 * own.max() else np.ones(len(own))
    active = np.sqrt(site.by_unit((site.x**2).mean(0)))
    return own * active / active.max()


def random(site):
    generator = gradients.Generator(site.seed ^ gradients.Generator(site.number).next())
    return np.array([generator.uniform() for _ in range(site.units())])


SCORES = {score.__name__: score for score in (flap, second_moment, magnitude, wanda_sp, obs, kcm, random)}
