//! Small JSON files of a model folder.

use crate::base::{Error, Result};
use crate::checkpoint::Folder;
use serde_json::Value;

/// The value of a file of JSON; null where there is no such file.
pub(super) async fn read(folder: &Folder, name: &str) -> Result<Value> {
    if folder.find(name).is_none() {
        return Ok(Value::Null);
    }
    let text = folder.text(name).await?;
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text))
        .map_err(|error| Error::input(format!("{name} is not JSON ({error}); copy it again from the model.")))
}
