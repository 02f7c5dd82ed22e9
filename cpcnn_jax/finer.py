"""Networks with finer density classes than those of the training that they go on from.

Each class becomes a few classes that are as likely as each other, and F-CNN looks at
each of these as it looked at the whole: before any training the networks count just as
they did. Training then finds out what the parts are.

Departs from the paper if asked for: its classes are five.
"""

import numpy as np

LOGITS = "head/logits/"  # of GCE and LCE
LOOKS = "fcnn/conv1/kernel"  # at DME's features, then at the scores of GCE and LCE


def refined(known, before):
    """Divide the classes of trained networks into those of new ones.

    Args:
      known: flat dict of a trained CP-CNN's weights, with K classes.
      before: flat dict of a new one's, with a multiple of K.

    Returns:
      The trained weights with as many classes as the new ones; as they were, if there
      is nothing to divide, or no whole number of parts.

    Example:
      >>> known = {"gce/head/logits/bias": np.array([1.0, 2.0])}
      >>> refined(known, {"gce/head/logits/bias": np.zeros(4)})
      {'gce/head/logits/bias': array([1., 1., 2., 2.])}
    """
    logits = {name: x for name, x in known.items() if LOGITS in name and name in before}
    parts = {before[name].shape[-1] / x.shape[-1] for name, x in logits.items()}
    if len(parts) != 1 or not (times := parts.pop()).is_integer():
        return known
    times = int(times)
    found = known | {name: np.repeat(x, times, -1) for name, x in logits.items()}
    if LOOKS in known:
        scores = sum(x.shape[-1] for name, x in logits.items() if x.ndim == 1)
        own, looked = np.split(known[LOOKS], [known[LOOKS].shape[2] - scores], axis=2)
        parts_looked = np.repeat(looked, times, axis=2)
        found[LOOKS] = np.concatenate([own, parts_looked], axis=2)
    return found
