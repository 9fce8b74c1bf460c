"""A torch network on digits, with epochs as the budget.

Learning rate, momentum, weight decay, dropout and width of a skorch net are searched by Hyperband. Every
candidate is trained for a few epochs, and the better ones go on from where they stopped, with the state of
their optimizer. Printed are the rungs, the epochs that were trained, and how many it would have taken to
train every candidate in full. Needs the extra ``torch``.

    pip install "skhpo[torch]"
    python examples/budget_skorch.py
    python examples/budget_skorch.py --device cuda

Takes half a minute on one core.
"""

import argparse
import time

import numpy as np
from scipy.stats import loguniform, randint, uniform
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skhpo import HyperbandSearchCV

try:
    import torch
    from skorch import NeuralNetClassifier
except ImportError:
    print("This example needs torch and skorch: pip install 'skhpo[torch]'")
    raise SystemExit from None


class Net(torch.nn.Module):
    def __init__(self, width=64, dropout=0.0):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(64, width),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(width, width),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(width, 10),
        )

    def forward(self, X):
        return self.layers(X)


SPACE = {
    "lr": loguniform(1e-3, 1.0),
    "optimizer__momentum": uniform(0.0, 0.99),
    "optimizer__weight_decay": loguniform(1e-6, 1e-1),
    "module__dropout": uniform(0.0, 0.7),
    "module__width": randint(16, 257),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where nets are trained: cpu or cuda")
    parser.add_argument("--epochs", type=int, default=27, help="of the full training")
    parser.add_argument("--sampler", default="random", help="tpe makes it BOHB")
    args = parser.parse_args()

    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    net = NeuralNetClassifier(
        Net,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        batch_size=64,
        iterator_train__shuffle=True,
        train_split=None,
        max_epochs=args.epochs,
        device=args.device,
        verbose=0,
    )
    search = HyperbandSearchCV(net, SPACE, sampler=args.sampler, cv=3, random_state=0)
    start = time.perf_counter()
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - start

    table = search.cv_results_
    print("rungs")
    for i, (epochs, n_candidates) in enumerate(zip(search.n_resources_, search.n_candidates_, strict=True)):
        scores = table["mean_test_score"][table["iter"] == i]
        best, worst = scores.max(), scores.min()
        print(f"  {epochs:3d} epochs: {n_candidates:3d} candidates, accuracy {worst:.3f} to {best:.3f}")
    # Whoever comes back in a higher rung has been trained on, to as many in all as the last row says.
    trained = {}
    for candidate, epochs in zip(table["candidate"], table["n_resources"], strict=True):
        trained[candidate] = max(trained.get(candidate, 0), epochs)
    in_full = len(trained) * args.epochs
    print(f"{len(trained)} candidates in {seconds:.0f} s on {args.device}")
    print(f"epochs trained on each fold: {sum(trained.values())}; every candidate in full: {in_full}")
    print(f"cross-validated accuracy {search.best_score_:.3f}, test {search.score(X_test, y_test):.3f}")
    for name, value in sorted(search.best_params_.items()):
        print(f"  {name} = {value:.4g}")


if __name__ == "__main__":
    main()
