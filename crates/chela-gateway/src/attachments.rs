//! Attachments of a message: images for the model.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Most attachments of one message.
const MAX_COUNT: usize = 8;
/// Largest image, decoded, in bytes.
const MAX_BYTES: usize = 20 * 1024 * 1024;

/// The image blocks of an attachment list.
///
/// # Errors
/// A text that names the attachment and what is wrong with it.
pub(crate) fn images(attachments: Option<&Value>) -> Result<Vec<Value>, String> {
    let list = match attachments {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err("at /attachments: must be array".into()),
    };
    if list.len() > MAX_COUNT {
        return Err(format!("at /attachments: must NOT have more than {MAX_COUNT} items"));
    }
    list.iter().enumerate().map(|(n, item)| image(item).map_err(|e| format!("at /attachments/{n}: {e}"))).collect()
}

fn image(item: &Value) -> Result<Value, String> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    let (mime, data) = match text("content").and_then(split_data_url) {
        Some((mime, data)) => (mime.to_string(), data),
        None => (text("mimeType").unwrap_or_default().to_string(), text("content").unwrap_or_default()),
    };
    if !mime.starts_with("image/") {
        return Err(format!("only images can be attached, not `{mime}`; other files are not built yet"));
    }
    let data: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    if data.len() / 4 * 3 > MAX_BYTES {
        return Err(format!("the image is larger than {MAX_BYTES} bytes"));
    }
    STANDARD.decode(&data).map_err(|_| "`content` is not base64".to_string())?;
    Ok(json!({"type": "image", "data": data, "mimeType": mime}))
}

/// `data:image/png;base64,...`
pub(crate) fn split_data_url(text: &str) -> Option<(&str, &str)> {
    let (head, data) = text.strip_prefix("data:")?.split_once(',')?;
    Some((head.strip_suffix(";base64")?, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_come_as_base64_or_data_urls_and_everything_else_is_refused() {
        let ok = images(Some(&json!([{"mimeType": "image/png", "content": "aGk="}, {"content": "data:image/jpeg;base64,aGk="}]))).unwrap();
        assert_eq!(ok[1], json!({"type": "image", "data": "aGk=", "mimeType": "image/jpeg"}));
        let error = |v: Value| images(Some(&v)).unwrap_err();
        assert!(error(json!([{"mimeType": "text/plain", "content": "aGk="}])).contains("only images"));
        assert!(error(json!([{"mimeType": "image/png", "content": "%%"}])).contains("not base64"));
        assert!(error(json!(3)).contains("must be array"));
        assert!(images(None).unwrap().is_empty());
    }
}
