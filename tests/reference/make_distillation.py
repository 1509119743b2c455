"""Writes distillation.json in the folders of BERT models of make_golden.py: losses and gradients with a teacher, in PyTorch.
tests/golden compares the engines with them.

    venv/bin/python tests/reference/make_distillation.py
"""

import json

import torch
from make_golden import CHECKED, HERE, LABELS, forward, is_regression
from transformers import AutoModelForSequenceClassification

CASES = [{"weight": 0.5, "temperature": 2.0}, {"weight": 0.9, "temperature": 0.7}, {"weight": 1.0, "temperature": 4.0}]


def distance(logits, teacher, temperature, is_multi_label):
    """The distance to the teacher, as the mean over the examples."""
    if logits.shape[1] == 1:
        return torch.nn.functional.mse_loss(logits, teacher)
    if is_multi_label:
        # A label is a classification of its own, with the logits z and 0.
        pair = lambda z: torch.stack([z, torch.zeros_like(z)], dim=-1).flatten(0, 1)
        logits, teacher = pair(logits), pair(teacher)
    student = torch.nn.functional.log_softmax(logits / temperature, dim=-1)
    target = torch.nn.functional.log_softmax(teacher / temperature, dim=-1)
    return torch.nn.functional.kl_div(student, target, reduction="batchmean", log_target=True) * temperature**2


def run(folder, is_multi_label, weight, temperature):
    golden = json.loads((folder / "golden.json").read_text())
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    batch = golden["batches"][0]
    logits, labels = forward(model, batch)
    teacher = torch.randn(logits.shape, generator=torch.Generator().manual_seed(7)) * 3
    sets = [[(index >> label) & 1 for label in range(len(LABELS))] for index in range(len(batch))]
    if is_regression(model):
        loss = torch.nn.functional.mse_loss(logits.squeeze(), labels.squeeze())
    elif is_multi_label:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(sets).float())
    else:
        loss = torch.nn.functional.cross_entropy(logits, labels)
    loss = (1 - weight) * loss + weight * distance(logits, teacher, temperature, is_multi_label)
    loss.backward()
    return {
        "weight": weight,
        "temperature": temperature,
        "sets": sets if is_multi_label else None,
        "teacher_logits": teacher.flatten().tolist(),
        "loss": loss.item(),
        "gradients": {key: model.get_parameter(key).grad.flatten().tolist() for key in CHECKED},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, kinds in [("bert", [False, True]), ("bert-regression", [False])]:
        results = [run(HERE / name, kind, **case) for kind in kinds for case in CASES]
        (HERE / name / "distillation.json").write_text(json.dumps(results, indent=1) + "\n")
