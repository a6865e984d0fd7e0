"""Train a network with two hidden layers on handwritten digits: plain NumPy code, compiled with its derivative.

Run `make demo`, or `python examples/digits.py`. The pictures go to out/.
"""

import statistics
import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import arignote as ag

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = NDArray[Any]
Layers = tuple[dict[str, Array], ...]

SIZES = (64, 128, 64, 10)
BATCH = 32
EPOCHS = 40
RATE = 0.05
MOMENTUM = 0.9
TIMED_STEPS = 300
OUT = Path("out")


def initial_layers(generator: np.random.Generator) -> Layers:
    """Weights that keep the variance of the signal through rectifiers (He et al., 2015), and zero biases."""
    return tuple(
        {
            "weights": (generator.normal(size=(n, m)) * np.sqrt(2 / n)).astype(np.float32),
            "bias": np.zeros(m, np.float32),
        }
        for n, m in zip(SIZES[:-1], SIZES[1:])
    )


def network(layers: Layers, images: Array) -> Array:
    """The scores of the ten digits, one row an image."""
    signal = images
    for layer in layers[:-1]:
        signal = np.maximum(signal @ layer["weights"] + layer["bias"], 0.0)
    return signal @ layers[-1]["weights"] + layers[-1]["bias"]


def loss(layers: Layers, images: Array, labels: Array) -> Any:
    """The mean cross-entropy; the largest score is subtracted so that no exponential overflows."""
    scores = network(layers, images)
    scores = scores - np.max(scores, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(scores), axis=1))
    return np.mean(log_total - scores[np.arange(len(labels)), labels])


loss_and_gradient = ag.jit(ag.value_and_grad(loss))


@ag.jit
def step(layers: Layers, velocity: Layers, images: Array, labels: Array, rate: float) -> tuple[Any, Layers, Layers]:
    """One step of gradient descent with momentum: the loss, the new layers and the new velocity."""
    value, gradient = loss_and_gradient(layers, images, labels)
    velocity = tuple(
        {name: MOMENTUM * old[name] - rate * slope[name] for name in old} for old, slope in zip(velocity, gradient)
    )
    layers = tuple({name: layer[name] + move[name] for name in layer} for layer, move in zip(layers, velocity))
    return value, layers, velocity


@ag.jit
def predict(layers: Layers, images: Array) -> Array:
    """The digit with the highest score, for each image."""
    return np.argmax(network(layers, images), axis=1)


def gradient_by_hand(layers: Layers, images: Array, labels: Array) -> tuple[Any, Layers]:
    """What `loss_and_gradient` computes, as one writes it in NumPy without a compiler."""
    signals = [images]
    for layer in layers[:-1]:
        signals.append(np.maximum(signals[-1] @ layer["weights"] + layer["bias"], 0.0))
    scores = signals[-1] @ layers[-1]["weights"] + layers[-1]["bias"]
    scores -= np.max(scores, axis=1, keepdims=True)
    exponentials = np.exp(scores)
    totals = np.sum(exponentials, axis=1, keepdims=True)
    rows = np.arange(len(labels))
    value = np.mean(np.log(totals[:, 0]) - scores[rows, labels])

    error = exponentials / totals
    error[rows, labels] -= 1.0
    error /= len(labels)
    gradient: list[dict[str, Array]] = []
    for layer, signal in zip(reversed(layers), reversed(signals)):
        gradient.append({"weights": signal.T @ error, "bias": np.sum(error, axis=0)})
        if signal is not images:  # nobody asks for the gradient of the images
            error = (error @ layer["weights"].T) * (signal > 0)
    return value, tuple(reversed(gradient))


def step_by_hand(
    layers: Layers, velocity: Layers, images: Array, labels: Array, rate: float
) -> tuple[Any, Layers, Layers]:
    """The same step by plain NumPy."""
    value, gradient = gradient_by_hand(layers, images, labels)
    velocity = tuple(
        {name: MOMENTUM * old[name] - rate * slope[name] for name in old} for old, slope in zip(velocity, gradient)
    )
    layers = tuple({name: layer[name] + move[name] for name in layer} for layer, move in zip(layers, velocity))
    return value, layers, velocity


