"""Claim: extracting frozen wav2vec2 frames of a minute of speech takes at most 1.1 times transformers' own pass.

The script also prints the time and memory of wav2vec2-base and -large on this machine: for frames of a frozen encoder,
and for a fine-tuning step on four clips of 3 s. The weights are random, the sizes are real, and each figure is measured
in a process of its own. `--gpu` measures the GPU, `--sizes base` skips the large model, and `--runs 1` is quicker.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from _verdict import at_most, detail, median_seconds

RATE = 16_000
CLIPS, CLIP_SECONDS = 10, 6.0  # a minute of speech
BATCH, BATCH_SECONDS = 4, 3.0  # from the recipe of the emodb-xlsr report
GOAL = 1.1
SIZES: dict[str, dict[str, Any]] = {
    "base": {},
    "large": {
        "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
        "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True,
    },
}  # fmt: skip
STEPS: dict[str, dict[str, Any]] = {
    "all weights": {},
    "all weights, checkpointing": {"checkpointing": True},
    "last 2 layers": {"tuning": "last"},
    "LoRA of rank 8": {"tuning": "lora"},
}


def write_checkpoint(size: str, folder: Path) -> None:
    """Write a checkpoint of random weights with the real size."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    Wav2Vec2Model(Wav2Vec2Config(**SIZES[size])).save_pretrained(folder)


def extract(folder: str, gpu: bool, runs: int) -> dict[str, float]:
    """Time serkit's front end and transformers' own model on a minute of speech, clip by clip."""
    import torch
    from transformers import AutoModel

    from serkit.lab.encoders.waveform_encoder import frozen_encoder
    from serkit.lab.features import build_front

    device = "cuda" if gpu else "cpu"
    clips = [
        torch.from_numpy(np.random.default_rng(i).normal(0, 0.1, round(RATE * CLIP_SECONDS)).astype(np.float32))
        for i in range(CLIPS)
    ]
    front = build_front([{"name": "ssl", "model": folder}])
    frozen_encoder(folder).to(device)
    theirs = AutoModel.from_pretrained(folder).eval().to(device)
    clips = [clip[None].to(device) for clip in clips]
    length = torch.tensor([clips[0].shape[1]], device=device)

    def ours() -> None:
        for clip in clips:
            front(clip, length)

    def plain() -> None:
        for clip in clips:
            theirs((clip - clip.mean()) / (clip.var() + 1e-7).sqrt())

    with torch.inference_mode():
        seconds, baseline = in_turn([ours, plain], gpu=gpu, runs=runs)
    return {"seconds": seconds, "baseline": baseline, "mb": peak_mb(gpu=gpu)}


def step(folder: str, kind: str, gpu: bool, runs: int) -> dict[str, float]:
    """Time a fine-tuning step."""
    import torch
    from torch.nn import functional

    from serkit.lab.features import Layout
    from serkit.lab.models import build_body
    from serkit.lab.recipes.schema import Train
    from serkit.lab.training.loop import build_optimizer

    device = "cuda" if gpu else "cpu"
    torch.manual_seed(0)
    layout = Layout("frames", (("waveform", 1),))
    body = build_body("ssl", {"model": folder, **STEPS[kind]}, layout=layout, classes=7).to(device).train()
    optimizer = build_optimizer(body.rates(), Train(lr=1e-4))
    size = round(RATE * BATCH_SECONDS)
    features = 0.1 * torch.randn(BATCH, 1, size, device=device)
    lengths = torch.full((BATCH,), size, device=device)
    targets = torch.arange(BATCH, device=device)

    def one() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=gpu):
            logits = body(features, lengths).logits
        functional.cross_entropy(logits.float(), targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    (seconds,) = in_turn([one], gpu=gpu, runs=runs)
    return {"seconds": seconds, "mb": peak_mb(gpu=gpu)}


def in_turn(actions: list[Callable[[], None]], *, gpu: bool, runs: int) -> list[float]:
    """Return the median duration of each action in seconds, including the work of the GPU."""
    import torch

    def done(action: Callable[[], None]) -> None:
        action()
        if gpu:
            torch.cuda.synchronize()

    return median_seconds([partial(done, action) for action in actions], runs=[runs] * len(actions), warm_up=1)


def peak_mb(*, gpu: bool) -> float:
    """Return the peak memory of this process or of its GPU in MB."""
    import torch

    return torch.cuda.max_memory_allocated() / 1e6 if gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measured(folder: Path, kind: str, *, gpu: bool, runs: int) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--one", str(folder), kind, "--runs", str(runs), *(["--gpu"] if gpu else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Run all measurements; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--sizes", default="base,large")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", nargs=2)
    given = parser.parse_args()
    gpu, runs = given.gpu, given.runs
    if given.one:
        folder, kind = given.one
        print(json.dumps(extract(folder, gpu, runs) if kind == "extract" else step(folder, kind, gpu, runs)))
        return 0
    ratios = []
    for size in given.sizes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            write_checkpoint(size, Path(folder))
            found = measured(Path(folder), "extract", gpu=gpu, runs=runs)
            ratios.append(found["seconds"] / found["baseline"])
            detail(f"wav2vec2-{size}: frozen frames of a minute of speech in {found['seconds']:.2f} s, "
                   f"{found['mb']:.0f} MB; transformers' own pass {found['baseline']:.2f} s")  # fmt: skip
            for kind in STEPS:
                found = measured(Path(folder), kind, gpu=gpu, runs=runs)
                detail(f"wav2vec2-{size}: a step of {BATCH} clips of {BATCH_SECONDS:.0f} s, {kind}: "
                       f"{found['seconds']:.3f} s, {found['mb']:.0f} MB")  # fmt: skip
    return at_most("encoders", max(ratios), GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
