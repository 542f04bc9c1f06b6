"""Classifiers of transformers with something wrong in their files, each a copy of a good one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

GOOD = {"0": "angry", "1": "happy", "2": "sad"}
Damage = Callable[[Path], None]


def write_classifier(folder: Path, **settings: Any) -> Path:
    """Write a tiny wav2vec2 classifier of three labels, whose head is as sure as a trained one."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, conv_dim=(16, 16),
        conv_stride=(20, 16), conv_kernel=(20, 16), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
        classifier_proj_size=8, id2label={int(i): name for i, name in GOOD.items()},
        label2id={name: int(i) for i, name in GOOD.items()}, **settings,
    )  # fmt: skip
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    for weight in (model.projector.weight, model.classifier.weight, model.wav2vec2.encoder.layer_norm.weight):
        weight.data.normal_(1, 0.5)
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def labels(found: Any) -> Damage:
    """Damage: these labels in ``config.json``; None for none at all."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text("utf-8"))
        content["id2label"] = found
        del content["label2id"]
        if found is None:
            del content["id2label"]
        (folder / "config.json").write_text(json.dumps(content), "utf-8")

    return damage


def setting(name: str, value: Any) -> Damage:
    """Damage: this setting in ``config.json``."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text("utf-8"))
        (folder / "config.json").write_text(json.dumps({**content, name: value}), "utf-8")

    return damage


def text(file: str, content: str) -> Damage:
    """Damage: this content of a file."""
    return lambda folder: (folder / file).write_text(content, "utf-8") and None


def cut(share: float) -> Damage:
    """Damage: this share of the weights file."""

    def damage(folder: Path) -> None:
        whole = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(whole[: round(share * len(whole))])

    return damage


def without(file: str) -> Damage:
    """Damage: a missing file."""
    return lambda folder: (folder / file).unlink()


def sharded(*names: Any) -> Damage:
    """Damage: an index that names these files in place of the weights."""

    def damage(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "shard.safetensors")
        index = {"metadata": {}, "weight_map": {f"weight{i}": name for i, name in enumerate(names)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")

    return damage


ODD: dict[str, tuple[Damage, str]] = {  # the damage, and a pattern that the refusal has
    "same label twice": (labels({"0": "a", "1": "b", "2": "b"}), "the label 'b' stands for several outputs"),
    "no labels": (labels(None), "names no labels, but its head has 3 outputs"),
    "labels are a list": (labels(["a", "b", "c"]), "names no labels|cannot read config.json"),
    "too few labels": (labels({"0": "a", "1": "b"}), "names 2 labels, but its head has 3 outputs"),
    "too many labels": (labels({str(i): str(i) for i in range(4)}), "names 4 labels, but its head has 3"),
    "placeholders": (labels({"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}), "placeholders .'LABEL_0' and so on"),
    "a gap": (labels({"0": "a", "1": "b", "3": "c"}), "are not the numbers from 0 to 2"),
    "keys are words": (labels({"x": "a", "y": "b", "z": "c"}), "not the numbers from 0 to 2|cannot read config"),
    "a label is a number": (labels({"0": "a", "1": 2, "2": "c"}), "2 is no label"),
    "a label is null": (labels({"0": "a", "1": None, "2": "c"}), "None is no label"),
    "a label is empty": (labels({"0": "a", "1": " ", "2": "c"}), "' ' is no label"),
    "a control character": (labels({"0": "a", "1": "b\x1b[31m", "2": "c"}), r"'b\\x1b\[31m' is no label"),
    "a line break": (labels({"0": "a", "1": "b\nc", "2": "c"}), r"'b\\nc' is no label"),
    "weights are cut": (cut(0.6), "is damaged or cut short"),
    "weights are empty": (cut(0), "is damaged or cut short"),
    "weights are text": (text("model.safetensors", "hello, this is no safetensors file"), "is damaged or cut short"),
    "a shard is missing": (sharded("no.safetensors"), "'no.safetensors', which is missing"),
    "a shard is a pickle": (sharded("shard.bin"), "'shard.bin', which is no safetensors file of this folder"),
    "a shard is elsewhere": (sharded("../x.safetensors"), "which is no safetensors file of this folder"),
    "a shard is a number": (sharded(7), "the file 7, which is no safetensors file of this folder"),
    "the index is empty": (sharded(), "its weight_map names no files"),
    "no config": (without("config.json"), "it has no config.json"),
    "config is no JSON": (text("config.json", "{"), "config.json' is not valid JSON"),
    "config is empty": (text("config.json", ""), "config.json' is not valid JSON"),
    "config is a list": (text("config.json", "[]"), "config.json' is damaged: it must hold a JSON object"),
    "config is nested": (text("config.json", "[" * 200_000), "config.json' is not valid JSON"),
    "config is nested and whole": (setting("more", json.loads("[" * 900 + "]" * 900)), "config.json|differ|fit"),
    "a number of digits": (text("config.json", f'{{"hidden_size": 1{"0" * 9000}}}'), "config.json' is not valid JSON"),
    "a huge size": (setting("hidden_size", 10**12), "hidden_size is 1000000000000, as in no real network"),
    "a huge number": (setting("hidden_size", 10**300), "hidden_size is a number of more than 20 digits"),
    "many layers": (setting("num_hidden_layers", 10**6), "num_hidden_layers is 1000000, as in no real network"),
    "more layers than weights": (setting("num_hidden_layers", 4), r"lacks \d+ weights, such as wav2vec2.encoder"),
    "another size": (setting("hidden_size", 32), "weights have other sizes"),
    "no layers": (setting("num_hidden_layers", "two"), "transformers cannot read|cannot read config.json"),
    "no heads": (setting("num_attention_heads", 0), "transformers cannot read|cannot read config.json"),
    "short convolutions": (setting("conv_kernel", [20]), "cannot read config.json"),
    "no family": (setting("model_type", None), "is of the family None; serkit supports"),
    "a family of many": (setting("model_type", ["wav2vec2"]), r"is of the family \['wav2vec2'\]"),
    "another family": (setting("model_type", "bert"), "is of the family 'bert'"),
    "no preprocessor": (without("preprocessor_config.json"), "has no preprocessor_config.json, which says how"),
    "preprocessor is no JSON": (text("preprocessor_config.json", "?"), "preprocessor_config.json' is not valid JSON"),
    "preprocessor rate": (text("preprocessor_config.json", '{"sampling_rate": "x"}'), "sampling_rate is 'x'"),
    "preprocessor flag": (text("preprocessor_config.json", '{"do_normalize": 2}'), "settings .* do_normalize 2"),
    "recognizes speech": (setting("architectures", ["Wav2Vec2ForCTC"]), "is not an audio classifier"),
    "no architecture": (setting("architectures", None), "is not an audio classifier .its architectures are None"),
    "architecture is a word": (setting("architectures", "Wav2Vec2"), "is not an audio classifier"),
    "only a pickle": (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin") and None,
                      "loads no pickle"),
}  # fmt: skip
