//! `coppice sweep`: its rows are what single runs report, it goes on where it stopped, and it refuses what it would spoil.

use super::{Bench, coppice, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Output;

/// Two recipes at two ratios and over two draws of the text; heads alone cannot give the second ratio.
const RECIPES: &str = r#"{
    "base": {"version": 1, "calibration": {"source": "tiny/calibration.txt", "sequences": 12, "length": 64},
             "method": {"kind": "structured"}, "output": {"kind": "sliced"},
             "evaluation": {"source": "tiny/valid.txt", "limit": 600, "window": 64}},
    "vary": {"method": [{"name": "widths, \"aware\"", "error_aware": true}, {"name": "heads", "units": ["heads"], "reconstruction": "bias"}],
             "method.ratio": [0.174, 0.46], "calibration.seed": [0, 1]}
}"#;

fn made() -> (Bench, String) {
    let bench = Bench::new();
    let model = bench.path("tiny");
    assert!(coppice(&["fixture", "tiny-llama", "--out", &model]).status.success());
    std::fs::write(bench.path("recipes.json"), RECIPES).expect("written");
    (bench, model)
}

fn sweep(bench: &Bench, model: &str, recipes: &str, out: &str) -> Output {
    coppice(&["sweep", model, "--recipes", &bench.path(recipes), "--out", &bench.path(out), "--device", "cpu"])
}

/// Runs a sweep that must succeed: what it prints, and the table's lines.
fn swept(bench: &Bench, model: &str) -> (String, Vec<String>) {
    let done = sweep(bench, model, "recipes.json", "table.csv");
    assert!(done.status.success(), "{}", text(&done.stderr));
    let table = read(bench, "table.csv");
    let lines = table.strip_suffix("\r\n").expect("a last line end").split("\r\n").map(str::to_owned).collect();
    (text(&done.stdout), lines)
}

fn read(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.path(name)).expect("read")
}

fn json(bench: &Bench, name: &str) -> Vec<Value> {
    serde_json::from_str(&read(bench, name)).expect("a JSON array")
}

/// The rows of a table by column; no cell of these has a line break.
fn rows(lines: &[String]) -> Vec<BTreeMap<String, String>> {
    let cells = |line: &String| {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                // Of two quotes inside quotes, the second one is a quote again.
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().expect("a cell").push(c),
            }
        }
        cells
    };
    let header = cells(&lines[0]);
    lines[1..].iter().map(|line| header.iter().cloned().zip(cells(line)).collect()).collect()
}