def load_images() -> tuple[Array, Array, Array, Array]:
    """The 1,797 images of 8 x 8 pixels that scikit-learn ships, 80 % to train on and 20 % to test on."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels.astype(np.int64), test_size=0.2, random_state=0, stratify=labels
    )
    return train_images, train_labels, test_images, test_labels


def seconds(function: Any, *arguments: Any) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def compare_speed(layers: Layers, images: Array, labels: Array) -> tuple[float, float]:
    """Median seconds of a compiled step and of one by hand, in turns so that both see the same machine."""
    velocity = tuple({name: np.zeros_like(value) for name, value in layer.items()} for layer in layers)
    arguments = (layers, velocity, images[:BATCH], labels[:BATCH], RATE)
    compiled, by_hand = [], []
    for _ in range(TIMED_STEPS):
        compiled.append(seconds(step, *arguments))
        by_hand.append(seconds(step_by_hand, *arguments))
    return statistics.median(compiled), statistics.median(by_hand)


def largest_difference(layers: Layers, images: Array, labels: Array) -> float:
    """How far the compiled gradient is from the one by hand, relative to the largest entry of each array."""
    _, compiled = loss_and_gradient(layers, images, labels)
    _, by_hand = gradient_by_hand(layers, images, labels)
    return max(
        float(np.max(np.abs(ours[name] - theirs[name])) / np.max(np.abs(theirs[name])))
        for ours, theirs in zip(compiled, by_hand)
        for name in theirs
    )


def draw_learning_curve(losses: list[float], accuracies: list[float]) -> Path:
    """The loss of every epoch on the training images, and the accuracy on the test images."""
    figure, left = plt.subplots(figsize=(7, 4))
    right = left.twinx()
    epochs = range(1, len(losses) + 1)
    left.semilogy(epochs, losses, color="tab:blue")
    right.plot(epochs, accuracies, color="tab:orange")
    left.set_xlabel("epoch")
    left.set_ylabel("training loss", color="tab:blue")
    right.set_ylabel("test accuracy", color="tab:orange")
    figure.tight_layout()
    path = OUT / "learning_curve.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def draw_predictions(images: Array, labels: Array, predictions: Array) -> Path:
    """Some test images with what the network reads in them: its mistakes first, in red."""
    order = np.argsort(predictions == labels, kind="stable")[:24]
    figure, axes = plt.subplots(3, 8, figsize=(8, 3.8))
    for index, axis in zip(order, axes.flat):
        axis.imshow(images[index].reshape(8, 8), cmap="gray_r")
        right = predictions[index] == labels[index]
        title = f"{predictions[index]}" if right else f"{predictions[index]}, is {labels[index]}"
        axis.set_title(title, color="black" if right else "red", fontsize=9)
        axis.axis("off")
    figure.tight_layout()
    path = OUT / "predictions.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def main() -> None:
    """Train, test, time and draw."""
    OUT.mkdir(exist_ok=True)
    train_images, train_labels, test_images, test_labels = load_images()
    print(f"{len(train_images)} images to train on, {len(test_images)} to test on; layers of {SIZES} units")
    generator = np.random.default_rng(0)
    layers = initial_layers(generator)
    velocity = tuple({name: np.zeros_like(value) for name, value in layer.items()} for layer in layers)

    arguments = (layers, velocity, train_images[:BATCH], train_labels[:BATCH], RATE)
    first_call = seconds(step, *arguments)
    later_call = seconds(step, *arguments)
    difference = largest_difference(layers, train_images, train_labels)

    losses, accuracies = [], []
    progress = tqdm(range(EPOCHS), desc="training", unit="epoch")
    for epoch in progress:
        rate = RATE * (1.0 - epoch / EPOCHS)
        order = generator.permutation(len(train_images))
        values = []
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            value, layers, velocity = step(layers, velocity, train_images[batch], train_labels[batch], rate)
            values.append(value)
        losses.append(float(np.mean(values)))
        accuracies.append(float(np.mean(predict(layers, test_images) == test_labels)))
        progress.set_postfix(loss=f"{losses[-1]:.4f}", accuracy=f"{accuracies[-1]:.4f}")

    compiled, by_hand = compare_speed(layers, train_images, train_labels)
    predictions = predict(layers, test_images)
    pictures = draw_learning_curve(losses, accuracies), draw_predictions(test_images, test_labels, predictions)
    print(f"compile time        {first_call - later_call:8.3f} s    (first call of the step, less a later call)")
    print(f"time per step       {compiled * 1e6:8.1f} µs   compiled")
    print(f"                    {by_hand * 1e6:8.1f} µs   plain NumPy, gradients by hand ({by_hand / compiled:.2f} x)")
    print(f"gradient            {difference:8.1e}      largest relative difference from the one by hand")
    print(f"compilations of the step: {step.cache_info()}")
    print(f"pictures: {', '.join(map(str, pictures))}")
    print(f"test accuracy: {accuracies[-1]:.4f}")


if __name__ == "__main__":
    main()
