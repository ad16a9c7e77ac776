//! A repository (INS-183..INS-190). Its files become a package like those of an archive; no script runs and npm is not needed.

use std::path::Path;

use super::{Fetched, Fetching, Source, incoming};
use crate::error::InstallError;
use crate::git::{Git, GitSpec};
use crate::records::RecordFields;
use crate::world::now_text;
use chela_npm::{NoteLevel, Step};

/// One repository at one ref.
pub(crate) struct GitSource {
    pub git: Git,
    pub spec: GitSpec,
    /// As typed, for the record.
    pub typed: String,
}

impl Source for GitSource {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        let dir = incoming(fetching.stage, Path::new(self.spec.name()))?;
        fetching.progress.note(NoteLevel::Info, &format!("Cloning {}...", crate::redact::redact(&self.spec.label)));
        fetching.progress.begin(Step::Download, None);
        let cloned = self.git.export(&self.spec, &fetching.stage.scratch("clone"), &dir);
        fetching.progress.end(Step::Download);
        let commit = cloned?;
        let record = RecordFields::of("git")
            .with("spec", Some(&self.typed))
            .with("resolvedAt", Some(&now_text()))
            .with("gitUrl", Some(&self.spec.public_url()))
            .with("gitRef", self.spec.reference.as_deref())
            .with("gitCommit", Some(&commit));
        Ok(Fetched { wants_dependencies: true, ..Fetched::new(dir, "plugin-git", record) })
    }
}

/// Reads a spec with its prefix.
pub(crate) fn parse(typed: &str, resolve: &dyn Fn(&str) -> std::path::PathBuf) -> Result<GitSpec, InstallError> {
    let typed = typed.trim();
    let body = typed.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("git:")).map_or(typed, |_| &typed[4..]);
    GitSpec::parse(body, resolve).ok_or_else(|| {
        InstallError::refused(format!("Unsupported git plugin spec: {}.", crate::redact::redact(typed)))
            .hint("use `git:OWNER/REPO@REF` or `git:URL#REF` with an https, http, ssh, git or file address")
    })
}
