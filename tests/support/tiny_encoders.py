"""Tiny random checkpoints of every encoder family, in the layout of the Hugging Face Hub."""

import json
from pathlib import Path
from typing import Any

FAMILIES = {
    "data2vec-audio": "Data2VecAudio", "hubert": "Hubert", "sew": "SEW", "unispeech": "UniSpeech",
    "unispeech-sat": "UniSpeechSat", "wav2vec2": "Wav2Vec2", "wav2vec2-conformer": "Wav2Vec2Conformer",
    "wavlm": "WavLM", "whisper": "Whisper",
}  # fmt: skip


def write_checkpoint(
    folder: Path, family: str, *, norm: str = "group", seed: int = 0, normalized: bool = True, stable: bool = False
) -> Path:
    """Write a checkpoint of two layers with frames of 20 ms, and return its folder.

    With ``stable``, a layer norm follows the last transformer layer, as in the large sizes.
    """
    import torch
    import transformers

    torch.manual_seed(seed)
    if family == "whisper":
        return _write_whisper(folder)
    settings: dict[str, Any] = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
        "conv_dim": (32, 32, 32), "conv_stride": (5, 8, 8), "conv_kernel": (10, 8, 8), "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2, "feat_extract_norm": norm,
    }  # fmt: skip
    if family == "data2vec-audio":
        del settings["feat_extract_norm"]
        settings |= {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 5}
    if stable:
        settings["do_stable_layer_norm"] = True
    name = FAMILIES[family]
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**settings))
    if hasattr(model.encoder, "layer_norm"):
        model.encoder.layer_norm.weight.data.normal_(1, 0.3)  # otherwise a second norm would change nothing
    model.save_pretrained(folder)
    about = {"do_normalize": normalized, "sampling_rate": 16_000, "feature_extractor_type": "Wav2Vec2FeatureExtractor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(about), "utf-8")
    return folder


def _write_whisper(folder: Path) -> Path:
    """Write a Whisper checkpoint that reads pieces of 2 s instead of 30 s."""
    import transformers

    config = transformers.WhisperConfig(
        d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=64, decoder_layers=1,
        decoder_attention_heads=2, decoder_ffn_dim=64, num_mel_bins=16, max_source_positions=100, vocab_size=100,
        max_target_positions=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    transformers.WhisperModel(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=2).save_pretrained(folder)
    return folder
