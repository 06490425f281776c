//! A sweep's table on disk, which grows row by row: a CSV (RFC 4180), and beside it the rows' whole reports as a JSON array with
//! one object a line. A sweep that was stopped goes on in both.

use coppice::base::{Error, Result};
use coppice::job::Row;
use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The two files. Nothing is written before the first row; the CSV is locked as long as this lives.
pub(crate) struct Table {
    csv: Growing,
    json: Growing,
    keys: HashSet<String>,
}

/// A file of which so many bytes are whole.
struct Growing {
    path: PathBuf,
    /// Where it is held open, with its lock.
    file: Option<File>,
    whole: u64,
    /// Bytes that the file has, as far as this program knows.
    length: u64,
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
        let mut csv = Growing::new(path);
        csv.file = Some(locked(path)?);
        let text = csv.read()?.unwrap_or_default();
        let (rows, whole) = rows(&text).ok_or_else(|| {
            Error::input(format!(
                "{} is not a table of this version of coppice sweep; choose another file, or move this one away.",
                path.display()
            ))
        })?;
        csv.whole = whole;
        let mut json = Growing::new(&json);
        json.whole = match json.read()?.map(|text| reports(&text, rows.len())) {
            None if rows.is_empty() => 0,
            Some(Some((keys, whole))) if keys == rows => whole,
            _ => {
                return Err(Error::input(format!(
                    "{} does not have the reports of the rows of {}; choose another file, or move both away.",
                    json.path.display(),
                    path.display()
                )));
            }
        };
        Ok(Self { csv, json, keys: rows.into_iter().collect() })
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
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, whole: 0, length: 0 }
    }

    /// The text that is there, without a last character of which a part is missing; nothing where there is no file.
    fn read(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        let read = match &mut self.file {
            Some(file) => file.read_to_end(&mut bytes),
            None => File::open(&self.path).and_then(|mut file| file.read_to_end(&mut bytes)),
        };
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::input(format!("{} could not be read ({error}).", self.path.display()))),
            Ok(length) => self.length = length as u64,
        }
        // A sweep that was stopped may have been in the middle of a character.
        let whole = match std::str::from_utf8(&bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        };
        bytes.truncate(whole);
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| Error::input(format!("{} is not UTF-8 text; choose another file.", self.path.display())))
    }

    /// Puts `text` after what is whole, and `end` behind it until the next time.
    fn add(&mut self, text: &str, end: &str) -> Result<()> {
        let mut written = || -> std::io::Result<bool> {
            let mut opened;
            let file = match &mut self.file {
                Some(file) => file,
                None => {
                    opened = File::options().write(true).create(true).truncate(false).open(&self.path)?;
                    &mut opened
                }
            };
            let length = file.metadata()?.len();
            if length < self.whole || length > self.length {
                return Ok(false);
            }
            file.set_len(self.whole)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(format!("{text}{end}").as_bytes())?;
            Ok(true)
        };
        match written() {
            Ok(true) => {}
            Ok(false) => {
                return Err(Error::io(format!(
                    "{} was changed by another program while this sweep ran, and nothing is written over that; move it and its neighbour away, or choose another file.",
                    self.path.display()
                )));
            }
            Err(error) => {
                return Err(Error::io(format!(
                    "{} cannot be written ({error}); the rows before are safe, and the same command goes on after them.",
                    self.path.display()
                )));
            }
        }
        self.whole += text.len() as u64;
        self.length = self.whole + end.len() as u64;
        Ok(())
    }
}

