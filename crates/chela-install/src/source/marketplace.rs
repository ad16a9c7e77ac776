//! A plugin of a Claude marketplace (INS-191, INS-277..INS-280). What it is, a package, a bundle, an archive or a script, its files say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chela_archive::Kind;
use url::Url;

use super::{Fetched, Fetching, Source, of_path};
use crate::error::InstallError;
use crate::git::Git;
use crate::marketplace::manifest::is_web;
use crate::marketplace::{EntrySource, Marketplace, inside, load, repository};
use crate::records::RecordFields;
use crate::redact::redact;
use crate::stage::Stage;
use crate::web::{Reach, Web};
use crate::world::World;
use chela_npm::Step;

/// Longest wait for a connection and for the next bytes of an archive (INS-280).
const STALL: Duration = Duration::from_secs(120);
/// Lets archives come from this machine and private networks when it is `1`.
const PRIVATE_HOSTS: &str = "CHELA_MARKETPLACE_PRIVATE_HOSTS";

/// One plugin of a marketplace.
pub(crate) struct MarketplaceSource<'a> {
    pub world: &'a World,
    /// The marketplace as typed.
    pub source: String,
    /// The plugin's name there.
    pub plugin: String,
}

impl Source for MarketplaceSource<'_> {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        let market = load(self.world, &self.source, &fetching.stage.scratch("marketplace"))?;
        let entry = market.entry(&self.plugin)?;
        let path = self.place_of(&market, &entry.source, fetching)?;
        let fetched = of_path(&path)?.fetch(fetching)?;
        let record = RecordFields::of("marketplace")
            .with("version", entry.version.as_deref())
            .with("marketplaceName", market.manifest.name.as_deref())
            .with("marketplaceSource", Some(&self.source))
            .with("marketplacePlugin", Some(&entry.name));
        // Its dependencies are nowhere else, unlike those of a directory that the user has.
        Ok(Fetched { record, files: None, wants_dependencies: fetched.script.is_none(), ..fetched })
    }
}

impl MarketplaceSource<'_> {
    /// A path on this machine with the plugin.
    fn place_of(&self, market: &Marketplace, source: &EntrySource, fetching: &Fetching<'_>) -> Result<PathBuf, InstallError> {
        let stage = fetching.stage;
        match source {
            EntrySource::Path { path } if is_web(path) => self.download(path, fetching),
            EntrySource::Path { path } if Path::new(path).is_absolute() => Ok(PathBuf::from(path)),
            EntrySource::Path { path } => inside(&market.root, path, false),
            EntrySource::Github { repo: url, path, reference } | EntrySource::Git { url, path, reference } => {
                self.clone(url, reference.as_deref(), path.as_deref().unwrap_or("."), stage)
            }
            EntrySource::GitSubdir { url, path, reference } => self.clone(url, reference.as_deref(), path, stage),
            EntrySource::Url { url } => match archive_kind(url) {
                Some(_) => self.download(url, fetching),
                None => self.clone(url, None, ".", stage),
            },
        }
    }

    fn clone(&self, url: &str, reference: Option<&str>, path: &str, stage: &Stage) -> Result<PathBuf, InstallError> {
        let spec = repository(self.world, url, reference).ok_or_else(|| {
            InstallError::refused(format!("unsupported URL plugin source: {}", redact(url)))
                .hint("it is neither an archive nor a repository")
        })?;
        let parent = stage.scratch("repository");
        fs_err::create_dir(&parent)?;
        // The copy is called after the repository, and so is a bundle without a name.
        let dir = parent.join(spec.name());
        Git::find(&self.world.env)?.clone(&spec, &dir)?;
        inside(&dir, path, true)
    }

    fn download(&self, url: &str, fetching: &Fetching<'_>) -> Result<PathBuf, InstallError> {
        let address = Url::parse(url).map_err(|error| InstallError::refused(format!("failed to download {}: {error}", redact(url))))?;
        let reach = if self.world.env.non_empty(PRIVATE_HOSTS) == Some("1") { Reach::Configured } else { Reach::Public };
        let web = Web::new(reach, STALL, STALL)?;
        let partial = fetching.stage.scratch("download");
        fetching.progress.begin(Step::Download, None);
        let fetched = web.download(&address, None, &partial);
        fetching.progress.end(Step::Download);
        let (answer, _) = fetched?;
        if !answer.ok() {
            return Err(InstallError::refused(format!("failed to download {}: HTTP {}", redact(url), answer.status)));
        }
        let name = [&answer.url, &address].into_iter().filter_map(file_name).find(|name| Kind::from_name(name).is_some());
        let name = name.ok_or_else(|| InstallError::refused(format!("unsupported remote plugin path source: {}", redact(url))))?;
        let parent = fetching.stage.scratch("archive");
        fs_err::create_dir(&parent)?;
        let path = parent.join(name);
        fs_err::rename(&partial, &path)?;
        Ok(path)
    }
}

fn archive_kind(url: &str) -> Option<Kind> {
    Kind::from_name(&file_name(&Url::parse(url).ok()?)?)
}

/// The last part of an address, when it is safe as a file name.
fn file_name(url: &Url) -> Option<String> {
    let name = url.path_segments()?.next_back()?;
    let safe = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._+-@~%".contains(c));
    safe.then(|| name.to_owned())
}
