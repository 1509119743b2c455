//! Weight files and configurations that do not fit together, or that are damaged.

use super::*;

#[test]
fn weights_that_are_not_finite_are_refused_with_the_name_of_the_tensor() {
    let workspace = Workspace::new();
    workspace.model("m", 2, &json!({}));
    let weights = workspace.weights("m");
    for (name, value) in [
        ("bert.encoder.layer.1.output.dense.weight", f32::NAN),
        ("bert.embeddings.word_embeddings.weight", f32::INFINITY),
        ("classifier.bias", f32::NEG_INFINITY),
    ] {
        let mut damaged = weights.clone();
        damaged.get_mut(name).unwrap().data[1] = value;
        workspace.write_weights("m", &damaged);
        let error = workspace.error(3, &["predict", "m", "good"]);
        assert!(error.contains(&format!("model m: tensor {name}: element 1 is")), "{error}");
    }
    // Finite weights whose logits are not.
    let mut large = weights.clone();
    for (name, sign) in [("classifier.weight", -1.0), ("classifier.bias", 1.0)] {
        let Array { data, .. } = large.get_mut(name).unwrap();
        let half = data.len() / 2;
        data[..half].fill(f32::MAX);
        data[half..].fill(sign * f32::MAX);
    }
    workspace.write_weights("m", &large);
    assert!(workspace.error(3, &["predict", "m", "good"]).contains("model m: output "));
}

#[cfg(unix)]
#[test]
fn sizes_in_config_json_are_bounded_by_the_weights() {
    let workspace = Workspace::new();
    let huge: [u64; 6] = [0, 1_000_000, 16_777_216, 3_000_000_000, 1 << 63, u64::MAX];
    let keys = [
        "num_hidden_layers",
        "hidden_size",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings",
        "type_vocab_size",
        "num_attention_heads",
        "num_labels",
    ];
    let mut cases: Vec<Value> =
        keys.iter().flat_map(|key| huge.iter().map(move |size| json!({ *key: size }))).collect();
    cases.extend([
        json!({"num_hidden_layers": -1}),
        json!({"hidden_size": 1.5}),
        json!({"vocab_size": "12"}),
        json!({"num_attention_heads": 3}),
        json!({"hidden_size": 1_000_000_000, "intermediate_size": 1_000_000_000, "num_hidden_layers": 30}),
    ]);
    workspace.model("m", 2, &json!({}));
    let valid = std::fs::read(workspace.path("m/config.json")).unwrap();
    for case in cases {
        workspace.edit("m", &case);
        // 600 MB of address space: a table for a million layers does not fit.
        let output = Command::new("sh")
            .args([
                "-c",
                "ulimit -v 600000; exec \"$0\" --device cpu predict m good",
                env!("CARGO_BIN_EXE_glue-tui"),
            ])
            .current_dir(workspace.folder.path())
            .env("HF_HUB_OFFLINE", "1")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(3), 1), "{case}: {stderr}");
        assert!(
            stderr.starts_with("glue-tui: model m: ") && !stderr.contains("internal"),
            "{case}: {stderr}"
        );
        std::fs::write(workspace.path("m/config.json"), &valid).unwrap();
    }
}

#[test]
fn weights_load_in_parts_and_behind_the_prefix_of_data_parallelism() {
    let workspace = Workspace::new();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/distilbert");
    let batch = Batch::new([&Encoded { ids: vec![2, 5, 7, 3], type_ids: vec![0; 4], label: None }]);
    let logits = |name: &str| {
        let folder = ModelFolder::on_disk(workspace.path(name));
        nn::for_inference(&folder, DeviceSpec::Cpu, None).unwrap().engine.logits(&batch).unwrap()
    };
    let folder = |name: &str| {
        workspace
            .write(&format!("{name}/config.json"), std::fs::read(reference.join("config.json")).unwrap());
    };
    folder("whole");
    let whole = std::fs::read(reference.join("model.safetensors")).unwrap();
    workspace.write("whole/model.safetensors", whole);
    let expected = logits("whole");

    for part in ["zip.bin", "legacy.bin"] {
        folder("parts");
        workspace
            .write("parts/pytorch_model-00001-of-00001.bin", std::fs::read(reference.join(part)).unwrap());
        let index = json!({"metadata": {}, "weight_map": {"x": "pytorch_model-00001-of-00001.bin"}});
        workspace.write("parts/pytorch_model.bin.index.json", index.to_string());
        assert_eq!(logits("parts"), expected, "{part}");
    }
    folder("parallel");
    let weights = workspace.weights("whole");
    let renamed = weights.iter().map(|(name, array)| (format!("module.{name}"), array.clone())).collect();
    workspace.write_weights("parallel", &renamed);
    assert_eq!(logits("parallel"), expected);

    let error = |index: Value| {
        workspace.write("parts/pytorch_model.bin.index.json", index.to_string());
        workspace.error(3, &["predict", "parts", "good"])
    };
    assert!(
        error(json!({"weight_map": {"x": "missing.bin"}})).contains("lists missing.bin, which is missing")
    );
    assert!(error(json!({"weight_map": {"x": "../whole/model.safetensors"}})).contains("in the same folder"));
    assert!(error(json!([])).contains("weight_map is missing"));
}