impl Drop for Growing {
    /// Takes away what only held the lock.
    fn drop(&mut self) {
        let held = self.file.as_ref().and_then(|file| file.metadata().ok());
        if held.is_some_and(|held| held.len() == 0) {
            // Whoever comes next may as well find an empty file.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens a table, or makes an empty one, for this sweep alone.
fn locked(path: &Path) -> Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let file =
        file.map_err(|error| Error::io(format!("{} cannot be opened for writing ({error}); choose another file.", path.display())))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(Error::input(format!("Another sweep is writing to {}; wait for it to end, or choose another file.", path.display())))
        }
        // Some file systems know no locks.
        Err(TryLockError::Error(_)) | Ok(()) => Ok(file),
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

    /// A row of some failed recipe, with characters of two to four bytes.
    fn row(key: &str) -> Row {
        let recipe = coppice::recipe::Recipe::parse(r#"{"version": 1, "method": {"kind": "structured", "ratio": 0.3}}"#).expect("a recipe");
        let name = format!("{key}, \"größer\" 𝒳");
        Row { name, key: key.to_owned(), model: "Tiny".to_owned(), recipe, report: None, error: Some("Zu groß…\nja.".to_owned()) }
    }

    #[test]
    fn a_sweep_that_stopped_anywhere_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let (csv, json) = (folder.path().join("a.csv"), folder.path().join("a.json"));
        let read = || (std::fs::read(&csv).expect("read"), std::fs::read(&json).expect("read"));
        let mut states = Vec::new();
        let mut table = Table::open(&csv).expect("a new table");
        for key in ["eins", "zwei"] {
            table.add(&row(key)).expect("added");
            states.push(read());
        }
        drop(table);
        let [(first_csv, first_json), (both_csv, both_json)] = &states[..] else { panic!("two states") };
        let goes_on = |csv_bytes: &[u8], json_bytes: &[u8], whole: usize| {
            std::fs::write(&csv, csv_bytes).expect("written");
            std::fs::write(&json, json_bytes).expect("written");
            let mut table = Table::open(&csv).expect("a table");
            assert_eq!(table.keys().len(), whole, "of {} and {} bytes", csv_bytes.len(), json_bytes.len());
            for key in &["eins", "zwei"][whole..] {
                table.add(&row(key)).expect("added");
            }
            assert!(read() == (both_csv.clone(), both_json.clone()), "after {} and {} bytes", csv_bytes.len(), json_bytes.len());
        };
        // Reports are written first: the first row's, with no table yet, then that one's row, then the same for the second.
        (0..=first_json.len()).for_each(|end| goes_on(b"", &first_json[..end], 0));
        (0..first_csv.len()).for_each(|end| goes_on(&first_csv[..end], first_json, 0));
        let kept = first_json.len() - "\n]\n".len();
        (kept..=both_json.len()).for_each(|end| goes_on(first_csv, &both_json[..end], 1));
        (first_csv.len()..both_csv.len()).for_each(|end| goes_on(&both_csv[..end], both_json, 1));
        goes_on(both_csv, both_json, 2);
    }

    #[test]
    fn a_table_has_one_writer_and_loses_nothing_of_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let (csv, json) = (folder.path().join("a.csv"), folder.path().join("a.json"));
        let mut table = Table::open(&csv).expect("a new table");
        let refused = Table::open(&csv).err().expect("a second writer").to_string();
        assert!(refused.contains("Another sweep is writing to"), "{refused}");
        table.add(&row("eins")).expect("added");
        // Where locks do nothing, rows of another sweep are found before they are cut off.
        let grown = std::fs::read_to_string(&json).expect("read").replace("\n]\n", ",\n{}\n]\n");
        std::fs::write(&json, &grown).expect("written");
        let refused = table.add(&row("zwei")).expect_err("a file that has grown").to_string();
        assert!(refused.contains("changed by another program"), "{refused}");
        assert_eq!(std::fs::read_to_string(&json).expect("read"), grown);
        drop(table);
        // Nothing is left of a table without a row.
        let (other, _) = (folder.path().join("b.csv"), drop(Table::open(&folder.path().join("b.csv")).expect("a new table")));
        assert!(!other.exists() && csv.exists());
        // Nor of one that is refused.
        std::fs::write(folder.path().join("b.json"), "[1, 2]").expect("written");
        assert!(Table::open(&other).is_err() && !other.exists());
    }

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
