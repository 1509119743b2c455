"""Writes LoRA adapters of some models of make_golden.py with peft, and the logits of the models with them, to
tests/reference/adapters. tests/adapters compares the engines with them.

    venv/bin/pip install peft==0.21.2
    venv/bin/python tests/reference/make_adapters.py

The files are small and committed; run the script again only to change them.
"""

import json
import shutil

import peft
import torch
import transformers
from make_golden import HERE, forward
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import AutoModelForSequenceClassification

PINNED = {"peft": "0.21.2", "torch": "2.15.0", "transformers": "5.23.0"}

# Name of the adapter, the reference model, the number of labels, and keys of LoraConfig.
ADAPTERS = [
    ("bert-query-value", "bert", 3, {"r": 4, "lora_alpha": 8, "target_modules": ["query", "value"]}),
    # Fewer labels than the base model has.
    ("bert-two-labels", "bert", 2, {"r": 2, "lora_alpha": 4, "target_modules": ["query"]}),
    (
        "distilbert-all-linear",
        "distilbert",
        3,
        {
            "r": 2,
            "lora_alpha": 3,
            "target_modules": "all-linear",
            "modules_to_save": ["pre_classifier"],
            "rank_pattern": {"q_lin": 3, r"layer\.1\.ffn\.lin[12]": 4},
            "alpha_pattern": {"v_lin": 5, "layer.0.attention.out_lin": 7},
        },
    ),
    (
        "roberta-rslora",
        "roberta",
        3,
        {"r": 4, "lora_alpha": 6, "use_rslora": True, "target_modules": ["query", "key", "dense"]},
    ),
    (
        "deberta-v3-rslora",
        "deberta-v3",
        3,
        {"r": 3, "lora_alpha": 6, "use_rslora": True, "target_modules": r".*\.(query_proj|value_proj)"},
    ),
]


def make(name, base, labels, keys):
    folder = HERE / "adapters" / name
    shutil.rmtree(folder, ignore_errors=True)

    def base_model():
        kept = {} if labels == 3 else {"num_labels": labels, "ignore_mismatched_sizes": True}
        return AutoModelForSequenceClassification.from_pretrained(
            HERE / base, attn_implementation="eager", **kept
        ).eval()

    torch.manual_seed(7)
    model = get_peft_model(base_model(), LoraConfig(task_type=TaskType.SEQ_CLS, **keys)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.peft_config["default"].base_model_name_or_path = f"../../{base}"
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    # The saved files alone have to give these logits.
    loaded = PeftModel.from_pretrained(base_model(), folder).eval()
    batch = json.loads((HERE / base / "golden.json").read_text())["batches"][0]
    with torch.no_grad():
        logits = forward(loaded, batch)[0]
        plain = forward(base_model(), batch)[0]
    assert torch.allclose(logits, forward(model, batch)[0], atol=1e-6)
    assert (logits - plain).abs().max() > 0.1, "the adapter has no effect"
    result = {"made_with": PINNED, "base": base, "logits": logits.tolist()}
    (folder / "logits.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    found = {"peft": peft.__version__, "torch": torch.__version__.split("+")[0]}
    found["transformers"] = transformers.__version__
    assert found == PINNED, f"found {found}, expected {PINNED}"
    torch.set_num_threads(1)
    for adapter in ADAPTERS:
        make(*adapter)
