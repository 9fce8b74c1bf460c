"""The score, the drawing and the targets of examples/detection_lr_momentum.py, worked by hand."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skorch")
torch = pytest.importorskip("torch")

PATH = Path(__file__).parents[2] / "examples" / "detection_lr_momentum.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location(PATH.stem, PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def boxes(example, rows):
    """From rows of image, label, left, top, right, bottom and perhaps confidence."""
    table = np.array([[*row, 1.0][:7] for row in rows], dtype=float).reshape(-1, 7)
    return example.Boxes(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:6], table[:, 6])


# Five objects of one class, each a unit square on an image of its own.
FIVE = [(i, 0, 0.0, 0.0, 1.0, 1.0) for i in range(5)]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7),
        ([0, 0, 2, 2], [0, 0, 2, 2], 1.0),
        ([0, 0, 2, 2], [0, 0, 1, 2], 0.5),
        ([0, 0, 3, 3], [1, 1, 2, 2], 1 / 9),
        ([0, 0, 1, 1], [1, 0, 2, 1], 0.0),
        ([0, 0, 1, 1], [5, 5, 6, 6], 0.0),
    ],
)
def test_iou(example, a, b, expected):
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    assert example.iou(a, b) == pytest.approx(expected)
    assert example.iou(b, a) == pytest.approx(expected)


def test_perfect_detections(example):
    _, objects = example.draw(20, seed=0)
    assert example.mean_average_precision(objects, objects) == 1.0


def test_no_detections(example):
    objects = boxes(example, FIVE)
    assert example.mean_average_precision(boxes(example, []), objects) == 0.0


def test_precision_recall_curve_by_hand(example):
    # From the surest on: right, right, wrong, right, wrong, wrong, right; one of the five is never found.
    # Precision at the right ones: 1/1, 2/2, 3/4, 4/7; recall grows by 1/5 at each.
    answers = [(0, 1), (1, 1), (2, 0), (2, 1), (3, 0), (4, 0), (3, 1)]
    found = boxes(
        example,
        [
            (image, 0, *((0, 0, 1, 1) if is_right else (2, 2, 3, 3)), 0.9 - 0.1 * k)
            for k, (image, is_right) in enumerate(answers)
        ],
    )
    expected = (1 + 1 + 3 / 4 + 4 / 7) / 5
    assert example.average_precision(found, boxes(example, FIVE)) == pytest.approx(expected)
    shuffled = found.where(np.array([3, 6, 0, 5, 2, 4, 1]))
    assert example.average_precision(shuffled, boxes(example, FIVE)) == pytest.approx(expected)


def test_envelope_takes_the_best_precision_of_any_larger_recall(example):
    # Wrong, right, right: precision 0, 1/2, 2/3, so that both steps of 1/2 count 2/3.
    found = boxes(example, [(0, 0, 2, 2, 3, 3, 0.9), (0, 0, 0, 0, 1, 1, 0.8), (1, 0, 0, 0, 1, 1, 0.7)])
    assert example.average_precision(found, boxes(example, FIVE[:2])) == pytest.approx(2 / 3)


def test_a_second_detection_of_an_object_is_wrong(example):
    # Right, duplicate, right: precision 1, 1/2, 2/3.
    found = boxes(example, [(0, 0, 0, 0, 1, 1, 0.9), (0, 0, 0, 0, 1, 1, 0.8), (1, 0, 0, 0, 1, 1, 0.7)])
    assert example.average_precision(found, boxes(example, FIVE[:2])) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(("right", "expected"), [(0.5, 1.0), (0.49, 0.0)])
def test_half_of_the_union_is_enough(example, right, expected):
    found = boxes(example, [(0, 0, 0, 0, right, 1)])
    assert example.average_precision(found, boxes(example, FIVE[:1])) == expected


def test_the_image_and_the_class_must_be_right(example):
    objects = boxes(example, [(0, 0, 0, 0, 1, 1), (1, 1, 0, 0, 1, 1)])
    assert example.mean_average_precision(boxes(example, [(1, 0, 0, 0, 1, 1)]), objects) == 0.0
    assert example.mean_average_precision(boxes(example, [(0, 1, 0, 0, 1, 1)]), objects) == 0.0
    # One class found, one not; what is of a class that no image has does not count.
    found = boxes(example, [(0, 0, 0, 0, 1, 1), (0, 2, 0, 0, 1, 1)])
    assert example.mean_average_precision(found, objects) == 0.5


def test_drawings_come_from_the_seed(example):
    images, objects = example.draw(30, seed=3)
    again, objects_again = example.draw(30, seed=3)
    other, _ = example.draw(30, seed=4)
    assert images.shape == (30, 3, example.SIZE, example.SIZE)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, again)
    for column, column_again in zip(objects, objects_again, strict=True):
        np.testing.assert_array_equal(column, column_again)
    assert not np.array_equal(images, other)


def test_objects_are_apart_inside_and_of_all_kinds(example):
    _, objects = example.draw(300, seed=0)
    counts = np.bincount(objects.image, minlength=300)
    assert set(counts) == {1, 2, 3}
    assert set(objects.label) == {0, 1, 2}
    assert objects.corners.min() >= 0
    assert objects.corners.max() <= 1
    same_image = objects.image[:, None] == objects.image
    overlaps = example.iou(objects.corners[:, None], objects.corners)
    np.testing.assert_array_equal(overlaps[same_image & ~np.eye(len(overlaps), dtype=bool)], 0)


def test_boxes_are_tight(example, monkeypatch):
    monkeypatch.setattr(example, "NOISE", 0.0)
    monkeypatch.setattr(example, "MOST", 1)
    images, objects = example.draw(50, seed=1)
    corners = objects.corners * example.SIZE
    # The ground is seen in the corner, unless the only object of the image is there.
    clear = corners[:, :2].max(axis=1) > 1
    assert clear.mean() > 0.9
    for image, box in zip(images[clear], corners[clear], strict=True):
        rows, columns = np.nonzero((image != image[:, :1, :1]).any(axis=0))
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        # A pixel belongs to a shape if its centre does; the tip of a triangle is narrower than a pixel.
        np.testing.assert_allclose(edges, box, atol=2.0)


def test_targets_hold_the_objects(example):
    _, objects = example.draw(200, seed=0)
    targets = example.encode(objects, 200)
    assert targets.shape == (200, example.GRID, example.GRID, 6)
    assert targets[..., 0].sum() == len(objects.image)
    back = example.decode(targets)
    order, order_back = (np.lexsort([b.corners[:, 0].round(4), b.image]) for b in (objects, back))
    np.testing.assert_array_equal(back.image[order_back], objects.image[order])
    np.testing.assert_array_equal(back.label[order_back], objects.label[order])
    np.testing.assert_allclose(back.corners[order_back], objects.corners[order], atol=1e-6)


def outputs_of(example, targets):
    """What a net would say that is sure of the targets."""
    outputs = np.zeros((*targets.shape[:3], 5 + len(example.CLASSES)))
    outputs[..., 0] = np.where(targets[..., 0] == 1, 20.0, -20.0)
    outputs[..., 1:5] = targets[..., 1:5]
    outputs[..., 5:] = 20.0 * (targets[..., 5:] == np.arange(len(example.CLASSES)))
    return outputs


def test_right_answers_score_one(example):
    _, objects = example.draw(100, seed=0)
    targets = example.encode(objects, 100)
    found = example.detect(outputs_of(example, targets))
    assert len(found.image) == len(objects.image)
    assert example.mean_average_precision(found, example.decode(targets)) == 1.0


def test_suppression_keeps_the_surest_of_each_class(example):
    outputs = np.zeros((1, example.GRID, example.GRID, 8))
    outputs[..., 0] = -20.0
    box = [0.5, 0.5, 0.3, 0.3]
    # Twice the same square, more and less sure; a circle there; a square elsewhere.
    outputs[0, 2, 2] = [2.0, *box, 0, 20, 0]
    outputs[0, 2, 3] = [3.0, *box, 0, 20, 0]
    outputs[0, 3, 3] = [1.0, *box, 20, 0, 0]
    outputs[0, 0, 0] = [0.0, 0.1, 0.1, 0.2, 0.2, 0, 20, 0]
    found = example.detect(outputs)
    assert list(found.label) == [1, 0, 1]
    np.testing.assert_allclose(found.confidence, 1 / (1 + np.exp([-3.0, -1.0, 0.0])), rtol=1e-6)
    np.testing.assert_allclose(found.corners[0], [0.35, 0.35, 0.65, 0.65])


def test_a_net_that_diverged_detects_nothing(example):
    outputs = np.full((2, example.GRID, example.GRID, 8), np.nan)
    assert len(example.detect(outputs).image) == 0


def test_complete_iou_by_hand(example):
    # Two squares of side 2, centres (1, 1) apart: IoU 1/7, squared distance 2, hull of side 3 (diagonal 18).
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.0]])
    b = torch.tensor([[1.0, 1.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0]])
    # Third: 2 x 1 on 1 x 2, IoU 1/3; v is (2/pi (atan 2 - atan 1/2))^2, alpha is v / (2/3 + v).
    v = (2 / np.pi * (np.arctan(2) - np.arctan(0.5))) ** 2
    expected = [1 / 7 - 2 / 18, 1.0, 1 / 3 - v**2 / (2 / 3 + v)]
    np.testing.assert_allclose(example.complete_iou(a, b), expected, rtol=1e-5)


def test_loss_is_least_for_right_answers(example):
    _, objects = example.draw(10, seed=0)
    targets = example.encode(objects, 10)
    outputs = torch.from_numpy(outputs_of(example, targets)).float()
    loss = example.DetectionLoss()
    right = loss(outputs, torch.from_numpy(targets))
    assert right < 1e-3
    moved = outputs.clone()
    moved[..., 1] += 0.02
    assert loss(moved, torch.from_numpy(targets)) > right + 0.1


def test_loss_takes_images_without_objects(example):
    net = example.GridDetector(width=8)
    targets = torch.zeros((2, example.GRID, example.GRID, 6))
    loss = example.DetectionLoss()(net(torch.zeros((2, 3, example.SIZE, example.SIZE))), targets)
    loss.backward()
    assert torch.isfinite(loss)
