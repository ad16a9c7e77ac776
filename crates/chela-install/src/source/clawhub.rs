//! A package of ClawHub (INS-248..INS-268).

use std::path::Path;

use chela_archive::Kind;

use super::archive::unpack_all;
use super::{Fetched, Fetching, Source, incoming};
use crate::clawhub::digest::{Expected, integrity, verify_files};
use crate::clawhub::{ClawHub, Package};
use crate::error::InstallError;
use crate::records::RecordFields;
use crate::web::{Answer, Digests, hex};
use crate::world::now_text;
use chela_npm::{NoteLevel, Step};

/// One version on ClawHub.
pub(crate) struct ClawHubSource {
    pub hub: ClawHub,
    pub package: Package,
    /// As typed, for the record.
    pub typed: String,
}

impl Source for ClawHubSource {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        let package = &self.package;
        for (level, text) in &package.summary {
            fetching.progress.note(*level, text);
        }
        let path = fetching.stage.scratch("artifact");
        fetching.progress.begin(Step::Download, None);
        let fetched = self.hub.download(package, &path);
        fetching.progress.end(Step::Download);
        let (answer, digests) = fetched?;
        let kind = if matches!(package.expected, Expected::ClawPack(_)) { Kind::Tgz } else { Kind::Zip };
        let dir = incoming(fetching.stage, Path::new(package.canonical.rsplit('/').next().unwrap_or("plugin")))?;
        fetching.progress.begin(Step::Extract, None);
        let unpacked = unpack_all(&path, kind, &dir);
        fetching.progress.end(Step::Extract);
        unpacked?;
        if let Expected::Files(files) = &package.expected {
            verify_files(&dir, files, &package.canonical, &package.version)?;
            let text = format!(
                "ClawHub has no digest of the whole archive of \"{}\"; its {} files were verified one by one",
                package.canonical,
                files.len()
            );
            fetching.progress.note(NoteLevel::Warn, &text);
        }
        let root = super::archive::root_of(&dir)?;
        let record = self.record(&answer, &digests);
        Ok(Fetched { wants_dependencies: true, trusted: package.trusted, ..Fetched::new(root, "plugin-archive", record) })
    }
}

impl ClawHubSource {
    /// INS-268.
    fn record(&self, answer: &Answer, digests: &Digests) -> RecordFields {
        let package = &self.package;
        let pack = match &package.expected {
            Expected::ClawPack(pack) => Some(pack),
            _ => None,
        };
        let is_pack = pack.is_some();
        let sha256 = is_pack.then(|| hex(&digests.sha256));
        let tarball = answer.header("X-ClawHub-Npm-Tarball-Name").or(pack.and_then(|pack| pack.tarball_name.as_deref()));
        let made_name = format!("{}-{}.tgz", package.canonical.trim_start_matches('@').replace('/', "-"), package.version);
        let spec_version = answer.header("X-ClawHub-ClawPack-Spec-Version").and_then(|text| text.parse().ok());
        RecordFields::of("clawhub")
            .with("spec", Some(&self.typed))
            .with("clawhubUrl", Some(&self.hub.shown_base()))
            .with("clawhubPackage", Some(&package.name))
            .with("clawhubFamily", Some(&package.family))
            .with("clawhubChannel", package.channel.as_deref())
            .with("version", Some(&package.version))
            .with("integrity", Some(&integrity(&digests.sha256)))
            .with("resolvedAt", Some(&now_text()))
            .with("artifactKind", Some(if is_pack { "npm-pack" } else { "legacy-zip" }))
            .with("artifactFormat", Some(if is_pack { "tgz" } else { "zip" }))
            .with("npmIntegrity", is_pack.then_some(digests.sha512.as_str()))
            .with("npmShasum", is_pack.then_some(digests.sha1.as_str()))
            .with("npmTarballName", tarball.or(Some(made_name.as_str())).filter(|_| is_pack))
            .with("clawpackSha256", sha256.as_deref())
            .with_number("clawpackSpecVersion", pack.and_then(|pack| pack.spec_version).or(spec_version.filter(|_| is_pack)))
            .with("clawpackManifestSha256", pack.and_then(|pack| pack.manifest_sha256.as_deref()))
            .with_number("clawpackSize", pack.and_then(|pack| pack.size))
    }
}
