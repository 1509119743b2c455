//! The file, its changes, and which run starts when.

use super::*;
use crate::machine::MemoryInfo;

const CPU: [QueueDevice; 1] = [QueueDevice { device: DeviceSpec::Auto, memory: None }];

fn spec(name: &str) -> RunSpec {
    RunSpec {
        max_steps: Some(1),
        max_train_samples: Some(4),
        max_eval_samples: Some(4),
        device: spec::DeviceSpec::Cpu,
        learning_rate: 1.0 / 3.0,
        ..spec::built_in(name)
    }
}

/// The configuration of a model without weights.
const CONFIG: &str = r#"{"model_type": "bert", "vocab_size": 1, "hidden_size": 4, "num_hidden_layers": 1,
    "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 8, "type_vocab_size": 2}"#;

fn add(runs: &Path, name: &str) -> u64 {
    let queue = Queue::edit(runs, QueueEdit::Add(Box::new(Start::New(spec(name))))).unwrap();
    queue.entries.last().unwrap().id
}

fn names(queue: &Queue) -> String {
    queue.entries.iter().map(|entry| entry.spec.experiment.as_str()).collect()
}

#[test]
fn queue_is_reordered_and_survives_a_round_trip() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    assert_eq!(Queue::read(runs).unwrap(), Queue::default());
    let ids = ["a", "b", "c", "d"].map(|name| add(runs, name));
    let queue = Queue::read(runs).unwrap();
    assert_eq!((names(&queue).as_str(), &queue.entries[1].spec), ("abcd", &spec("b")));
    let edit = |edit| names(&Queue::edit(runs, edit).unwrap());
    assert_eq!(edit(QueueEdit::MoveUp(ids[2])), "acbd");
    assert_eq!(edit(QueueEdit::MoveUp(ids[0])), "acbd");
    assert_eq!(edit(QueueEdit::MoveDown(ids[0])), "cabd");
    assert_eq!(edit(QueueEdit::MoveDown(ids[3])), "cabd");
    assert_eq!(edit(QueueEdit::MoveToFront(ids[3])), "dcab");
    assert_eq!(edit(QueueEdit::Remove(ids[2])), "dab");
    assert_eq!(edit(QueueEdit::Remove(ids[2])), "dab", "the entry is already removed");
    assert!(Queue::edit(runs, QueueEdit::SetHeld(true)).unwrap().is_held);
    assert!(add(runs, "e") > ids[3], "numbers are not reused");
    assert!(Queue::read(runs).unwrap().is_held);
    std::fs::write(runs.join(FILE), "half a file =").unwrap();
    let error = Queue::edit(runs, QueueEdit::SetHeld(false)).unwrap_err().to_string();
    assert!(error.contains("queue.toml") && error.contains("delete it"), "{error}");
    assert_eq!(
        std::fs::read_to_string(runs.join(FILE)).unwrap(),
        "half a file =",
        "a damaged file is left unchanged"
    );
}

#[test]
fn concurrent_edits_are_not_lost() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    add(runs, "x");
                }
            });
        }
    });
    let mut ids: Vec<u64> = Queue::read(runs).unwrap().entries.iter().map(|entry| entry.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
}

