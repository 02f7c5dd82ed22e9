"""Networks with finer density classes than those of the training that they go on from.

Each class becomes a few classes that are as likely as each other, and F-CNN looks at
each of these as it looked at the whole: before any training the networks count just as
they did. Training then finds out what the parts are.

Departs from the paper if asked for: its classes are five.
"""

import numpy as np

LOGITS = "head/logits/"  # of GCE and LCE
LOOKS = "fcnn/conv1/kernel"  # at DME's features, then at the scores of GCE and LCE


def split_classes(known, before):
    """Divide the classes of trained networks into those of new ones.

    Args:
      known: flat dict of a trained CP-CNN's weights, with K classes.
      before: flat dict of a new one's, with a multiple of K.

    Returns:
      The trained weights with as many classes as the new ones; as they were, if they
      are of other networks.

    Raises:
      ValueError: the new classes are no multiple of K.

    Example:
      >>> known = {"gce/head/logits/bias": np.array([1.0, 2.0]), LOOKS: np.eye(5)[None]}
      >>> before = {"gce/head/logits/bias": np.zeros(4), LOOKS: np.zeros((1, 7, 5))}
      >>> split_classes(known, before)["gce/head/logits/bias"]
      array([1., 1., 2., 2.])
    """
    logits = {name: x for name, x in known.items() if LOGITS in name}
    if not logits or LOOKS not in known or known.keys() != before.keys():
        return known
    coarse, fine = (tree[next(iter(logits))].shape[-1] for tree in (known, before))
    times, rest = divmod(fine, coarse)
    if rest:
        raise ValueError(
            f"--config.init_from has {coarse} density classes, of which "
            f"--config.model.num_classes={fine} must be a multiple"
        )
    found = {name: np.repeat(x, times, axis=-1) for name, x in logits.items()}
    kernel = known[LOOKS]
    scores = sum(x.shape[-1] for name, x in logits.items() if name.endswith("bias"))
    features, classes = np.split(kernel, [kernel.shape[-2] - scores], axis=-2)
    parts = np.repeat(classes, times, axis=-2)
    return known | found | {LOOKS: np.concatenate([features, parts], axis=-2)}
