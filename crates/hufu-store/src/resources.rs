//! How rows keep the resources that tokens are for (RFC 8707): a JSON list, or NULL for none.

use crate::{Row, StoreError};

/// The column's value.
pub(crate) fn written(resources: &[String]) -> Result<Option<String>, StoreError> {
    if resources.is_empty() { Ok(None) } else { Ok(Some(serde_json::to_string(resources)?)) }
}

/// Reads the column.
pub(crate) fn read(row: &Row<'_>, index: usize) -> Result<Vec<String>, StoreError> {
    let json: Option<String> = row.get(index)?;
    Ok(json.map(|json| serde_json::from_str(&json)).transpose()?.unwrap_or_default())
}
