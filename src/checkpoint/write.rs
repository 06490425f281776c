//! The output folder, written natively: all of it or nothing.

use super::{FileSource, OutputFile, shown};
use crate::base::{Error, Result};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Bytes copied at a time.
const PIECE: u64 = 8 << 20;

/// Writes `files` as the folder `out`: first into a temporary folder beside it, which then takes its name. Missing parent
/// folders are made. On any failure, and where the future is dropped, nothing of it stays.
///
/// # Errors
/// `out` is a file, a folder with something in it or the folder of the input, a part cannot be read, or the disk refuses.
pub async fn write_folder(files: &[OutputFile], out: &Path) -> Result<()> {
    let out = target(files, out)?;
    check_names(files)?;
    let staging = Staging::new(&out)?;
    for file in files {
        write_file(file, &staging.path).await?;
    }
    staging.publish(&out)
}

/// Refuses, before any work, a folder that [`write_folder`] would refuse: a file, one with something in it, or one whose
/// temporary folder cannot be made. That folder is made and removed at once: a run that is killed must leave nothing.
///
/// # Errors
/// The folder cannot be written.
pub fn check_target(out: &Path) -> Result<()> {
    Staging::new(&target(&[], out)?).map(drop)
}

/// The real path of the folder to be, if it may be written.
fn target(files: &[OutputFile], out: &Path) -> Result<PathBuf> {
    let shown = out.display();
    let about = match fs::metadata(out) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(out).is_err() => {
            return std::path::absolute(out).map_err(|error| cannot_make(out, &error));
        }
        Err(error) => return Err(cannot_make(out, &error)),
    };
    if !about.is_dir() {
        return Err(Error::input(format!("{shown} is a file; choose a new folder for the output.")));
    }
    let real = fs::canonicalize(out).map_err(|error| cannot_make(out, &error))?;
    let inputs = files.iter().flat_map(|file| &file.parts).filter_map(|part| part.source.as_any().downcast_ref::<FileSource>());
    let folders: HashSet<&Path> = inputs.filter_map(|file| file.path().parent()).collect();
    // The parent of a bare file name is empty, and means the current folder.
    let current = Path::new(".");
    if folders.into_iter().map(|f| if f.as_os_str().is_empty() { current } else { f }).any(|f| fs::canonicalize(f).is_ok_and(|f| f == real))
    {
        return Err(Error::input(format!("{shown} is the folder of the input model; choose a new folder for the output.")));
    }
    let mut items = fs::read_dir(&real).map_err(|error| cannot_make(out, &error))?;
    if items.next().is_some() {
        return Err(Error::input(format!("The folder {shown} is not empty; choose a new folder for the output, or empty this one.")));
    }
    Ok(real)
}

fn check_names(files: &[OutputFile]) -> Result<()> {
    let mut names = HashSet::new();
    for file in files {
        let plain =
            Path::new(&file.name).file_name().is_some_and(|name| name == file.name.as_str()) && !file.name.contains(['/', '\\', '\0']);
        if !plain || !names.insert(&file.name) {
            return Err(Error::internal(format_args!("the output file name {} is there twice, or is none", shown(&file.name))));
        }
    }
    Ok(())
}

async fn write_file(file: &OutputFile, folder: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::io(format!(
            "{} ({} bytes) cannot be written ({error}); free some space, or choose an output folder elsewhere.",
            file.name,
            file.len()
        ))
    };
    let mut written = File::options().write(true).create_new(true).open(folder.join(&file.name)).map_err(failed)?;
    for part in &file.parts {
        let mut start = part.range.start;
        while start < part.range.end {
            let end = part.range.end.min(start + PIECE);
            written.write_all(&part.source.read(start..end).await?).map_err(failed)?;
            start = end;
        }
    }
    written.sync_all().map_err(failed)
}

fn cannot_make(out: &Path, error: &std::io::Error) -> Error {
    let way_out = match error.kind() {
        ErrorKind::NotADirectory => "choose a place that is not below a file",
        ErrorKind::InvalidFilename => "give it a shorter name",
        _ => "choose a place that can be written to",
    };
    Error::io(format!("The output folder {} cannot be made ({error}); {way_out}.", out.display()))
}

/// The temporary folder, and the parents that had to be made; all are removed unless it is published.
struct Staging {
    path: PathBuf,
    parents: Vec<PathBuf>,
    published: bool,
}

impl Staging {
    fn new(out: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| cannot_make(out, &error);
        let (Some(parent), Some(name)) = (out.parent(), out.file_name()) else {
            return Err(Error::input(format!("{} cannot be an output folder; choose a new folder below it.", out.display())));
        };
        let mut staging = Self { path: PathBuf::new(), parents: Vec::new(), published: false };
        let mut missing: Vec<&Path> = parent.ancestors().take_while(|folder| !folder.exists()).collect();
        while let Some(folder) = missing.pop() {
            fs::create_dir(folder).map_err(failed)?;
            staging.parents.push(folder.to_owned());
        }
        for attempt in 0.. {
            let path = parent.join(format!(".{}.coppice-{}-{attempt}", name.to_string_lossy(), std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => {
                    staging.path = path;
                    return Ok(staging);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(Error::internal("every temporary name is taken"))
    }

    fn publish(mut self, out: &Path) -> Result<()> {
        // An empty folder stands in the way on some systems; one that was filled meanwhile is not removed, and the rename fails.
        if out.exists() {
            fs::remove_dir(out).map_err(|error| cannot_make(out, &error))?;
        }
        fs::rename(&self.path, out).map_err(|error| cannot_make(out, &error))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        // Nobody is left to be told if this fails.
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.path);
        }
        for parent in self.parents.iter().rev() {
            let _ = fs::remove_dir(parent);
        }
    }
}

#[cfg(test)]
mod tests;
