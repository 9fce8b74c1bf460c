"""Learning rate and momentum of an object detector, tuned from the usual defaults.

A detector in the manner of YOLO is trained on images that this program draws: one to three circles, squares
and triangles of random place, size and colour on a noisy ground. The net sees an image once and gives, for
each cell of a 6 x 6 grid, one box without anchors, how sure it is that the centre of an object lies in the
cell, and what the object is. The loss is a cross-entropy for the second, complete IoU for the box, and a
cross-entropy for the class. The optimizer is SGD with a cosine schedule, and the defaults are those that
detectors are handed around with: a learning rate of 0.01 and a momentum of 0.937.

The score is mAP@0.5: the mean over the classes of the area under the precision-recall curve, where a box
is right if it shares at least half of its union with an object of its class that no surer box has taken.
It is no mean over images, so that the search is given a scorer of its own, which is a plain function of net,
images and targets. The targets are one array, so that cross-validation can take rows of it.

The search is ASHA with a Gaussian process. Two smooth numbers are few enough for such a model, and full
trainings dear enough to want one; and most candidates, which learn nothing or diverge, are found out after
four epochs of twelve. The defaults are the first candidate, so that the search knows what is to be beaten.

Printed are the best candidates; the training loss and the mAP on validation images after each epoch, with the
defaults and with the tuned values; and both mAPs on held-out images, by which nothing was chosen. One GPU or
more are used where there are any. Needs the extra ``torch``, and for ``--picture`` also ``plot``.

    pip install "skhpo[torch,plot]"
    python examples/detection_lr_momentum.py
    python examples/detection_lr_momentum.py --images 4000 --epochs 54 --candidates 60 --picture curves.png

The first takes a minute on one core.
"""

import argparse
import time
from typing import NamedTuple

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.model_selection import ShuffleSplit

from skhpo import ASHASearchCV

try:
    import torch
    from skorch import NeuralNet
    from skorch.callbacks import EpochScoring, LRScheduler
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split
except ImportError:
    print("This example needs torch and skorch: pip install 'skhpo[torch]'")
    raise SystemExit from None

CLASSES = ("circle", "square", "triangle")
SIZE = 48  # pixels of an image's side
GRID = 6  # cells of a side; no two centres share a cell, since boxes are larger than cells and do not overlap
MOST = 3  # objects in an image
NOISE = 0.1  # standard deviation, of colours from 0 to 1

DEFAULTS = {"lr": 0.01, "optimizer__momentum": 0.937}
SPACE = {"lr": loguniform(1e-4, 1e-1), "optimizer__momentum": uniform(0, 1)}


# --- Images, and the objects on them -------------------------------------------------------------------


class Boxes(NamedTuple):
    """Objects or detections of many images, one after the other; corners are left, top, right, bottom."""

    image: np.ndarray  # (n,) int, which image
    label: np.ndarray  # (n,) int, index into CLASSES
    corners: np.ndarray  # (n, 4) float, as fractions of the image's side
    confidence: np.ndarray  # (n,) float

    def where(self, mask):
        return Boxes(*(column[mask] for column in self))


