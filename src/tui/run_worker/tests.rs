//! Runs on several devices.

use super::*;
use crate::spec::{DeviceSpec, RunSpec, built_in};
use crossbeam_channel::{Receiver, unbounded};

struct Fixture {
    worker: RunWorker,
    messages: Receiver<Msg>,
    replies: Receiver<StartReply>,
    _home: tempfile::TempDir,
}

/// A worker whose list of devices has two GPUs, with two runs in its queue.
fn fixture() -> Fixture {
    let home = tempfile::tempdir().unwrap();
    let spec = RunSpec { max_train_samples: Some(4), max_steps: Some(1), ..built_in("x") };
    for _ in 0..2 {
        Queue::edit(home.path(), QueueEdit::Add(Box::new(Start::New(spec.clone())))).unwrap();
    }
    let options = Options { runs_dir: home.path().into(), ..Options::default() };
    let (sender, messages) = unbounded();
    let (reply_sender, replies) = unbounded();
    let mut worker = RunWorker::new(options, sender, reply_sender, Arc::default(), ActiveRuns::default());
    worker.list_devices =
        || [0, 1].map(|ordinal| QueueDevice { device: DeviceSpec::Cuda(ordinal), memory: None }).to_vec();
    Fixture { worker, messages, replies, _home: home }
}

#[test]
fn second_run_of_the_queue_trains_on_the_second_device() {
    let Fixture { mut worker, messages, replies, _home } = fixture();
    worker.run(RunJob::PollQueue, true);
    assert!(matches!(messages.try_recv(), Ok(Msg::SeveralDevices)));
    worker.run(RunJob::StartNext, true);
    let first = replies.try_recv().unwrap().run.expect("the run that the interface shows");
    worker.run(RunJob::StartNext, true);
    let second = replies.try_recv().unwrap();
    let Some(Msg::QueueLoaded(Ok(queue))) = second.msg else { panic!("no change of the queue") };
    assert!(second.run.is_none() && worker.others.len() == 1);
    let devices: Vec<DeviceSpec> = queue.entries.iter().map(|entry| entry.spec.device).collect();
    assert_eq!(devices, [DeviceSpec::Cuda(0), DeviceSpec::Cuda(1)]);
    assert!(queue.entries.iter().all(|entry| entry.is_started));
    worker.run(RunJob::StartNext, true);
    assert!(replies.try_recv().unwrap().run.is_none(), "no device is idle");

    // There are no such GPUs, so both runs fail; the worker reports the one that the interface does not show.
    let name = RunDir::at(&worker.others[0].handle.dir).name();
    while !worker.others[0].handle.is_over() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    worker.run(RunJob::PollQueue, true);
    assert!(worker.others.is_empty() && worker.flags.others.load(Ordering::Relaxed) == 0);
    let errors = messages.try_iter().filter_map(|msg| match msg {
        Msg::Error { title, text } => Some((title, text)),
        _ => None,
    });
    let errors: Vec<(String, String)> = errors.collect();
    assert!(errors.len() == 1 && errors[0].0.contains(&name) && errors[0].1.contains("cuda:1"), "{errors:?}");
    assert!(first.handle.join().is_err());
}

#[test]
fn all_runs_are_stopped_at_the_end() {
    let Fixture { mut worker, replies, _home, .. } = fixture();
    worker.run(RunJob::StartNext, true);
    worker.run(RunJob::StartNext, true);
    let runs: Vec<StartReply> = replies.try_iter().collect();
    assert_eq!((runs.len(), worker.others.len()), (2, 1));
    let (sender, saved) = crossbeam_channel::bounded::<()>(0);
    worker.run(RunJob::JoinOthers(sender), true);
    assert!(saved.recv().is_err() && worker.others.is_empty());
}