/// Writes a state dictionary in several forms: transposed in memory, as parts of one storage, as parameters with
/// metadata, in double precision beside other values, in protocol 4, and with a tensor that repeats one element.
const TORCH: &str = r#"
import collections, sys, torch
from safetensors.torch import load_file
state = load_file(sys.argv[1] + "/model.safetensors")
flat, parts, start = torch.cat([v.flatten() for v in state.values()]), {}, 0
for name, value in state.items():
    parts[name] = flat[start : start + value.numel()].view(value.shape)
    start += value.numel()
parameters = collections.OrderedDict((name, torch.nn.Parameter(v)) for name, v in state.items())
parameters._metadata = {"": {"version": 1}}
double = {name: v.double() for name, v in state.items()}
double.update({"mask": torch.ones(3, dtype=torch.bool), "epoch": 7, "history": [1, 2.5, None], "name": "x"})
forms = {
    "strided": {name: v.t().contiguous().t() if v.dim() == 2 else v for name, v in state.items()},
    "parts": parts,
    "parameters": parameters,
    "double": double,
    "repeated": {**state, "classifier.weight": torch.zeros(1, 1).expand(state["classifier.weight"].shape)},
}
for name, form in forms.items():
    torch.save(form, f"{name}.bin")
    torch.save(form, f"{name}-legacy.bin", _use_new_zipfile_serialization=False)
torch.save(state, "protocol4.bin", pickle_protocol=4)
"#;

#[test]
fn files_of_torch_save_load_in_every_form() {
    let Some(python) = std::env::var_os("GLUE_TUI_PYTHON") else {
        eprintln!(
            "SKIPPED: GLUE_TUI_PYTHON names no Python with PyTorch, so no file of torch.save was written"
        );
        return;
    };
    let workspace = Workspace::new();
    workspace.model("m", 3, &json!({"num_labels": 3}));
    let expected = workspace.weights("m");
    let mut command = Command::new(python);
    let status = command.args(["-c", TORCH, "m"]).current_dir(workspace.folder.path()).status().unwrap();
    assert!(status.success());
    std::fs::remove_file(workspace.path("m/model.safetensors")).unwrap();
    let folder = ModelFolder::on_disk(workspace.path("m"));
    let load = |file: &str| {
        std::fs::copy(workspace.path(file), workspace.path("m/pytorch_model.bin")).unwrap();
        nn::for_inference(&folder, DeviceSpec::Cpu, None)
    };
    for form in ["strided", "parts", "parameters", "double"] {
        for file in [format!("{form}.bin"), format!("{form}-legacy.bin")] {
            assert_eq!(load(&file).unwrap().engine.weights().unwrap(), expected, "{file}");
        }
    }
    assert_eq!(load("protocol4.bin").unwrap().engine.weights().unwrap(), expected);
    for file in ["repeated.bin", "repeated-legacy.bin"] {
        let error = load(file).unwrap_err().to_string();
        assert!(error.contains("tensor classifier.weight exceeds its storage"), "{error}");
    }
}

#[test]
fn damaged_weight_files_are_refused_in_one_sentence() {
    let workspace = Workspace::new();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/distilbert");
    let config = std::fs::read(reference.join("config.json")).unwrap();
    for (source, name) in [
        ("model.safetensors", "model.safetensors"),
        ("zip.bin", "pytorch_model.bin"),
        ("legacy.bin", "pytorch_model.bin"),
    ] {
        let bytes = std::fs::read(reference.join(source)).unwrap();
        let model = source.replace('.', "-");
        workspace.write(&format!("{model}/config.json"), &config);
        for length in [0, 1, 7, 100, 1000, bytes.len() / 2, bytes.len() - 1] {
            workspace.write(&format!("{model}/{name}"), &bytes[..length]);
            let error = workspace.error(3, &["predict", &model, "good"]);
            assert!(error.contains(&format!("{name} is damaged, incomplete")), "{source} {length}: {error}");
        }
        for (offset, byte) in (0..bytes.len().min(4000))
            .step_by(97)
            .zip([0u8, 0xff, 0x7f, b'.', b'(', b't'].into_iter().cycle())
        {
            let mut damaged = bytes.clone();
            damaged[offset] = byte;
            workspace.write(&format!("{model}/{name}"), &damaged);
            let folder = ModelFolder::on_disk(workspace.path(&model));
            // Some changes are in the values: any answer but a panic.
            if let Err(error) = nn::for_inference(&folder, DeviceSpec::Cpu, None) {
                assert!(matches!(error.exit_code(), 3) && !error.to_string().contains('\n'), "{error}");
            }
        }
    }
    workspace.model("lfs", 2, &json!({}));
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n", "0".repeat(64));
    workspace.write("lfs/model.safetensors", pointer);
    assert!(workspace.error(3, &["predict", "lfs", "good"]).contains("git lfs pull"));
    workspace.write("lfs/model.safetensors", "<!doctype html><html>Not found</html>");
    assert!(workspace.error(3, &["predict", "lfs", "good"]).contains("model.safetensors is damaged"));
}
