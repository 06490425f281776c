//! A model folder: named sources.

use super::header::{is_pointer, pointer};
use super::{Source, shown};
use crate::base::{Error, Result};
use std::rc::Rc;

/// The files of one model folder, without its subfolders, by name.
#[derive(Debug, Clone)]
pub struct Folder {
    files: Rc<[Source]>,
}

/// Longest text file that is read whole, in bytes: large tokenizers have some 30 MB.
const LONGEST_TEXT: u64 = 1 << 28;

impl Folder {
    /// A folder of these files.
    ///
    /// # Errors
    /// There is no file, or two have the same name.
    pub fn new(mut files: Vec<Source>) -> Result<Self> {
        if files.is_empty() {
            return Err(Error::input("The folder has no files; choose the folder that holds config.json and model.safetensors."));
        }
        files.sort_by(|a, b| a.name().cmp(b.name()));
        if let Some(pair) = files.windows(2).find(|pair| pair[0].name() == pair[1].name()) {
            return Err(Error::input(format!("Two files are named {}; choose the files of one folder only.", shown(pair[0].name()))));
        }
        Ok(Self { files: files.into() })
    }

    /// The files of a folder on disk; links to files are followed, subfolders are left out.
    ///
    /// # Errors
    /// The path is missing, is no folder, cannot be read, or has no files.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let shown = path.display();
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::input(format!("There is no folder {shown}; check the path.")),
            _ => Error::input(format!("The folder {shown} cannot be read ({error}); check its permissions.")),
        };
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            return Err(Error::input(format!("{shown} is a file; give the folder that holds config.json and model.safetensors.")));
        }
        let mut files: Vec<Source> = Vec::new();
        for item in std::fs::read_dir(path).map_err(failed)? {
            let path = item.map_err(failed)?.path();
            // A broken link is as good as a missing file, and is named as one where it is needed.
            if path.is_file() && path.file_name().is_some_and(|name| name.to_str().is_some()) {
                files.push(Rc::new(super::FileSource::open(path)?));
            }
        }
        if files.is_empty() {
            return Err(Error::input(format!(
                "The folder {shown} has no files; give the folder that holds config.json and model.safetensors."
            )));
        }
        Self::new(files)
    }

    /// The file of a name.
    pub fn find(&self, name: &str) -> Option<&Source> {
        self.files.binary_search_by(|file| file.name().cmp(name)).ok().map(|index| &self.files[index])
    }

    /// All files, by name.
    pub fn files(&self) -> &[Source] {
        &self.files
    }

    /// A whole text file.
    ///
    /// # Errors
    /// The file is missing, cannot be read, is not UTF-8, is a Git LFS pointer, or is larger than 256 MiB.
    pub async fn text(&self, name: &str) -> Result<String> {
        let file = self
            .find(name)
            .ok_or_else(|| Error::input(format!("The folder has no {name}; add that file, or choose the folder that holds it.")))?;
        if file.len() > LONGEST_TEXT {
            return Err(Error::input(format!(
                "{name} has {} bytes, too many for a text file; check that it is the right file.",
                file.len()
            )));
        }
        let bytes = file.read(0..file.len()).await?;
        let text = String::from_utf8(bytes)
            .map_err(|error| Error::input(format!("{name} is not UTF-8 text ({}); save it as UTF-8.", error.utf8_error())))?;
        if is_pointer(&text) { Err(pointer(name)) } else { Ok(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::MemorySource;
    use pollster::block_on;

    fn file(name: &str, bytes: &[u8]) -> Source {
        Rc::new(MemorySource::new(name, bytes))
    }

    fn said(result: Result<impl Sized>) -> String {
        result.err().expect("an error").to_string()
    }

    #[test]
    fn finds_files_by_name_only() {
        let folder = Folder::new(vec![file("b", b"2"), file("a", b"1"), file("c.txt", b"3")]).unwrap();
        assert_eq!(folder.files().iter().map(|f| f.name()).collect::<Vec<_>>(), ["a", "b", "c.txt"]);
        assert_eq!(block_on(folder.text("c.txt")).unwrap(), "3");
        assert!(folder.find("c").is_none());
        assert!(said(block_on(folder.text("config.json"))).starts_with("The folder has no config.json;"));
    }

    #[test]
    fn empty_folders_and_twins_are_refused() {
        assert!(said(Folder::new(vec![])).contains("no files"));
        assert!(said(Folder::new(vec![file("a", b""), file("b", b""), file("a", b"")])).contains("Two files are named \"a\""));
    }

    #[test]
    fn text_that_is_no_text_is_named() {
        let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
        let folder = Folder::new(vec![file("t.json", &[0xff, 0xfe]), file("p.json", lfs)]).unwrap();
        assert!(said(block_on(folder.text("t.json"))).contains("t.json is not UTF-8"));
        assert!(said(block_on(folder.text("p.json"))).contains("git lfs pull"));
    }

    #[test]
    fn wrong_paths_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(said(Folder::open(&folder.path().join("gone"))).contains("There is no folder"));
        assert!(said(Folder::open(folder.path())).contains("has no files"));
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, b"x").unwrap();
        assert!(said(Folder::open(&path)).contains("is a file"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_subfolders_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (blobs, model) = (folder.path().join("blobs"), folder.path().join("model"));
        std::fs::create_dir_all(model.join("onnx")).unwrap();
        std::fs::create_dir(&blobs).unwrap();
        std::fs::write(blobs.join("0f3a"), b"{}").unwrap();
        std::os::unix::fs::symlink("../blobs/0f3a", model.join("config.json")).unwrap();
        std::os::unix::fs::symlink("../blobs/none", model.join("broken.json")).unwrap();
        let opened = Folder::open(&model).unwrap();
        assert_eq!(opened.files().iter().map(|f| f.name()).collect::<Vec<_>>(), ["config.json"]);
        assert_eq!(block_on(opened.text("config.json")).unwrap(), "{}");
    }
}
