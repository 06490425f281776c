//! Where a job may write: checked before it runs, so that nothing is read over and no work is lost.

use coppice::base::{Error, Result};
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

/// Refuses an output in the folder of the input model.
pub(crate) fn check_out(out: &Path, model: &Path) -> Result<()> {
    if resolved(out).starts_with(resolved(model)) {
        return Err(Error::input(format!(
            "The output folder {} is, or lies in, the folder of the input model; choose a folder outside of it.",
            out.display()
        )));
    }
    Ok(())
}

/// Refuses a report that could not be written at the end, or that would take the place of a file of the model, of the output
/// or of the recipe's `read` files.
pub(crate) fn check_report(report: &Path, model: &Path, out: &Path, read: &[PathBuf]) -> Result<()> {
    if !report.is_dir() && resolved(report).starts_with(resolved(out)) {
        return Err(Error::input(format!(
            "The report {} lies in the output folder, which gets a report.json of its own; choose a file outside of it.",
            report.display()
        )));
    }
    check_file("report", report, model, read)
}

/// Refuses a file, called `what`, that could not be written at the end, or that would take the place of a file of the model or
/// of the `read` files.
pub(crate) fn check_file(what: &str, path: &Path, model: &Path, read: &[PathBuf]) -> Result<()> {
    let refused = |why: &str| Err(Error::input(format!("The {what} {} {why}.", path.display())));
    let cannot = |error: std::io::Error| refused(&format!("cannot be written ({error}); choose a file that can be"));
    let about = fs::metadata(path);
    if about.as_ref().is_ok_and(|about| about.is_dir()) {
        return refused("is a folder; add a file name");
    }
    if about.is_err() && fs::symlink_metadata(path).is_ok() {
        return refused("is a link to nothing; choose another file");
    }
    let place = resolved(path);
    if place.starts_with(resolved(model)) {
        return refused("lies in the folder of the input model; choose a file outside of it");
    }
    if read.iter().any(|read| resolved(read) == place) {
        return refused("is a file that the job reads; choose another file");
    }
    // Weights can be links to files elsewhere.
    let mut weights = fs::read_dir(model).into_iter().flatten().flatten();
    if weights.any(|entry| resolved(&entry.path()) == place) {
        return refused("is a file of the input model; choose another file");
    }
    match about {
        // Not a pipe or a terminal, whose other side would see it.
        Ok(about) if about.is_file() => File::options().append(true).open(path).map(drop).or_else(cannot),
        Ok(_) => Ok(()),
        Err(_) => {
            if !place.parent().is_some_and(Path::is_dir) {
                return refused("would lie in a folder that does not exist; make that folder, or choose another file");
            }
            let made = File::options().write(true).create_new(true).open(path);
            made.and_then(|file| {
                drop(file);
                fs::remove_file(path)
            })
            .or_else(cannot)
        }
    }
}

/// The real path: of what is there already, and below that, as it is written.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in path.ancestors() {
        if let (Ok(mut real), Ok(rest)) = (fs::canonicalize(there), path.strip_prefix(there)) {
            for part in rest.components() {
                if part == Component::ParentDir {
                    real.pop();
                } else {
                    real.push(part);
                }
            }
            return real;
        }
    }
    path
}
