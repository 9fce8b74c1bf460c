"""A convolutional network on images of digits, tuned on whatever devices there are.

Learning rate, momentum, weight decay, dropout and width of a skorch net are searched by ASHA: each candidate
is trained for three epochs, and whoever is among the best third goes on from where it stopped, with the
state of its optimizer. ``devices="auto"`` trains on the GPUs, where there are some, and changes nothing where
there are none, so that this is the same program on a laptop and on a machine with four cards.

Printed are the best candidate; its cross-validated accuracy, and its accuracy on held-out images, beside
those of the net as it was written; and the epochs that were trained, beside those that training every
candidate in full would have taken. The net as written is the first candidate. Needs the extra ``torch``.

    pip install "skhpo[torch]"
    python examples/gpu_skorch.py
    python examples/gpu_skorch.py --candidates 200 --epochs 81 --slots 4 --jobs 4

The first takes half a minute on one core. The last is for a GPU, which nets as small as these leave idle for
most of the time: it trains four at once on it, in as many processes. On four cards ``--jobs 4`` alone trains
one on each.
"""

import argparse
import time

import numpy as np
from scipy.stats import loguniform, randint, uniform
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split

from skhpo import ASHASearchCV

try:
    import torch
    from skorch import NeuralNetClassifier
except ImportError:
    print("This example needs torch and skorch: pip install 'skhpo[torch]'")
    raise SystemExit from None

# What one would write down at first.
DEFAULTS = {
    "lr": 0.01,
    "optimizer__momentum": 0.9,
    "optimizer__weight_decay": 1e-4,
    "module__dropout": 0.5,
    "module__width": 16,
}
SPACE = {
    "lr": loguniform(1e-3, 1.0),
    "optimizer__momentum": uniform(0.0, 0.99),
    "optimizer__weight_decay": loguniform(1e-6, 1e-2),
    "module__dropout": uniform(0.0, 0.8),
    "module__width": randint(4, 25),
}


class ConvNet(torch.nn.Module):
    """Images (n, 1, 8, 8) to the logits (n, 10) of the digits."""

    def __init__(self, width=16, dropout=0.5):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, width, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(width, 2 * width, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(2 * width * 2 * 2, 10),
        )

    def forward(self, X):
        return self.layers(X)


def slots(n):
    """What ``devices`` is for ``n`` trainings at once on each GPU."""
    return "auto" if n == 1 else {f"cuda:{i}": n for i in range(torch.cuda.device_count())} or None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--candidates", type=int, default=27)
    parser.add_argument("--epochs", type=int, default=27, help="of the full training")
    parser.add_argument("--sampler", default="random", help="tpe learns from the candidates before")
    parser.add_argument("--jobs", type=int, default=None, help="trainings at once, in as many processes")
    parser.add_argument("--slots", type=int, default=1, help="trainings at once on each GPU")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    digits = load_digits()
    X = (digits.images[:, None] / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(
        X, digits.target, test_size=1 / 3, stratify=digits.target, random_state=args.seed
    )
    net = NeuralNetClassifier(
        ConvNet,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        batch_size=64,
        iterator_train__shuffle=True,
        train_split=None,
        max_epochs=args.epochs,
        device="cuda" if torch.cuda.is_available() else "cpu",  # of what is trained outside the search
        verbose=0,
    ).set_params(**DEFAULTS)
    search = ASHASearchCV(
        net,
        SPACE,
        n_iter=args.candidates,
        min_resources=3,
        sampler=args.sampler,
        cv=StratifiedKFold(3, shuffle=True, random_state=args.seed),
        n_jobs=args.jobs,
        devices=slots(args.slots),
        initial_candidates=[DEFAULTS],
        random_state=args.seed,
    )
    torch.manual_seed(args.seed)
    start = time.perf_counter()
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - start

    torch.manual_seed(args.seed)
    by_hand = cross_val_score(clone(net), X_train, y_train, cv=search.cv).mean()
    by_hand_test = clone(net).fit(X_train, y_train).score(X_test, y_test)

    print(f"{'':12s} {'cross-validated':>15s} {'held out':>10s}")
    print(f"{'as written':12s} {by_hand:15.4f} {by_hand_test:10.4f}")
    print(f"{'tuned':12s} {search.best_score_:15.4f} {search.score(X_test, y_test):10.4f}")
    for name, default in DEFAULTS.items():
        print(f"  {name:24s} {default:8.4g} -> {search.best_params_[name]:.4g}")

    # Whoever is promoted is trained on, so that its last row has all of its epochs.
    table = search.cv_results_
    trained = {}
    for candidate, epochs in zip(table["candidate"], table["n_resources"], strict=True):
        trained[candidate] = max(trained.get(candidate, 0), epochs)
    spent, in_full = sum(trained.values()), len(trained) * args.epochs
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "a CPU"
    print(f"{len(trained)} candidates in {seconds:.0f} s on {where}:")
    for epochs, n in zip(search.n_resources_, search.n_candidates_, strict=True):
        print(f"  {n:3d} came as far as {epochs} epochs")
    print(
        f"Epochs trained on each fold: {spent}; in full for all: {in_full}, {in_full / spent:.1f} times that"
    )


if __name__ == "__main__":
    main()
