"""Tiny random checkpoints of every encoder family, written as a hub would have them."""

import json
from pathlib import Path
from typing import Any

FAMILIES = {
    "data2vec-audio": "Data2VecAudio", "hubert": "Hubert", "sew": "SEW", "unispeech": "UniSpeech",
    "unispeech-sat": "UniSpeechSat", "wav2vec2": "Wav2Vec2", "wav2vec2-conformer": "Wav2Vec2Conformer",
    "wavlm": "WavLM",
}  # fmt: skip


def write_checkpoint(folder: Path, family: str, *, norm: str = "group", seed: int = 0, normalised: bool = True) -> Path:
    """Write a checkpoint of two layers, 20 ms a frame, and return its folder."""
    import torch
    import transformers

    settings: dict[str, Any] = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
        "conv_dim": (32, 32, 32), "conv_stride": (5, 8, 8), "conv_kernel": (10, 8, 8), "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2, "feat_extract_norm": norm,
    }  # fmt: skip
    if family == "data2vec-audio":
        del settings["feat_extract_norm"]
        settings |= {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 5}
    torch.manual_seed(seed)
    name = FAMILIES[family]
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**settings))
    model.save_pretrained(folder)
    about = {"do_normalize": normalised, "sampling_rate": 16_000, "feature_extractor_type": "Wav2Vec2FeatureExtractor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(about), "utf-8")
    return folder
