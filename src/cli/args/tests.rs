use super::assignment::assignment;
use super::*;

fn error(args: &[&str]) -> String {
    let args = ["glue-tui"].iter().chain(args);
    one_sentence(&Args::try_parse_from(args).unwrap_err())
}

#[test]
fn clap_accepts_the_definition() {
    <Args as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn errors_are_one_sentence() {
    for args in [&["train"][..], &["train", "x", "--set", "lr"], &["trian"], &["runs", "--jsno"]] {
        let error = error(args);
        assert!(!error.contains('\n') && !error.contains("error:"), "{error}");
        assert!(error.ends_with("; see glue-tui --help"), "{error}");
    }
    assert!(error(&["train", "x", "--set", "lr"]).contains("expected KEY=VALUE"));
    assert!(error(&["trian"]).contains("'train'"));
    assert!(error(&["runs", "--device", "cuda"]).contains("did you mean `cuda:0`?"));
}

#[test]
fn file_or_folder_stands_in_place_of_a_command() {
    let parse = |args: &[&str]| Args::parse(["glue-tui"].iter().chain(args));
    let folder = env!("CARGO_MANIFEST_DIR");
    let args = parse(&[folder, "--ascii"]).unwrap();
    assert!(args.file.is_some() && args.command.is_none() && args.global.ascii);
    for args in [&["runs"][..], &["--json", "runs"], &["--runs-dir", "x", "bench", "--shape", "minilm"]] {
        let args = parse(args).unwrap();
        assert!(args.file.is_none() && args.command.is_some());
    }
    // The value of an option may be the name of a command.
    let args = parse(&["--runs-dir", "runs", "--experiments", "train", "bench"]).unwrap();
    assert_eq!((args.global.runs_dir, args.global.experiments), ("runs".into(), Some("train".into())));
    assert!(matches!(args.command, Some(CliCommand::Bench(_))));
    assert!(parse(&[folder, "runs"]).is_err());
    assert!(error(&["reviews.csv"]).contains("no such command, file or folder"));
    assert!(error(&["rnus"]).contains("did you mean 'runs'?"));
}

#[test]
fn assignments_split_at_the_first_equals_sign() {
    assert_eq!(assignment("data_dir=a=b"), Ok(("data_dir".into(), "a=b".into())));
    assert_eq!(assignment("max_steps="), Ok(("max_steps".into(), String::new())));
    assert!(assignment("=1").is_err());
}

#[test]
fn only_resume_and_replay_need_no_experiment() {
    assert!(Args::try_parse_from(["glue-tui", "train", "--resume", "demo-1"]).is_ok());
    assert!(Args::try_parse_from(["glue-tui", "train", "--replay", "demo-1"]).is_ok());
    assert!(Args::try_parse_from(["glue-tui", "train", "--replay", "a", "--resume", "b"]).is_err());
    assert!(error(&["train"]).contains("NAME"));
}
