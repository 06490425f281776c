//! A sweep's table on disk, which grows row by row: a CSV (RFC 4180), and beside it the rows' whole reports as a JSON array with
//! one object a line. A sweep that was stopped goes on in both.

use coppice::base::{Error, Result};
use coppice::job::Row;
use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The two files. Nothing is written before the first row.
pub(crate) struct Table {
    csv: Growing,
    json: Growing,
    keys: HashSet<String>,
}

/// A file of which so many bytes are whole.
struct Growing {
    path: PathBuf,
    whole: u64,
}

const END: &str = "\r\n";
const EMPTY: &str = "[";

impl Table {
    /// What is there at `path` and in the JSON file beside it; a line that was not written to its end does not count.
    ///
    /// # Errors
    /// There is something else.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let json = beside(path)?;
        let (rows, csv_whole) = match read(path)? {
            Some(text) => rows(&text).ok_or_else(|| {
                Error::input(format!(
                    "{} is not a table of this version of coppice sweep; choose another file, or move this one away.",
                    path.display()
                ))
            })?,
            None => (Vec::new(), 0),
        };
        let reports = read(&json)?.map(|text| reports(&text, rows.len()));
        let json_whole = match reports {
            None if rows.is_empty() => 0,
            Some(Some((keys, whole))) if keys == rows && path.exists() => whole,
            _ => {
                return Err(Error::input(format!(
                    "{} does not have the reports of the rows of {}; choose another file, or move both away.",
                    json.display(),
                    path.display()
                )));
            }
        };
        let csv = Growing { path: path.to_owned(), whole: csv_whole };
        Ok(Self { csv, json: Growing { path: json, whole: json_whole }, keys: rows.into_iter().collect() })
    }

    /// Keys of the rows.
    pub(crate) fn keys(&self) -> &HashSet<String> {
        &self.keys
    }

    /// Adds a row to both files: the report first, so that a row never lacks its own.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn add(&mut self, row: &Row) -> Result<()> {
        let report = crate::to_json(row)?;
        let before = match self.json.whole {
            0 => format!("{EMPTY}\n"),
            whole if whole == EMPTY.len() as u64 => "\n".to_owned(),
            _ => ",\n".to_owned(),
        };
        self.json.add(&format!("{before}{report}"), "\n]\n")?;
        let header = if self.csv.whole == 0 { line(Row::columns()) } else { String::new() };
        self.csv.add(&(header + &line(row.cells()?)), "")
    }
}

impl Growing {
    /// Puts `text` after what is whole, and `end` behind it until the next time.
    fn add(&mut self, text: &str, end: &str) -> Result<()> {
        let written = || -> std::io::Result<()> {
            let mut file = File::options().write(true).create(true).truncate(false).open(&self.path)?;
            file.set_len(self.whole)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(format!("{text}{end}").as_bytes())
        };
        written().map_err(|error| {
            Error::io(format!(
                "{} cannot be written ({error}); the rows before are safe, and the same command goes on after them.",
                self.path.display()
            ))
        })?;
        self.whole += text.len() as u64;
        Ok(())
    }
}

/// Where the reports go: the table's path with another ending.
pub(crate) fn beside(path: &Path) -> Result<PathBuf> {
    if path.extension().is_some_and(|ending| ending == "csv") {
        Ok(path.with_extension("json"))
    } else {
        Err(Error::input(format!(
            "The table {} must have a name that ends in .csv; its reports go into a .json beside it.",
            path.display()
        )))
    }
}

fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => crate::read_text(path).map(Some),
    }
}

/// The keys of a table's whole rows, and how many bytes those are; nothing for another table.
fn rows(text: &str) -> Option<(Vec<String>, u64)> {
    let header = line(Row::columns());
    if header.starts_with(text) && header != text {
        return Some((Vec::new(), 0));
    }
    let mut rest = text.strip_prefix(&header)?;
    let at = Row::columns().position(|name| name == "key")?;
    let mut keys = Vec::new();
    while let Some((mut cells, after)) = record(rest) {
        if cells.len() != Row::columns().len() {
            return None;
        }
        keys.push(cells.swap_remove(at));
        rest = after;
    }
    Some((keys, (text.len() - rest.len()) as u64))
}

/// The first record of a CSV that is whole, and what comes after it.
fn record(text: &str) -> Option<(Vec<String>, &str)> {
    let (mut cells, mut rest) = (Vec::new(), text);
    loop {
        let mut cell = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let (part, after) = quoted.split_once('"')?;
            cell.push_str(part);
            rest = after;
            // Two quotes are one.
            while let Some(more) = rest.strip_prefix('"') {
                let (part, after) = more.split_once('"')?;
                cell.push('"');
                cell.push_str(part);
                rest = after;
            }
        } else {
            let end = rest.find([',', '\r', '\n'])?;
            cell.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        cells.push(cell);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Some((cells, rest.strip_prefix(END)?)),
        }
    }
}

/// The keys of the first `count` reports, and how many bytes those are; nothing where it is no list of them.
fn reports(text: &str, count: usize) -> Option<(Vec<String>, u64)> {
    let mut lines = text.split('\n');
    if lines.next() != Some(EMPTY) {
        return text.is_empty().then(|| (Vec::new(), 0));
    }
    let mut keys = Vec::new();
    let (mut at, mut whole) = (EMPTY.len() + 1, EMPTY.len());
    for line in lines.take(count) {
        let object = line.strip_suffix(',').unwrap_or(line);
        let row: serde_json::Value = serde_json::from_str(object).ok()?;
        keys.push(row.get("key")?.as_str()?.to_owned());
        whole = at + object.len();
        at += line.len() + 1;
    }
    Some((keys, whole as u64))
}

/// A line of a CSV.
fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| quoted(cell.as_ref())).collect();
    cells.join(",") + END
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_written() {
        for cells in [vec!["a", "b"], vec![""], vec!["", "x,y", "he said \"no\"", "\"", "two\r\nlines", "ü"], vec!["\"\"", ""]] {
            let text = line(cells.iter().copied());
            let (found, rest) = record(&text).expect("a whole record");
            assert_eq!((found, rest), (cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>(), ""));
            for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
                assert!(record(&text[..end]).is_none(), "{:?} is not whole", &text[..end]);
            }
        }
    }
}