#[test]
fn runs_start_in_order_and_a_failed_run_does_not_stop_the_queue() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    let start = |start| super::super::runner::start(start, runs);
    let model = home.path().join("model");
    std::fs::create_dir(&model).unwrap();
    // The check before a run reads neither the values of the configuration nor the weights, which are missing.
    for (name, content) in
        [("config.json", CONFIG), ("vocab.txt", "[UNK]\n"), ("tokenizer_config.json", "{}")]
    {
        std::fs::write(model.join(name), content).unwrap();
    }
    let failing = RunSpec { model: model.display().to_string(), ..spec("bad") };
    Queue::edit(runs, QueueEdit::Add(Box::new(Start::New(failing)))).unwrap();
    let ids = ["a", "b"].map(|name| add(runs, name));
    Queue::edit(runs, QueueEdit::SetHeld(true)).unwrap();
    assert!(Queue::start_next(runs, &CPU, start).unwrap().is_none(), "held");
    Queue::edit(runs, QueueEdit::SetHeld(false)).unwrap();

    let user_lock = TrainingLock::shared(runs, DeviceSpec::Auto).unwrap();
    assert!(Queue::start_next(runs, &CPU, start).unwrap().is_none(), "another interface trains");
    drop(user_lock);
    let StartedRun { lock, run, .. } = Queue::start_next(runs, &CPU, start).unwrap().unwrap();
    assert!(
        TrainingLock::shared(runs, DeviceSpec::Auto).is_none()
            && Queue::start_next(runs, &CPU, start).unwrap().is_none()
    );
    assert!(run.join().is_err());
    // A started run stays first until it is removed.
    assert_eq!(names(&Queue::edit(runs, QueueEdit::MoveToFront(ids[1])).unwrap()), "badba");
    drop(lock);

    // The failed run is removed and the next one starts. Without a summary, as after a power failure, it is resumed.
    let StartedRun { lock, run, .. } = Queue::start_next(runs, &CPU, start).unwrap().unwrap();
    let dir = run.dir.clone();
    assert_eq!(names(&Queue::read(runs).unwrap()), "ba");
    assert!(Queue::read(runs).unwrap().entries[0].is_started);
    run.join().unwrap();
    std::fs::remove_file(dir.join("summary.json")).unwrap();
    drop(lock);
    let StartedRun { lock, run, .. } = Queue::start_next(runs, &CPU, start).unwrap().unwrap();
    assert_eq!(run.dir, dir, "resumed");
    run.join().unwrap();
    drop(lock);

    // A run that cannot be started is reported and removed.
    let refuse = |_| Err(Error::Training("no".into()));
    assert!(Queue::start_next(runs, &CPU, refuse).is_err());
    assert!(Queue::start_next(runs, &CPU, start).unwrap().is_none());
    assert_eq!(Queue::read(runs).unwrap().entries, []);
}

/// Stops a run, which may be before its first step.
fn stop(run: crate::run::RunHandle) {
    run.send(crate::event::Command::Stop);
    assert!(matches!(run.join(), Ok(_) | Err(Error::Interrupted(_))));
}

