"""Writes lora.json and lora.safetensors in the folders of some models of make_golden.py: ten AdamW steps of the adapters of
PEFT, from given factors. tests/golden compares the engines with them.

    venv/bin/python tests/reference/make_lora.py
"""

import json

import torch
from make_golden import ADAMW, HERE, MAX_GRAD_NORM, NO_DECAY, SMOOTHING, STEPS, forward, loss_of
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification
from transformers.trainer_pt_utils import get_parameter_names

# The modules with adapters, and those of the head.
MODELS = {
    "bert": (["query", "value"], ["pooler.dense", "classifier"]),
    "distilbert": (["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"], ["pre_classifier", "classifier"]),
    "deberta-v3": (["query_proj", "value_proj"], ["pooler.dense", "classifier"]),
    "modernbert": (["Wqkv", "attn.Wo", "Wi", "mlp.Wo"], ["head.dense", "head.norm", "classifier"]),
    "albert": (["query", "value"], ["pooler", "classifier"]),
}
RANK, ALPHA = 3, 6


def our_name(name):
    name = name.removeprefix("base_model.model.")
    return name.replace(".modules_to_save.default", "").replace(".default", "")


def run(name, targets, head):
    folder = HERE / name
    golden = json.loads((folder / "golden.json").read_text())
    base = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    config = LoraConfig(task_type="SEQ_CLS", r=RANK, lora_alpha=ALPHA, target_modules=targets, modules_to_save=head)
    torch.manual_seed(5)
    model = get_peft_model(base, config).eval()
    factors = {}
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            parameter.data.normal_(std=0.2)
            factors[our_name(key)] = parameter.data.clone()
    save_file(factors, folder / "lora.safetensors")
    trained = {key: parameter for key, parameter in model.named_parameters() if parameter.requires_grad}
    decay = set(get_parameter_names(model, [torch.nn.LayerNorm], NO_DECAY))
    groups = [
        {"params": [p], "weight_decay": ADAMW["weight_decay"] if key in decay else 0.0} for key, p in trained.items()
    ]
    before = {key: parameter.detach().clone() for key, parameter in trained.items()}
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
    logits, _ = forward(model, golden["batches"][0])
    # The norm of the change of each parameter.
    changes = {our_name(key): (parameter - before[key]).norm().item() for key, parameter in trained.items()}
    result = {"rank": RANK, "alpha": ALPHA, "steps": steps, "changes": changes, "logits": logits.tolist()}
    (folder / "lora.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, (targets, head) in MODELS.items():
        run(name, targets, head)
