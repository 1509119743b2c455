"""Writes param_groups.json in the folders of some models of make_golden.py: ten AdamW steps with a learning rate for each
layer, or with a frozen first part, in PyTorch. tests/golden compares the engines with them.

    venv/bin/python tests/reference/make_groups.py
"""

import json

import torch
from make_golden import ADAMW, HERE, MAX_GRAD_NORM, NO_DECAY, SMOOTHING, STEPS, forward, loss_of
from transformers import AutoModelForSequenceClassification
from transformers.trainer_pt_utils import get_parameter_names

MODELS = ["bert", "distilbert", "mpnet", "deberta-v3", "modernbert"]
CASES = [
    {"layerwise_lr_decay": 0.5, "head_lr_scale": 3.0},
    {"freeze_layers": 0},
    {"freeze_layers": 1},
    {"freeze_layers": 1, "layerwise_lr_decay": 0.8},
    {"freeze_layers": 2},
]
HEAD = ("classifier", "pre_classifier", "pooler", "bert.pooler", "head")


def depth(name, layers):
    """0 for embeddings, the number of the layer from 1, and one more than that of the last for the head."""
    parts = name.split(".")
    for before, part in zip(parts, parts[1:]):
        if before in ("layer", "layers") and part.isdigit():
            return int(part) + 1
    is_top = name.startswith(HEAD) or "final_norm" in name
    return layers + 1 if is_top else 0


def run(folder, case):
    golden = json.loads((folder / "golden.json").read_text())
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    layers = model.config.num_hidden_layers
    frozen = case.get("freeze_layers", -1)
    decay = set(get_parameter_names(model, [torch.nn.LayerNorm], NO_DECAY))
    groups = []
    for name, parameter in model.named_parameters():
        at = depth(name, layers)
        parameter.requires_grad_(at > frozen)
        scale = case.get("layerwise_lr_decay", 1.0) ** (layers + 1 - at)
        if name.startswith(HEAD):
            scale *= case.get("head_lr_scale", 1.0)
        weight_decay = ADAMW["weight_decay"] if name in decay else 0.0
        groups.append({"params": [parameter], "lr": ADAMW["lr"] * scale, "weight_decay": weight_decay})
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(groups, foreach=False, fused=False, **ADAMW)
    steps = []
    for step in range(STEPS):
        batches = golden["batches"]
        logits, labels = forward(model, batches[step % len(batches)])
        loss = loss_of(model, logits, labels, SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        steps.append({"loss": loss.item(), "grad_norm": norm.item()})
        optimizer.step()
    # The norm of the change of each parameter.
    changes = {name: (parameter - before[name]).norm().item() for name, parameter in model.named_parameters()}
    return {**case, "steps": steps, "changes": changes}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in MODELS:
        results = [run(HERE / name, case) for case in CASES]
        (HERE / name / "param_groups.json").write_text(json.dumps(results, indent=1) + "\n")
