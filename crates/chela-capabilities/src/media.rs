//! Files of media: their kinds, and where generated ones are kept.

use std::path::{Path, PathBuf};

/// Longest file name that is kept of a caller's, in characters.
const MOST_NAME: usize = 60;

/// Kinds by content: offset, bytes, type.
const MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"%PDF-", "application/pdf"),
];

/// Kinds by file name.
const EXTENSIONS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("heic", "image/heic"),
    ("avif", "image/avif"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("flac", "audio/flac"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mkv", "video/x-matroska"),
    ("avi", "video/x-msvideo"),
    ("pdf", "application/pdf"),
];

/// The type of a file by its content, else by its name.
pub fn mime_of(bytes: &[u8], name: &str) -> Option<&'static str> {
    let by_content = MAGIC.iter().find(|(at, magic, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    by_content.map(|(_, _, mime)| *mime).or_else(|| mime_of_name(name))
}

/// The type of a file by its name.
pub fn mime_of_name(name: &str) -> Option<&'static str> {
    let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, mime)| *mime)
}

/// The usual end of file names of a type, without the dot; `bin` when it is unknown.
pub fn extension(mime: &str) -> &'static str {
    let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mime = match mime.as_str() {
        "image/jpg" => "image/jpeg",
        "audio/mp3" => "audio/mpeg",
        "audio/x-wav" | "audio/wave" => "audio/wav",
        other => other,
    };
    EXTENSIONS.iter().find(|(_, known)| *known == mime).map_or("bin", |(extension, _)| extension)
}

/// Keeps a file in a folder of the media directory under a name that nobody else has. The caller's name is only a hint.
///
/// # Errors
/// When the file cannot be written.
pub async fn save(media: &Path, folder: &str, bytes: Vec<u8>, mime: &str, name: Option<&str>) -> std::io::Result<PathBuf> {
    let dir = media.join(folder);
    let stem = Path::new(name.unwrap_or_default()).file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let clean: String = stem.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ')).take(MOST_NAME).collect();
    let clean = clean.trim();
    let id = uuid::Uuid::new_v4();
    let extension = extension(mime);
    let file = if clean.is_empty() { format!("{id}.{extension}") } else { format!("{clean}---{id}.{extension}") };
    let path = dir.join(file);
    let target = path.clone();
    let work = tokio::task::spawn_blocking(move || write(&dir, &target, &bytes));
    work.await.map_err(std::io::Error::other)??;
    Ok(path)
}

/// A reader never sees half a file.
fn write(dir: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    fs_err::create_dir_all(dir)?;
    let part = path.with_extension("part");
    let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(&part)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    fs_err::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_from_content_before_names() {
        for (bytes, name, expected) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], "a.jpg", Some("image/png")),
            (b"RIFF....WEBPVP8 ", "x", Some("image/webp")),
            (b"RIFF....WAVEfmt ", "x", Some("audio/wav")),
            (b"....ftypisom", "x", Some("video/mp4")),
            (b"....ftypM4A ", "x", Some("audio/mp4")),
            (b"text", "a.OGG", Some("audio/ogg")),
            (b"text", "a.txt", None),
            (b"", "", None),
        ] {
            assert_eq!(mime_of(bytes, name), expected, "{name}");
        }
        assert_eq!((extension("image/jpg"), extension("audio/mpeg; x=1"), extension("text/plain")), ("jpg", "mp3", "bin"));
    }

    #[tokio::test]
    async fn files_keep_a_clean_name_and_stay_in_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = save(dir.path(), "made", b"abc".to_vec(), "image/png", Some("../../my cat!.exe")).await.unwrap();
        assert_eq!(path.parent().unwrap(), dir.path().join("made"));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("my cat---") && name.ends_with(".png"), "{name}");
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
        assert_eq!(std::fs::read_dir(dir.path().join("made")).unwrap().count(), 1);
    }
}
