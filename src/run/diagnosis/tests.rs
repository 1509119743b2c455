use super::*;
use crate::event::Status;
use crate::run::replay;

#[test]
fn dump() {
    let Ok(dirs) = std::env::var("DUMP") else { return };
    for root in dirs.split(':') {
        let mut dirs: Vec<_> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
        dirs.sort();
        for dir in dirs {
            let Ok(events) = replay(&dir) else { continue };
            let mut monitor = Monitor::default();
            let mut texts = vec![];
            let mut head = String::new();
            let mut norms = vec![];
            let mut last = String::new();
            for event in events {
                if let Event::Started(s) = &event {
                    head = format!(
                        "{} {} lr {} e {} n {} steps {}",
                        s.spec.model,
                        s.spec.task,
                        s.spec.learning_rate,
                        s.spec.num_train_epochs,
                        s.rows[0],
                        s.total_steps
                    );
                }
                if let Event::Step(s) = &event {
                    norms.push(s.grad_norm)
                }
                let mut notes = monitor.fold(&event);
                if let Event::Ended { status: Status::Finished, .. } = &event {
                    notes.extend(monitor.finish())
                }
                if let Event::Eval(e) = &event
                    && e.split == SplitName::Validation
                {
                    last = format!(
                        "acc {:?} loss {:.3} prior {:?}",
                        e.scores.get(crate::catalog::Metric::Accuracy),
                        e.scores.loss,
                        e.scores.prior_loss()
                    )
                }
                for note in notes {
                    if let Event::Note { text, warning, problem, .. } = note {
                        texts.push(format!(
                            "   {} {:?} {text}",
                            if warning { "!" } else { "ok" },
                            problem.unwrap()
                        ))
                    }
                }
            }
            norms.sort_by(f64::total_cmp);
            if norms.is_empty() {
                continue;
            }
            println!(
                "{head} | {last} | norms {:.3} {:.3} {:.3}",
                norms[0],
                norms[norms.len() / 2],
                norms[norms.len() - 1]
            );
            texts.iter().for_each(|t| println!("{t}"));
        }
    }
}
