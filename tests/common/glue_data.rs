//! Files in the layout of GLUE's archive with made-up rows, and the numbers of rows of the published test splits.

use std::path::Path;

/// The rows of the published test splits, by the name of the file in a submission.
#[allow(dead_code, reason = "not every test program exports a submission")]
pub(crate) const TEST_ROWS: [(&str, usize); 11] = [
    ("AX.tsv", 1104),
    ("CoLA.tsv", 1063),
    ("MNLI-m.tsv", 9796),
    ("MNLI-mm.tsv", 9847),
    ("MRPC.tsv", 1725),
    ("QNLI.tsv", 5463),
    ("QQP.tsv", 390_965),
    ("RTE.tsv", 3000),
    ("SST-2.tsv", 1821),
    ("STS-B.tsv", 1379),
    ("WNLI.tsv", 146),
];

/// Training rows of each task.
const TRAIN: usize = 24;
/// Validation rows of each task.
const VALIDATION: usize = 12;

const WORDS: [&str; 12] =
    ["a", "good", "film", "about", "nothing", "she", "reads", "old", "letters", "slowly", "today", "again"];

/// The text of a row.
fn text(row: usize) -> String {
    let word = |place: usize| WORDS[(row * 7 + place * 5 + row / 12) % WORDS.len()];
    (0..3 + row % 4).map(word).collect::<Vec<_>>().join(" ")
}

/// The columns of a file and the cells of a row.
struct Table<'a> {
    header: &'a str,
    row: &'a dyn Fn(usize) -> String,
}

fn write(path: &Path, Table { header, row }: Table<'_>, rows: usize) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines: Vec<String> = (0..rows).map(|number| row(number) + "\n").collect();
    let header = if header.is_empty() { String::new() } else { format!("{header}\n") };
    std::fs::write(path, header + &lines.concat()).unwrap();
}

const MNLI: &str = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t\
                    sentence2_parse\tsentence1\tsentence2";

fn mnli_cells(row: usize) -> String {
    format!("{row}\t1\t1n\tfiction\t( a )\t( b )\t(A)\t(B)\t{}\t{}", text(row), text(row + 5))
}

fn inference(row: usize) -> &'static str {
    ["entailment", "neutral", "contradiction"][row % 3]
}

fn entailment(row: usize) -> &'static str {
    ["entailment", "not_entailment"][row % 2]
}

/// Writes all tasks to `folder`. The test split of a file of a submission has `test_rows` of its name; none if that is 0.
pub(crate) fn write_archive(folder: &Path, test_rows: impl Fn(&str) -> usize) {
    let test = |path: &str, name: &str, header: &str, row: &dyn Fn(usize) -> String| {
        let rows = test_rows(name);
        if rows > 0 {
            write(&folder.join(path), Table { header, row }, rows);
        }
    };
    let splits = |task: &str, header: &str, row: &dyn Fn(usize) -> String| {
        write(&folder.join(task).join("train.tsv"), Table { header, row }, TRAIN);
        write(&folder.join(task).join("dev.tsv"), Table { header, row }, VALIDATION);
    };
    splits("CoLA", "", &|row| format!("gj04\t{}\t\t{}", row % 2, text(row)));
    test("CoLA/test.tsv", "CoLA.tsv", "index\tsentence", &|row| format!("{row}\t{}", text(row)));
    splits("SST-2", "sentence\tlabel", &|row| format!("{} \t{}", text(row), row % 2));
    test("SST-2/test.tsv", "SST-2.tsv", "index\tsentence", &|row| format!("{row}\t{}", text(row)));
    let pair = |row: usize| format!("{}\t{}", text(row), text(row + 3));
    splits("MRPC", "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", &|row| {
        format!("{}\t1\t2\t{}", row % 2, pair(row))
    });
    let header = "index\t#1 ID\t#2 ID\t#1 String\t#2 String";
    test("MRPC/test.tsv", "MRPC.tsv", header, &|row| format!("{row}\t1\t2\t{}", pair(row)));
    let header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2";
    let cells = |row: usize| format!("{row}\tmain\tf\t2012\t1\ts\ts\t{}", pair(row));
    splits("STS-B", &format!("{header}\tscore"), &|row| {
        format!("{}\t{:.3}", cells(row), (row % 11) as f32 / 2.2)
    });
    test("STS-B/test.tsv", "STS-B.tsv", header, &cells);
    splits("QQP", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", &|row| {
        format!("{row}\t1\t2\t{}\t{}", pair(row), row % 2)
    });
    test("QQP/test.tsv", "QQP.tsv", "id\tquestion1\tquestion2", &|row| format!("{row}\t{}", pair(row)));
    let header = format!("{MNLI}\tlabel1\tgold_label");
    let row = |row: usize| format!("{}\t{}\t{}", mnli_cells(row), inference(row), inference(row));
    write(&folder.join("MNLI/train.tsv"), Table { header: &header, row: &row }, TRAIN);
    write(&folder.join("MNLI/dev_matched.tsv"), Table { header: &header, row: &row }, VALIDATION);
    write(&folder.join("MNLI/dev_mismatched.tsv"), Table { header: &header, row: &row }, VALIDATION + 3);
    test("MNLI/test_matched.tsv", "MNLI-m.tsv", MNLI, &mnli_cells);
    test("MNLI/test_mismatched.tsv", "MNLI-mm.tsv", MNLI, &mnli_cells);
    let header = "index\tsentence1\tsentence2";
    let numbered = |row: usize| format!("{row}\t{}", pair(row));
    test("diagnostic/diagnostic.tsv", "AX.tsv", header, &numbered);
    let row = |row: usize| format!("{}\t{}", numbered(row), entailment(row));
    splits("QNLI", "index\tquestion\tsentence\tlabel", &row);
    test("QNLI/test.tsv", "QNLI.tsv", "index\tquestion\tsentence", &numbered);
    splits("RTE", &format!("{header}\tlabel"), &row);
    test("RTE/test.tsv", "RTE.tsv", header, &numbered);
    splits("WNLI", &format!("{header}\tlabel"), &|row| format!("{}\t{}", numbered(row), row % 2));
    test("WNLI/test.tsv", "WNLI.tsv", header, &numbered);
}
