//! What must hold of a ClawHub artifact, as its metadata says it (INS-261..INS-265).

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::code;
use crate::error::InstallError;
use crate::fsops::hash_file;
use crate::web::hex;

/// A file that ClawHub adds to an archive by itself.
const GENERATED: &str = "_meta.json";

/// How an artifact is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A package file as `npm pack` makes it.
    ClawPack(ClawPack),
    /// A zip with a digest of its own.
    Archive([u8; 32]),
    /// A zip with a digest of each file.
    Files(BTreeMap<String, String>),
}

/// What is said of a package file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClawPack {
    pub sha256: [u8; 32],
    pub npm_integrity: Option<String>,
    pub npm_shasum: Option<String>,
    pub tarball_name: Option<String>,
    pub spec_version: Option<u64>,
    pub manifest_sha256: Option<String>,
    pub size: Option<u64>,
}

/// Chooses how to verify. `version` is the version's own record, `top` the artifact beside it.
///
/// # Errors
/// `missing_archive_integrity` when there is no digest or one that means nothing (INS-261).
pub(crate) fn expected(name: &str, version: &Value, top: &Value) -> Result<Expected, InstallError> {
    let packs = [&version["artifact"], &version["clawpack"], top];
    if let Some(pack) = packs.into_iter().find_map(clawpack) {
        return Ok(Expected::ClawPack(pack));
    }
    let missing = |problem: String| {
        InstallError::coded(code::MISSING_INTEGRITY, format!("ClawHub says nothing that \"{name}\" could be verified with: {problem}"))
            .hint("if the package is on npm as well, install it with `npm:NAME`")
    };
    match &version["sha256hash"] {
        Value::Null => {}
        Value::String(text) => {
            return sha256(text).map(Expected::Archive).ok_or_else(|| missing(format!("`sha256hash` is no SHA-256 digest: `{text}`")));
        }
        _ => return Err(missing("`sha256hash` is no text".to_owned())),
    }
    if let Some(list) = version["files"].as_array().filter(|list| !list.is_empty()) {
        return files(list).map(Expected::Files).map_err(missing);
    }
    let kind = text(top, "artifactKind").or_else(|| text(top, "kind"));
    let digest = text(top, "artifactSha256").or_else(|| text(top, "sha256")).and_then(sha256);
    match (kind, digest) {
        (Some("legacy-zip"), Some(digest)) => Ok(Expected::Archive(digest)),
        _ => Err(missing("there is no digest".to_owned())),
    }
}

/// A usable package file; without a digest it is none.
fn clawpack(value: &Value) -> Option<ClawPack> {
    let kind = text(value, "kind").or_else(|| text(value, "artifactKind"));
    if kind != Some("npm-pack") && value["available"] != true {
        return None;
    }
    let digest = text(value, "artifactSha256").or_else(|| text(value, "sha256"))?;
    Some(ClawPack {
        sha256: sha256_hex(digest)?,
        npm_integrity: text(value, "npmIntegrity").map(str::to_owned),
        npm_shasum: text(value, "npmShasum").map(str::to_owned),
        tarball_name: text(value, "npmTarballName").map(str::to_owned),
        spec_version: value["specVersion"].as_u64(),
        manifest_sha256: text(value, "manifestSha256").and_then(sha256_hex).map(|digest| hex(&digest)),
        size: value["size"].as_u64(),
    })
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// Hex, `sha256:` hex or `sha256-` base64 (INS-264).
pub(crate) fn sha256(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if let Some(encoded) = text.strip_prefix("sha256-") {
        return STANDARD.decode(encoded).ok()?.try_into().ok();
    }
    sha256_hex(text.strip_prefix("sha256:").unwrap_or(text))
}

/// Hex alone.
pub(crate) fn sha256_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// SRI text of a SHA-256 digest.
pub(crate) fn integrity(digest: &[u8; 32]) -> String {
    format!("sha256-{}", STANDARD.encode(digest))
}

/// The list of files, each with its digest in hex.
fn files(list: &[Value]) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    for (index, entry) in list.iter().enumerate() {
        let path = entry["path"]
            .as_str()
            .filter(|path| is_relative(path))
            .ok_or_else(|| format!("`files[{index}].path` is no path inside the package"))?;
        if path == GENERATED {
            return Err(format!("`files[{index}]` names `{GENERATED}`, which ClawHub writes itself"));
        }
        let digest =
            entry["sha256"].as_str().and_then(sha256_hex).ok_or_else(|| format!("`files[{index}].sha256` is no SHA-256 digest"))?;
        if files.insert(path.to_owned(), hex(&digest)).is_some() {
            return Err(format!("`files[]` names `{path}` twice"));
        }
    }
    Ok(files)
}