/// Two fake devices. Runs that were started on them train on the CPU, which only [`start_next`] knows.
#[test]
fn one_run_trains_on_each_device() {
    const GB: u64 = 1_000_000_000;
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    let device = |ordinal, available| QueueDevice {
        device: DeviceSpec::Cuda(ordinal),
        memory: Some(MemoryInfo { total: 24 * GB, available }),
    };
    let mut devices = [device(0, 20 * GB), device(1, 20 * GB)];
    let add = |name: &str, device, model: &str| {
        let spec = RunSpec { device, model: model.into(), ..spec(name) };
        Queue::edit(runs, QueueEdit::Add(Box::new(Start::New(spec)))).unwrap();
    };
    let mut assigned = Vec::new();
    let mut start_next = |devices: &[QueueDevice]| {
        Queue::start_next(runs, devices, |start| {
            let Start::New(spec) = start else { panic!("not a new run") };
            assigned.push((spec.experiment.clone(), spec.device));
            let spec =
                RunSpec { device: DeviceSpec::Cpu, model: "demo".into(), max_steps: Some(1_000_000), ..spec };
            super::super::runner::start(Start::New(spec), runs)
        })
        .unwrap()
    };
    let large = "google-bert/bert-large-uncased";
    add("a", DeviceSpec::Auto, "demo");
    add("b", DeviceSpec::Cuda(0), "demo");
    add("c", DeviceSpec::Auto, large);
    add("d", DeviceSpec::Auto, "demo");

    devices[1] = device(1, GB);
    let first = start_next(&devices).unwrap();
    assert_eq!(names(&first.queue), "abcd");
    // b waits for its device, and c for memory: d comes first.
    let second = start_next(&devices).unwrap();
    assert_eq!(names(&second.queue), "adbc", "started runs come first");
    assert_eq!(second.queue.entries[1].spec.device, DeviceSpec::Cuda(1));
    assert!(start_next(&devices).is_none(), "both devices are busy");
    assert!(TrainingLock::shared(runs, DeviceSpec::Cuda(1)).is_none());

    // Without its lock, as after a crash of the interface, a device is busy while the run trains.
    while !is_training(&RunDir::at(&second.run.dir)) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    drop(second.lock);
    assert!(start_next(&devices).is_none());
    stop(second.run);
    let id = second.queue.entries[1].id;
    Queue::edit(runs, QueueEdit::Remove(id)).unwrap();
    let user_lock = TrainingLock::shared(runs, DeviceSpec::Cuda(1)).unwrap();
    devices[1] = device(1, 20 * GB);
    assert!(start_next(&devices).is_none(), "the user trains on the second device");
    drop(user_lock);
    let third = start_next(&devices).unwrap();
    assert_eq!(names(&third.queue), "acb");
    let expected = [("a", DeviceSpec::Cuda(0)), ("d", DeviceSpec::Cuda(1)), ("c", DeviceSpec::Cuda(1))];
    assert_eq!(assigned, expected.map(|(name, device)| (name.to_owned(), device)));
    stop(first.run);
    stop(third.run);
}

#[test]
fn a_sweep_gives_its_trials_one_after_the_other() {
    use crate::spec::{Axis, Sweep, SweepSettings, SweptValues, key_named};
    let home = tempfile::tempdir().unwrap();
    let runs = home.path();
    let values = SweptValues::List(["1e-3", "1e-4", "1e-5"].map(String::from).to_vec());
    let axis = Axis { key: key_named("learning_rate").unwrap(), values };
    let sweep = Sweep::new(spec("s"), vec![axis], &SweepSettings::default()).unwrap();
    let name = SweepDir::create(runs, &sweep).unwrap().name().to_owned();
    let queued = || QueueEdit::AddSweep(QueuedSweep { name: name.clone(), trials: 3 }, Box::new(spec("s")));
    add(runs, "a");
    assert_eq!(Queue::edit(runs, queued()).unwrap().entries.len(), 2);
    assert_eq!(Queue::edit(runs, queued()).unwrap().entries.len(), 2, "it is in the queue already");
    add(runs, "b");
    let mut order = Vec::new();
    while let Some(started) = Queue::start_next(runs, &CPU, |what| super::super::start(what, runs)).unwrap() {
        assert!(started.queue.entries[0].is_started && order.len() < 9);
        let dir = started.run.dir.clone();
        order.push(dir.file_name().unwrap().to_string_lossy().into_owned());
        started.run.join().unwrap();
        let id = started.queue.entry_of(&dir).unwrap().id;
        Queue::edit(runs, QueueEdit::Remove(id)).unwrap();
    }
    let trials = (0..3).map(|number| format!("{name}.{number}")).collect::<Vec<_>>();
    assert_eq!(order[1..4], trials, "between the runs around it");
    assert!(order.len() == 5 && Queue::read(runs).unwrap().entries.is_empty(), "{order:?}");

    Queue::edit(runs, queued()).unwrap();
    std::fs::remove_file(SweepDir::at(runs, &name).path().join("sweep.toml")).unwrap();
    let error =
        Queue::start_next(runs, &CPU, |what| super::super::start(what, runs)).unwrap_err().to_string();
    assert!(error.contains("sweep.toml"), "{error}");
    assert!(Queue::read(runs).unwrap().entries.is_empty(), "a sweep that cannot be continued is removed");
}