#[test]
fn rows_are_what_single_runs_report() {
    let (bench, model) = made();
    let (said, lines) = swept(&bench, &model);
    assert!(said.contains("8 rows") && said.contains("2 of them with an error"), "{said}");
    let (table, whole) = (rows(&lines), json(&bench, "table.json"));
    assert_eq!((table.len(), whole.len()), (8, 8));
    for (row, whole) in table.iter().zip(&whole) {
        assert_eq!(Some(row["key"].as_str()), whole["key"].as_str());
        if row["units"] == "heads" && row["ratio"] == "0.46" {
            assert!(row["error"].contains("nearest") && row["kl"].is_empty() && whole["report"].is_null(), "{row:?}");
            continue;
        }
        std::fs::write(bench.path("one.json"), whole["recipe"].to_string()).expect("written");
        let _ = std::fs::remove_dir_all(bench.path("out"));
        let done = coppice(&["prune", &model, "--recipe", &bench.path("one.json"), "--out", &bench.path("out"), "--device", "cpu"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let report: Value = serde_json::from_str(&read(&bench, "out/report.json")).expect("a report");
        for part in
            ["recipe", "ratio", "calibration", "before", "after", "quality_before", "quality_after", "layers", "close_calls", "device"]
        {
            assert_eq!(report[part], whole["report"][part], "{part} of {}", row["name"]);
        }
        for (column, path) in [
            ("ratio", "/recipe/method/ratio"),
            ("seed", "/recipe/calibration/seed"),
            ("error_aware", "/recipe/method/error_aware"),
            ("realised_linear", "/ratio/linear"),
            ("parameters_after", "/after/parameters"),
            ("bytes_before", "/before/bytes"),
            ("flops_per_token_after", "/after/flops_per_token"),
            ("perplexity_before", "/quality_before/perplexity"),
            ("perplexity_after", "/quality_after/perplexity"),
            ("kl", "/quality_after/kl"),
            ("tokens", "/calibration/tokens"),
        ] {
            assert_eq!(Some(&row[column]), report.pointer(path).map(Value::to_string).as_ref(), "{column}");
        }
        let number = |column: &str| row[column].parse::<f64>().expect("a number");
        let loss = (number("perplexity_after") / number("perplexity_before")).ln();
        assert!((number("excess_loss") - loss).abs() < 1e-12 && number("seconds_total") > 0.0 && row["error"].is_empty());
    }
    // Both draws of the text count.
    assert_ne!(table[0]["kl"], table.iter().find(|row| row["seed"] == "1").expect("a second draw")["kl"]);
}

#[test]
fn a_sweep_goes_on_where_it_stopped() {
    let (bench, model) = made();
    let (_, first) = swept(&bench, &model);
    let (csv, reports) = (read(&bench, "table.csv"), read(&bench, "table.json"));
    let (said, _) = swept(&bench, &model);
    assert!(said.contains("0 rows") && said.contains("8 were there"), "{said}");
    assert!(csv == read(&bench, "table.csv") && reports == read(&bench, "table.json"), "nothing was to be written");
    // Stopped in the middle of the sixth row, whose report was written; and earlier, in the middle of the report.
    let before: usize = first[..6].iter().map(|line| line.len() + 2).sum();
    let report: usize = reports.split('\n').take(6).map(|line| line.len() + 1).sum();
    for (csv_end, json_end) in [(before + 40, reports.len()), (before, report + 40)] {
        std::fs::write(bench.path("table.csv"), &csv[..csv_end]).expect("written");
        std::fs::write(bench.path("table.json"), &reports[..json_end]).expect("written");
        let (said, lines) = swept(&bench, &model);
        assert!(said.contains("3 rows") && said.contains("5 were there"), "{said}");
        assert_eq!(lines[..6], first[..6]);
        assert_eq!(lines.len(), 9);
        let (old, new) = (rows(&first), rows(&lines));
        for column in ["name", "key", "kl", "error"] {
            let of = |rows: &[BTreeMap<String, String>]| rows.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
            assert_eq!(of(&old), of(&new), "{column}");
        }
        let keys: Vec<String> = json(&bench, "table.json").iter().map(|row| row["key"].as_str().expect("a key").to_owned()).collect();
        assert_eq!(keys, new.iter().map(|row| row["key"].clone()).collect::<Vec<_>>());
    }
    // Another text is another row.
    let valid = read(&bench, "tiny/valid.txt");
    std::fs::write(bench.path("tiny/valid.txt"), valid + "once more").expect("written");
    assert!(swept(&bench, &model).0.contains("8 rows"));
    let left = std::fs::read_dir(bench.folder.path()).expect("listed").map(|entry| entry.expect("an entry").file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("scratch")), "scratch was left");
}

#[test]
fn what_would_spoil_something_is_refused_before_the_work() {
    let (bench, model) = made();
    let write = |name: &str, text: &str| std::fs::write(bench.path(name), text).expect("written");
    write("mine.csv", "my,own,table\n1,2,3\n");
    write("other.json", "[1, 2]");
    write("typo.json", &RECIPES.replace("\"error_aware\"", "\"error_aware\": true, \"eror_aware\""));
    write("gone.json", &RECIPES.replace("tiny/valid.txt", "gone.txt"));
    write("twice.json", &RECIPES.replace("[0, 1]", "[1, 1]"));
    write("long.json", &RECIPES.replace("\"length\": 64", "\"length\": 100000"));
    let plan = r#"{"version": 1, "method": {"kind": "plan", "plan": "nowhere.json", "reconstruction": "none"}}"#;
    write("plan.json", &format!("[{plan}]"));
    let list = || std::fs::read_dir(bench.folder.path()).expect("listed").count();
    let before = list();
    for (recipes, out, words) in [
        ("typo.json", "table.csv", ["Recipe 1", "eror_aware", "method"]),
        ("gone.json", "table.csv", ["gone.txt", "could not be read", "Recipe 1"]),
        ("twice.json", "table.csv", ["Recipe 2", "recipe 1", "leave one"]),
        ("long.json", "table.csv", ["Recipe 1 (widths, \"aware\"): calibration.length", "100000", "positions"]),
        ("plan.json", "table.csv", ["nowhere.json", "could not be read", "."]),
        ("recipes.json", "mine.csv", ["mine.csv", "not a table", "choose"]),
        ("recipes.json", "other.csv", ["other.json", "reports", "choose"]),
        ("recipes.json", "recipes.csv", ["recipes.json", "that the job reads", "choose"]),
        ("recipes.json", "table", ["table", ".csv", "must"]),
        ("recipes.json", "tiny/table.csv", ["table.csv", "folder of the input model", "choose"]),
        ("recipes.json", "none/table.csv", ["none", "does not exist", "make that folder"]),
    ] {
        let done = sweep(&bench, &model, recipes, out);
        let message = text(&done.stderr);
        let sentence = message.lines().last().unwrap_or_default();
        assert_eq!(done.status.code(), Some(1), "{message}");
        assert!(words.iter().all(|word| sentence.contains(word)) && sentence.ends_with('.'), "no {words:?} in {sentence:?}");
        assert_eq!(list(), before, "something was written: {message}");
    }
    assert_eq!(read(&bench, "mine.csv"), "my,own,table\n1,2,3\n");
    assert_eq!(read(&bench, "other.json"), "[1, 2]");
}