fn is_relative(path: &str) -> bool {
    path.trim() == path && !path.contains('\\') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Holds the unpacked files of an archive against the list (INS-265).
pub(crate) fn verify_files(dir: &Path, files: &BTreeMap<String, String>, name: &str, version: &str) -> Result<(), InstallError> {
    let mismatch = |problem: String| {
        let message = format!("ClawHub archive of \"{name}@{version}\" is not what its file list says: {problem}");
        InstallError::coded(code::INTEGRITY_MISMATCH, message)
    };
    let mut found = BTreeMap::new();
    walk(dir, "", &mut found)?;
    if let Some(meta) = found.remove(GENERATED) {
        let meta: Value = serde_json::from_slice(&fs_err::read(dir.join(GENERATED))?)
            .map_err(|_| mismatch(format!("`{GENERATED}` ({meta}) is no JSON")))?;
        for (key, expected) in [("slug", name), ("version", version)] {
            if meta[key] != expected {
                return Err(mismatch(format!("`{GENERATED}` names another {key} than `{expected}`")));
            }
        }
    }
    for (path, expected) in files {
        match found.remove(path) {
            None => return Err(mismatch(format!("missing \"{path}\""))),
            Some(actual) if actual != *expected => {
                return Err(mismatch(format!("\"{path}\" has another hash\nExpected: {expected}\nActual:   {actual}")));
            }
            Some(_) => {}
        }
    }
    match found.keys().next() {
        Some(path) => Err(mismatch(format!("unexpected file \"{path}\""))),
        None => Ok(()),
    }
}

fn walk(dir: &Path, prefix: &str, found: &mut BTreeMap<String, String>) -> Result<(), InstallError> {
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.insert(name, hash_file(&entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEX: &str = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";

    // INS-261, INS-264
    #[test]
    fn a_digest_has_three_spellings_and_none_is_refused() {
        let digest = sha256_hex(HEX).unwrap();
        for spelling in [HEX.to_owned(), format!("sha256:{HEX}"), integrity(&digest)] {
            assert_eq!(expected("p", &json!({"sha256hash": spelling}), &Value::Null).unwrap(), Expected::Archive(digest), "{spelling}");
        }
        let top = json!({"artifactKind": "legacy-zip", "artifactSha256": HEX});
        assert_eq!(expected("p", &json!({}), &top).unwrap(), Expected::Archive(digest));
        for version in [
            json!({}),
            json!({"sha256hash": ""}),
            json!({"sha256hash": 1}),
            json!({"sha256hash": "md5-x"}),
            json!({"files": []}),
            json!({"artifact": {"kind": "npm-pack"}}),
        ] {
            let error = expected("p", &version, &Value::Null).unwrap_err();
            assert_eq!(error.code(), Some("missing_archive_integrity"), "{version}");
        }
    }

    // INS-262
    #[test]
    fn a_package_file_comes_before_an_archive() {
        let digest = sha256_hex(HEX).unwrap();
        for version in [
            json!({"artifact": {"kind": "npm-pack", "sha256": HEX}, "sha256hash": HEX}),
            json!({"clawpack": {"available": true, "sha256": HEX}}),
        ] {
            let Expected::ClawPack(pack) = expected("p", &version, &Value::Null).unwrap() else { panic!("{version}") };
            assert_eq!(pack.sha256, digest);
        }
    }

    // INS-265
    #[test]
    fn lists_of_files_are_read_strictly() {
        let list = |path: Value, sha256: Value| expected("p", &json!({"files": [{"path": path, "sha256": sha256}]}), &Value::Null);
        assert!(matches!(list("a/b.js".into(), HEX.into()), Ok(Expected::Files(files)) if files["a/b.js"] == HEX.to_lowercase()));
        for path in ["", "/a", "../a", "a/../b", "a//b", "a\\b", " a", "_meta.json"] {
            assert_eq!(list(path.into(), HEX.into()).unwrap_err().code(), Some("missing_archive_integrity"), "{path}");
        }
        assert_eq!(list("a".into(), "xyz".into()).unwrap_err().code(), Some("missing_archive_integrity"));
        assert_eq!(list(Value::Null, HEX.into()).unwrap_err().code(), Some("missing_archive_integrity"));
    }
}
