//! Media that a caller names: a file, a `data:` address or a web address.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::bytes;
use crate::host::Scope;
use crate::media::mime_of;
use crate::page::{self, Limits};

/// Longest wait for a file of the web.
const TIME: Duration = Duration::from_secs(60);

/// A loaded file.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) bytes: Vec<u8>,
    /// Empty when nothing tells it.
    pub(crate) mime: String,
    pub(crate) name: String,
    /// What was named, without the content of `data:` addresses.
    pub(crate) source: String,
}

/// Loads what `reference` names. Files must lie in the agent's workspace or among the kept media.
pub(crate) async fn load(scope: &Scope<'_>, reference: &str, most: usize) -> Result<Loaded, String> {
    let reference = reference.trim();
    let reference = reference.strip_prefix("MEDIA:").map_or(reference, str::trim);
    if let Some(data) = reference.strip_prefix("data:") {
        return from_data(data, most);
    }
    if reference.starts_with("http://") || reference.starts_with("https://") {
        return from_web(reference, most).await;
    }
    let path = match reference.strip_prefix("file://") {
        Some(_) => Url::parse(reference).ok().and_then(|u| u.to_file_path().ok()).ok_or_else(|| format!("`{reference}` names no file"))?,
        None => scope.host.workspace(scope.agent.as_deref()).join(reference),
    };
    from_file(scope, &path, reference, most).await
}

fn from_data(data: &str, most: usize) -> Result<Loaded, String> {
    let bad = || "the `data:` address needs the form `data:<type>;base64,<content>`".to_string();
    let (head, content) = data.split_once(',').ok_or_else(bad)?;
    let mime = head.strip_suffix(";base64").ok_or_else(bad)?;
    let bytes = bytes::decode(content).ok_or_else(bad)?;
    within(bytes.len(), most, "the `data:` address")?;
    Ok(Loaded { bytes, mime: mime.split(';').next().unwrap_or_default().into(), name: String::new(), source: "data:".into() })
}

async fn from_web(address: &str, most: usize) -> Result<Loaded, String> {
    let page = page::get(address, "image/*, video/*, audio/*, */*;q=0.5", Limits { bytes: most, time: TIME, private: false }).await?;
    if !(200..300).contains(&page.status) {
        return Err(format!("`{address}` answered {}", page.status));
    }
    if page.cut {
        return Err(too_large(address, most));
    }
    let name = page.url.path_segments().and_then(|mut s| s.next_back()).unwrap_or_default().to_string();
    let told = page.content_type.split(';').next().unwrap_or_default().trim().to_string();
    let mime = mime_of(&page.body, &name).map_or(told, str::to_string);
    Ok(Loaded { bytes: page.body, mime, name, source: address.into() })
}

async fn from_file(scope: &Scope<'_>, path: &Path, shown: &str, most: usize) -> Result<Loaded, String> {
    let roots = [scope.host.workspace(scope.agent.as_deref()), scope.host.media_dir()];
    let (path, shown) = (path.to_path_buf(), shown.to_string());
    let work = tokio::task::spawn_blocking(move || read(&path, &roots, &shown, most));
    work.await.map_err(|e| e.to_string())?
}

fn read(path: &Path, roots: &[PathBuf], shown: &str, most: usize) -> Result<Loaded, String> {
    let real = fs_err::canonicalize(path).map_err(|e| e.to_string())?;
    let inside = roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| real.starts_with(root));
    if !inside {
        return Err(format!("`{shown}` lies outside the workspace and the media directory"));
    }
    Ok(Loaded { source: shown.into(), ..file(&real, most)? })
}

/// A file wherever it lies: for callers that may read any.
pub(crate) fn file(path: &Path, most: usize) -> Result<Loaded, String> {
    let meta = fs_err::metadata(path).map_err(|e| e.to_string())?;
    let shown = path.display().to_string();
    if !meta.is_file() {
        return Err(format!("`{shown}` is no file"));
    }
    within(usize::try_from(meta.len()).unwrap_or(usize::MAX), most, &shown)?;
    let bytes = fs_err::read(path).map_err(|e| e.to_string())?;
    within(bytes.len(), most, &shown)?;
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_string();
    let mime = mime_of(&bytes, &name).unwrap_or_default().to_string();
    Ok(Loaded { bytes, mime, name, source: shown })
}

fn within(length: usize, most: usize, what: &str) -> Result<(), String> {
    if length > most { Err(too_large(what, most)) } else { Ok(()) }
}

fn too_large(what: &str, most: usize) -> String {
    format!("`{what}` is larger than {} MB", most / (1024 * 1024))
}