def iou(a, b):
    """Intersection over union of boxes (..., 4) given by their corners."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(min=0).prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    return shared / np.maximum(areas - shared, 1e-12)


def draw(n_images, seed):
    """Images (n, 3, SIZE, SIZE) in float32, and their objects; the same for the same seed."""
    rng = np.random.default_rng(seed)
    ground = rng.uniform(0.0, 0.5, (n_images, 3, 1, 1))
    images = np.broadcast_to(ground, (n_images, 3, SIZE, SIZE)).copy()
    images += rng.normal(0.0, NOISE, images.shape)
    pixels = np.arange(SIZE) + 0.5
    x, y = pixels[None, None, :], pixels[None, :, None]

    corners, labels, present = [], [], []
    wanted = rng.integers(1, MOST + 1, n_images)
    for k in range(MOST):
        label = rng.integers(len(CLASSES), size=n_images)
        radius = rng.uniform(5.0, 9.0, n_images)
        # Of eight places the first that is free; a crowded image has an object less.
        half = np.stack([radius, np.where(label == 2, np.sqrt(3) / 2, 1.0) * radius], axis=-1)
        centre = half[:, None] + rng.uniform(size=(n_images, 8, 2)) * (SIZE - 2 * half[:, None])
        box = np.concatenate([centre - half[:, None], centre + half[:, None]], axis=-1)
        free = np.ones((n_images, 8), dtype=bool)
        for other, there in zip(corners, present, strict=True):
            free &= (iou(box, other[:, None]) == 0) | ~there[:, None]
        place = free.argmax(axis=1)
        there = free.any(axis=1) & (k < wanted)
        box, (cx, cy) = box[np.arange(n_images), place], centre[np.arange(n_images), place].T

        dx, dy = x - cx[:, None, None], y - cy[:, None, None]
        w, h = half[:, 0, None, None], half[:, 1, None, None]
        disc = dx**2 + dy**2 <= w**2
        square = np.maximum(abs(dx), abs(dy)) <= w
        triangle = (abs(dy) <= h) & (abs(dx) / w <= (dy / h + 1) / 2)
        mask = np.choose(label[:, None, None], [disc, square, triangle]) & there[:, None, None]
        colour = rng.uniform(0.3, 1.0, (n_images, 3, 1, 1)) + rng.normal(0.0, NOISE, images.shape)
        images = np.where(mask[:, None], colour, images)
        corners.append(box)
        labels.append(label)
        present.append(there)

    image, k = np.nonzero(np.stack(present, axis=1))
    boxes = np.stack(corners, axis=1)[image, k] / SIZE
    objects = Boxes(image, np.stack(labels, axis=1)[image, k], boxes, np.ones(len(image)))
    return images.astype(np.float32), objects


# --- Objects as targets of a net, and its answers as detections -------------------------------------------


def encode(objects, n_images):
    """Targets (n_images, GRID, GRID, 6): objectness, centre, width, height, class; zeros where nothing is."""
    targets = np.zeros((n_images, GRID, GRID, 6), dtype=np.float32)
    centre = (objects.corners[:, :2] + objects.corners[:, 2:]) / 2
    column, row = (centre * GRID).astype(int).clip(max=GRID - 1).T
    size = objects.corners[:, 2:] - objects.corners[:, :2]
    is_object = np.ones((len(centre), 1))
    rows = np.concatenate([is_object, centre, size, objects.label[:, None]], axis=1)
    targets[objects.image, row, column] = rows
    return targets


def decode(targets):
    """The objects that were encoded, image by image."""
    image, row, column = np.nonzero(targets[..., 0])
    cells = targets[image, row, column].astype(float)
    return Boxes(image, cells[:, 5].astype(int), _corners(cells[:, 1:5]), cells[:, 0])


def detect(outputs, least_confidence=0.01, most_overlap=0.5):
    """Detections in the outputs (n, GRID, GRID, 5 + classes) of a net.

    Of detections of one class that overlap only the surest is kept (non-maximum suppression).
    """
    cells = outputs.reshape(len(outputs), GRID * GRID, -1).astype(float)
    logits = cells[..., 5:] - cells[..., 5:].max(axis=-1, keepdims=True)
    odds = np.exp(logits)
    # The surest class has a logit of zero now.
    confidence = 1 / (1 + np.exp(-cells[..., 0].clip(-50, 50))) / odds.sum(axis=-1)
    # In a net that has diverged everything is NaN, and nothing is confident.
    order = np.argsort(-confidence, axis=1, kind="stable")
    confidence = np.take_along_axis(confidence, order, axis=1)
    label = np.take_along_axis(logits.argmax(axis=-1), order, axis=1)
    corners = np.take_along_axis(_corners(cells[..., 1:5]), order[..., None], axis=1)

    rivals = label[:, :, None] == label[:, None, :]
    rivals &= iou(corners[:, :, None], corners[:, None, :]) > most_overlap
    kept = confidence >= least_confidence
    for k in range(1, kept.shape[1]):
        kept[:, k] &= ~(rivals[:, k, :k] & kept[:, :k]).any(axis=1)
    image, k = np.nonzero(kept)
    return Boxes(image, label[image, k], corners[image, k], confidence[image, k])


def _corners(boxes):
    centre, size = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([centre - size / 2, centre + size / 2], axis=-1)


# --- The score -----------------------------------------------------------------------------------------


def average_precision(found, objects, threshold=0.5):
    """Area under the precision-recall curve of the detections of one class; 0 without detections.

    From the surest on, each detection takes the object of its image that it overlaps most, of those that
    are free yet. With less than ``threshold`` it is wrong, and so is a second detection of an object. The
    precision at a recall is the best of any recall as large, at all points (PASCAL VOC from 2010 on).
    """
    free = np.ones(len(objects.image), dtype=bool)
    right = np.zeros(len(found.image), dtype=bool)
    for rank, i in enumerate(np.argsort(-found.confidence, kind="stable")):
        candidates = np.flatnonzero(free & (objects.image == found.image[i]))
        if candidates.size:
            overlaps = iou(found.corners[i], objects.corners[candidates])
            right[rank] = overlaps.max() >= threshold
            free[candidates[overlaps.argmax()]] &= not right[rank]
    n_right = np.cumsum(right)
    precision = n_right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    # Recall grows by the same step at each right one, and by none at the others.
    return envelope[right].sum() / len(free)


def mean_average_precision(found, objects, threshold=0.5):
    """Mean over the classes that the images have."""
    scores = []
    for label in np.unique(objects.label):
        mine, real = found.where(found.label == label), objects.where(objects.label == label)
        scores.append(average_precision(mine, real, threshold))
    return float(np.mean(scores))


def map50(net, X, y):
    """mAP@0.5 of a fitted net: a scorer, as scikit-learn and skorch take it."""
    return mean_average_precision(detect(net.predict(X)), decode(np.asarray(y)))


# --- The net --------------------------------------------------------------------------------------------


class GridDetector(torch.nn.Module):
    """Images to (n, GRID, GRID, 5 + classes): logit of objectness, box as in targets, logits of classes."""

    def __init__(self, width=12):
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 4 * width]
        layers = []
        for before, after, stride in zip(channels, channels[1:], (2, 2, 2, 1), strict=False):
            layers += [
                torch.nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
                torch.nn.BatchNorm2d(after),
                torch.nn.ReLU(),
            ]
        self.body = torch.nn.Sequential(*layers)
        self.head = torch.nn.Conv2d(4 * width, 5 + len(CLASSES), 1)
        # One cell in twenty holds an object: begin with that, and not with every second.
        torch.nn.init.constant_(self.head.bias[0], -3.0)
        row, column = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
        self.register_buffer("cell", torch.stack([column, row], dim=-1).float())

    def forward(self, X):
        out = self.head(self.body(X)).permute(0, 2, 3, 1)
        # Half a cell beyond the cell's own borders, which a sigmoid would never reach.
        centre = (self.cell + 2 * out[..., 1:3].sigmoid() - 0.5) / GRID
        size = out[..., 3:5].sigmoid()
        return torch.cat([out[..., :1], centre, size, out[..., 5:]], dim=-1)


class DetectionLoss(torch.nn.Module):
    """Sum over an image's cells and objects, mean over the images, with the paper's weight of boxes."""

    def __init__(self, box_weight=5.0):
        super().__init__()
        self.box_weight = box_weight

    def forward(self, outputs, targets):
        functional = torch.nn.functional
        objectness = functional.binary_cross_entropy_with_logits(
            outputs[..., 0], targets[..., 0], reduction="sum"
        )
        has_object = targets[..., 0] == 1
        found, wanted = outputs[has_object], targets[has_object]
        box = (1 - complete_iou(found[:, 1:5], wanted[:, 1:5])).sum()
        label = functional.cross_entropy(found[:, 5:], wanted[:, 5].long(), reduction="sum")
        return (objectness + self.box_weight * box + label) / len(targets)


def complete_iou(a, b):
    """IoU less the centres' distance and the shapes' difference (Zheng et al. 2020, arXiv:1911.08287)."""
    first_a, last_a = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    first_b, last_b = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    shared = (torch.minimum(last_a, last_b) - torch.maximum(first_a, first_b)).clamp(min=0).prod(dim=1)
    overlap = shared / (a[:, 2:].prod(dim=1) + b[:, 2:].prod(dim=1) - shared + 1e-7)
    diagonal2 = (torch.maximum(last_a, last_b) - torch.minimum(first_a, first_b)).square().sum(dim=1) + 1e-7
    distance2 = (a[:, :2] - b[:, :2]).square().sum(dim=1)
    angle = torch.atan2(a[:, 2], a[:, 3]) - torch.atan2(b[:, 2], b[:, 3])
    v = 4 / torch.pi**2 * angle.square()
    with torch.no_grad():
        alpha = v / (1 - overlap + v + 1e-7)
    return overlap - distance2 / diagonal2 - alpha * v


# --- The search -----------------------------------------------------------------------------------------


def train(net, params, images, validation, seeds):
    """Nets with other parameters, one for each seed, which keep their mAP on validation images."""
    nets = []
    for seed in seeds:
        torch.manual_seed(seed)
        curve = ("map50", EpochScoring(map50, lower_is_better=False, name="map50"))
        copy = clone(net).set_params(**params, train_split=predefined_split(Dataset(*validation)))
        nets.append(copy.set_params(callbacks=[*copy.callbacks, curve]).fit(*images))
    return nets


def mean_curve(nets, name):
    return np.mean([net.history[:, name] for net in nets], axis=0)


def picture(path, nets):
    """Save the curves of nets, given by what they are called."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("A picture needs matplotlib: pip install 'skhpo[plot]'")
        return
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for ax, name, label in zip(
        figure.subplots(1, 2), ("train_loss", "map50"), ("training loss", "validation mAP@0.5"), strict=True
    ):
        for title, group in nets.items():
            curve = mean_curve(group, name)
            ax.plot(np.arange(1, len(curve) + 1), curve, label=title)
        ax.set(xlabel="epoch", ylabel=label)
        ax.legend()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=600, help="of which a quarter is for validation")
    parser.add_argument("--epochs", type=int, default=12, help="of the full training")
    parser.add_argument("--candidates", type=int, default=18, help="the defaults included")
    parser.add_argument("--repeats", type=int, default=2, help="trainings that curves and mAPs are means of")
    parser.add_argument("--jobs", type=int, default=None, help="trainings at once, in as many processes")
    parser.add_argument("--picture", help="file for a picture of the curves")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    X, objects = draw(args.images, seed=args.seed)
    y = encode(objects, args.images)
    X_test, objects = draw(500, seed=args.seed + 1000)
    y_test = encode(objects, 500)
    fitted, validation = next(ShuffleSplit(1, test_size=0.25, random_state=args.seed).split(X))
    net = NeuralNet(
        GridDetector,
        criterion=DetectionLoss,
        optimizer=torch.optim.SGD,
        batch_size=16,
        iterator_train__shuffle=True,
        train_split=None,
        max_epochs=args.epochs,
        callbacks=[("schedule", LRScheduler("CosineAnnealingLR", T_max=args.epochs))],
        device="cuda" if torch.cuda.is_available() else "cpu",  # of what is trained outside the search
        verbose=0,
        **DEFAULTS,
    )
    search = ASHASearchCV(
        net,
        SPACE,
        n_iter=args.candidates,
        min_resources=4,
        sampler="gp",
        scoring=map50,
        cv=[(fitted, validation)],
        refit=False,
        n_jobs=args.jobs,
        devices="auto",
        initial_candidates=[DEFAULTS],
        random_state=args.seed,
    )
    start = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - start

    print(f"{args.candidates} candidates in {seconds:.0f} s; ", end="")
    print(
        ", ".join(
            f"{n} of {r} epochs" for r, n in zip(search.n_resources_, search.n_candidates_, strict=True)
        )
    )
    table = search.cv_results_
    print(
        f"\n{'lr':>10s} {'momentum':>10s} {'epochs':>7s} {'mAP@0.5':>8s}, the best that were trained in full"
    )
    in_full = np.flatnonzero(table["n_resources"] == search.max_resources_)
    for i in in_full[np.argsort(-table["mean_test_score"][in_full])][:5]:
        lr, momentum = (table[f"param_{name}"][i] for name in SPACE)
        score = table["mean_test_score"][i]
        print(f"{lr:10.5f} {momentum:10.3f} {table['n_resources'][i]:7d} {score:8.3f}")

    seeds = range(args.seed, args.seed + args.repeats)
    tuned = {name: search.best_params_[name] for name in SPACE}
    nets = {
        title: train(net, params, (X[fitted], y[fitted]), (X[validation], y[validation]), seeds)
        for title, params in (("defaults", DEFAULTS), ("tuned", tuned))
    }
    print(f"\n{'':5s} {'defaults':>21s} {'tuned':>21s}")
    print("epoch" + 2 * f" {'training loss':>13s} {'mAP@0.5':>7s}")
    columns = [mean_curve(group, name) for group in nets.values() for name in ("train_loss", "map50")]
    for epoch, row in enumerate(zip(*columns, strict=True), start=1):
        print(f"{epoch:5d}" + " {:13.3f} {:7.3f} {:13.3f} {:7.3f}".format(*row))

    print(f"\nmAP@0.5 on {len(X_test)} held-out images, mean of {args.repeats} trainings")
    for (title, group), params in zip(nets.items(), (DEFAULTS, tuned), strict=True):
        scores = [map50(trained, X_test, y_test) for trained in group]
        lr, momentum = params.values()
        print(f"  {title:9s} lr={lr:.4g}, momentum={momentum:.3g}: {np.mean(scores):.3f}")
    if args.picture:
        picture(args.picture, nets)


if __name__ == "__main__":
    main()
