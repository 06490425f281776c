//! A model folder, opened: headers and config only.

use crate::base::Result;
use crate::checkpoint::{Checkpoint, Folder};
use crate::model::{Architecture, Config};
use crate::text::Tokenizer;

/// A model folder that was understood.
pub struct Model {
    /// The files.
    pub folder: Folder,
    /// config.json.
    pub config: Config,
    /// The tensors.
    pub checkpoint: Checkpoint,
    /// What they compute.
    pub architecture: Architecture,
}

impl Model {
    /// Reads config.json and the tensor headers, and checks one against the other.
    pub async fn open(folder: &Folder) -> Result<Self> {
        let config = Config::parse(&folder.text("config.json").await?)?;
        let checkpoint = Checkpoint::open(folder).await?;
        let architecture = Architecture::new(&config, &checkpoint)?;
        Ok(Self { folder: folder.clone(), config, checkpoint, architecture })
    }

    /// The folder's tokenizer; an error where it has more tokens than the model has rows for.
    pub async fn tokenizer(&self) -> Result<Tokenizer> {
        let tokenizer = Tokenizer::open(&self.folder).await?;
        tokenizer.check_rows(self.architecture.vocabulary)?;
        Ok(tokenizer)
    }
}
