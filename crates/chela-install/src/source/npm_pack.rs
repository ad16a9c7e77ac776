//! A package file that `npm pack` made (INS-181, INS-182): recorded like a package of the registry.

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chela_archive::Kind;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA512};

use super::archive::unpack;
use super::{Fetched, Fetching, Source, incoming};
use crate::error::InstallError;
use crate::records::RecordFields;
use crate::world::now_text;
use chela_npm::Step;

/// A `.tgz` on this machine.
pub(crate) struct NpmPack {
    pub path: PathBuf,
}

impl Source for NpmPack {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        if !self.path.is_file() {
            return Err(InstallError::refused(format!("archive not found: {}", self.path.display()))
                .hint("give the path of a `.tgz` from `npm pack`"));
        }
        let file_name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if Kind::from_name(&file_name) != Some(Kind::Tgz) {
            return Err(
                InstallError::refused(format!("unsupported archive: {}", self.path.display())).hint("`npm pack` makes `.tgz` files")
            );
        }
        let (integrity, shasum) = hashes(&self.path)?;
        let dir = incoming(fetching.stage, Path::new("package.tgz"))?;
        fetching.progress.begin(Step::Extract, None);
        let unpacked = unpack(&self.path, Kind::Tgz, &dir);
        fetching.progress.end(Step::Extract);
        let root = unpacked?;
        let bytes = fs_err::read(root.join("package.json")).map_err(|_| InstallError::refused("extracted package missing package.json"))?;
        let package = chela_manifest::parse_package(&bytes).map_err(|error| InstallError::refused(error.to_string()))?;
        let name = package.name.as_deref().ok_or_else(|| InstallError::refused("npm pack metadata missing package name"))?;
        if !chela_manifest::npm_spec::is_package_name(name) {
            return Err(InstallError::refused(format!("unsupported npm pack package name: {name}")));
        }
        let version = package.version.as_deref();
        let resolved = version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"));
        // The name that `npm pack` gives, whatever the file is called now.
        let tarball = format!("{}.tgz", resolved.trim_start_matches('@').replace(['/', '@'], "-"));
        let record = RecordFields::of("npm")
            .with("spec", Some(&resolved))
            .with("sourcePath", self.path.to_str())
            .with("resolvedName", Some(name))
            .with("resolvedVersion", version)
            .with("resolvedSpec", Some(&resolved))
            .with("integrity", Some(&integrity))
            .with("shasum", Some(&shasum))
            .with("resolvedAt", Some(&now_text()))
            .with("artifactKind", Some("npm-pack"))
            .with("artifactFormat", Some("tgz"))
            .with("npmIntegrity", Some(&integrity))
            .with("npmShasum", Some(&shasum))
            .with("npmTarballName", Some(&tarball));
        Ok(Fetched { wants_dependencies: true, ..Fetched::new(root, "plugin-npm", record) })
    }
}

/// SHA-512 as SRI text and SHA-1 in hex, as the registry would give them.
fn hashes(path: &Path) -> Result<(String, String), InstallError> {
    let mut file = fs_err::File::open(path)?;
    let (mut strong, mut old) = (Context::new(&SHA512), Context::new(&SHA1_FOR_LEGACY_USE_ONLY));
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            let shasum = old.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok((format!("sha512-{}", STANDARD.encode(strong.finish())), shasum));
        }
        strong.update(&buffer[..n]);
        old.update(&buffer[..n]);
    }
}
