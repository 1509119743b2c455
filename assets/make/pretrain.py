"""Pretrains the demo model on text of our own and writes assets/demo-model: python3 pretrain.py"""

import json
import os
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForPreTraining

import vocabulary

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "demo-model"


def config(size):
    return BertConfig(
        vocab_size=size, hidden_size=128, num_hidden_layers=2, num_attention_heads=4, intermediate_size=512,
        max_position_embeddings=vocabulary.MAX_LENGTH, type_vocab_size=2,
    )


def save(model):
    """The encoder alone, half precision: what a classifier starts from."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach().to(torch.float16).contiguous() for name, t in model.bert.state_dict().items()
               if "position_ids" not in name}
    save_file(tensors, FOLDER / "model.safetensors", metadata={"format": "pt"})
    c = model.config
    fields = {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": c.vocab_size, "hidden_size": c.hidden_size,
        "num_hidden_layers": c.num_hidden_layers, "num_attention_heads": c.num_attention_heads,
        "intermediate_size": c.intermediate_size, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": c.max_position_embeddings,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
        "position_embedding_type": "absolute", "dtype": "float16",
    }
    (FOLDER / "config.json").write_text(json.dumps(fields, indent=2) + "\n")
