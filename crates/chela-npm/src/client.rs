//! The registry client: metadata, version choice, and tarballs into the store.

use std::collections::HashMap;
use std::io::{Cursor, Read, Seek, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use tokio::sync::{OnceCell, Semaphore};
use url::Url;

use crate::cache::{Head, MAX_FRESH, MetadataCache};
use crate::dependency::Preference;
use crate::error::{NpmError, blocking};
use crate::http::{Failure, Http};
use crate::integrity::{Checker, Integrity};
use crate::packument::{Manifest, Packument};
use crate::platform::Platform;
use crate::progress::{NoteLevel, Progress, Quiet, Step};
use crate::range::parse_version;
use crate::release::newest_release;
use crate::settings::NpmSettings;
use crate::spec::{Selector, Spec};
use crate::store::{Store, StoredPackage};
use crate::trust::KeyRing;

/// Abbreviated metadata where the registry has them.
const ACCEPT_METADATA: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";
/// Largest metadata of one package, in bytes: the largest real ones have some 80 MiB in full form.
const MAX_METADATA: u64 = 160 * 1024 * 1024;
/// Largest tarball, in bytes (INS-161).
const MAX_TARBALL: u64 = 256 * 1024 * 1024;
/// Tarballs up to this many bytes stay in memory until they are checked.
const IN_MEMORY: usize = 4 * 1024 * 1024;
/// The host that tarball addresses name for whatever registry they are fetched from.
const PUBLIC_HOST: &str = "registry.npmjs.org";

/// A client of npm registries. Cheap to clone.
///
/// Make one for each operation: what it has learnt of a package it believes as long as it lives.
#[derive(Clone)]
pub struct NpmClient {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    metadata: MetadataCache,
    store: Store,
    memo: Mutex<HashMap<String, Arc<OnceCell<Arc<Packument>>>>>,
    unpacking: Semaphore,
    keys: Mutex<HashMap<String, KeyCell>>,
    platform: Platform,
    preference: Preference,
    progress: Arc<dyn Progress>,
}

/// The keys of one registry, asked for once.
type KeyCell = Arc<OnceCell<Option<Arc<KeyRing>>>>;

/// What happens when a bare name or `latest` leads to a prerelease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultLine {
    /// Refuse it (INS-193).
    StableOnly,
    /// Take the newest stable version instead, or the newest prerelease without one: for trusted packages only (INS-198).
    FallBack,
}

/// The one version that a spec leads to (INS-170).
#[derive(Debug, Clone)]
pub struct Selected {
    /// The spec as typed.
    pub spec: Spec,
    /// Package name.
    pub name: String,
    /// Exact version.
    pub version: String,
    /// `dist.integrity`, as the registry gives it.
    pub integrity: Option<String>,
    /// `dist.shasum`, as the registry gives it.
    pub shasum: Option<String>,
    /// Address of the tarball.
    pub tarball: String,
    /// The version's manifest.
    pub manifest: Arc<Manifest>,
}

impl NpmClient {
    /// A client with these settings, for this machine, without progress.
    ///
    /// # Errors
    /// [`NpmError::Internal`] when TLS cannot be set up.
    pub fn new(settings: NpmSettings) -> Result<Self, NpmError> {
        Self::with(settings, Platform::current(), None, Arc::new(Quiet))
    }

    /// A client for a platform and, if known, the version of the Node that will run the code.
    ///
    /// # Errors
    /// [`NpmError::Internal`] when TLS cannot be set up.
    pub fn with(settings: NpmSettings, platform: Platform, node: Option<&str>, progress: Arc<dyn Progress>) -> Result<Self, NpmError> {
        let root = settings.cache_dir.join("npm");
        let inner = Inner {
            metadata: MetadataCache::new(root.join("metadata")),
            store: Store::new(root.join("store")),
            http: Http::new(settings)?,
            memo: Mutex::default(),
            keys: Mutex::default(),
            unpacking: Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from).max(2)),
            platform,
            preference: Preference { node: node.and_then(parse_version) },
            progress,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The store behind this client.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Where and how this client asks.
    pub fn settings(&self) -> &NpmSettings {
        self.inner.http.settings()
    }

    pub(crate) fn http(&self) -> &Http {
        &self.inner.http
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.inner.platform
    }

    pub(crate) fn preference(&self) -> &Preference {
        &self.inner.preference
    }

    pub(crate) fn progress(&self) -> &dyn Progress {
        &*self.inner.progress
    }

    /// The metadata of a package, from the cache while they are fresh.
    ///
    /// # Errors
    /// [`NpmError::NotFound`], [`NpmError::Offline`] and what a request can fail with.
    pub async fn packument(&self, name: &str) -> Result<Arc<Packument>, NpmError> {
        let cell = self.cell(name);
        cell.get_or_try_init(|| self.load(name, false)).await.cloned()
    }

    /// The metadata of a package as the registry has them now.
    ///
    /// # Errors
    /// As [`NpmClient::packument`].
    pub async fn fresh_packument(&self, name: &str) -> Result<Arc<Packument>, NpmError> {
        let packument = self.load(name, true).await?;
        let cell = Arc::new(OnceCell::new_with(Some(packument.clone())));
        self.inner.memo.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), cell);
        Ok(packument)
    }

    /// Chooses the version that a spec asks for (INS-170, INS-193 to INS-195, INS-198).
    ///
    /// # Errors
    /// [`NpmError::NotFound`] for an unknown package, version or tag (INS-171); [`NpmError::Prerelease`].
    pub async fn select(&self, spec: &Spec, line: DefaultLine) -> Result<Selected, NpmError> {
        let not_found = |detail: String| NpmError::NotFound { spec: spec.raw.clone(), detail };
        let packument = match self.fresh_packument(&spec.name).await {
            Err(NpmError::NotFound { detail, .. }) => return Err(not_found(detail)),
            other => other?,
        };
        let mut version = match (&spec.selector, spec.tag()) {
            (Selector::Exact(version), _) => version.clone(),
            (_, tag) => {
                let tag = tag.unwrap_or("latest");
                packument.dist_tags.get(tag).cloned().ok_or_else(|| not_found(format!("the package has no tag `{tag}`")))?
            }
        };
        if !spec.allows(&version) {
            let fallback = match line {
                DefaultLine::FallBack if spec.is_default_line() => newest_release(packument.versions().map(|(text, _)| text)),
                _ => None,
            };
            match fallback {
                Some(fallback) => {
                    let text = format!("`{}` leads to the prerelease {version}; {}@{fallback} is taken instead", spec.raw, spec.name);
                    self.progress().note(NoteLevel::Warn, &text);
                    version = fallback.to_owned();
                }
                None => return Err(NpmError::Prerelease { spec: spec.raw.clone(), name: spec.name.clone(), version }),
            }
        }
        let manifest = packument.manifest(&version).ok_or_else(|| not_found(format!("it has no version {version}")))?;
        Ok(Selected {
            spec: spec.clone(),
            name: spec.name.clone(),
            version,
            integrity: manifest.dist.integrity.clone(),
            shasum: manifest.dist.shasum.clone(),
            tarball: manifest.dist.tarball.clone(),
            manifest: Arc::new(manifest),
        })
    }

    /// Brings one version's tarball into the store, or finds it there. Its hash is checked while it arrives;
    /// nothing is unpacked before it held.
    ///
    /// # Errors
    /// [`NpmError::Integrity`], [`NpmError::NoIntegrity`], [`NpmError::Archive`], [`NpmError::Offline`] and what
    /// a request can fail with.
    pub async fn fetch(&self, manifest: &Manifest) -> Result<Arc<StoredPackage>, NpmError> {
        let id = manifest.id();
        let wanted = Integrity::of(&manifest.dist).ok_or_else(|| NpmError::NoIntegrity { package: id.clone() })?;
        let store = self.inner.store.clone();
        let known = wanted.clone();
        if let Some(stored) = blocking(move || Ok(store.lookup(&known))).await? {
            return Ok(Arc::new(stored));
        }
        if self.settings().offline {
            return Err(NpmError::Offline { what: id });
        }
        let url = self.tarball_url(manifest)?;
        let (id, url, wanted) = (&id, &url, &wanted);
        let stored = self.http().retrying(|_| async move { self.download(id, url, wanted).await }).await?;
        Ok(Arc::new(stored))
    }

    async fn download(&self, id: &str, url: &Url, wanted: &Integrity) -> Result<StoredPackage, Failure> {
        let mut checker = Checker::new(Some(wanted.clone()));
        let mut spool = Spool::new(self.inner.store.clone());
        self.http()
            .stream(url, MAX_TARBALL, |bytes| {
                checker.update(bytes);
                self.progress().advance(Step::Download, bytes.len() as u64);
                spool.write(bytes)
            })
            .await?;
        let checked = checker.finish().map_err(|(expected, actual, bytes)| NpmError::Integrity {
            package: id.to_owned(),
            expected,
            actual,
            bytes,
        })?;
        let _turn = self.inner.unpacking.acquire().await.map_err(|_| NpmError::Internal("the client was closed".into()))?;
        let (store, wanted, name) = (self.inner.store.clone(), wanted.clone(), id.to_owned());
        let stored = blocking(move || store.add(&name, spool.into_reader()?, &wanted, checked)).await?;
        self.progress().advance(Step::Extract, 1);
        Ok(stored)
    }

    /// The address to fetch a tarball from. Like npm, what names the public registry is asked of the configured one.
    fn tarball_url(&self, manifest: &Manifest) -> Result<Url, NpmError> {
        self.registry_url(&manifest.name, &manifest.dist.tarball)
    }

    /// An address from the metadata of a package.
    pub(crate) fn registry_url(&self, package: &str, address: &str) -> Result<Url, NpmError> {
        let registry = self.settings().registry_for(package);
        let unusable = || NpmError::bad_answer(registry, format!("the metadata of `{package}` give no usable address: `{address}`"));
        let mut url = registry.join(address).map_err(|_| unusable())?;
        if address.is_empty() || !matches!(url.scheme(), "http" | "https") {
            return Err(unusable());
        }
        if url.host_str() == Some(PUBLIC_HOST) && registry.host_str() != Some(PUBLIC_HOST) {
            let below = format!("{}{}", registry.path().trim_end_matches('/'), url.path());
            url = registry.clone();
            url.set_path(&below);
        }
        Ok(url)
    }

    fn cell(&self, name: &str) -> Arc<OnceCell<Arc<Packument>>> {
        self.inner.memo.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone()
    }

    pub(crate) fn key_cell(&self, registry: &Url) -> KeyCell {
        self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner).entry(registry.to_string()).or_default().clone()
    }

    async fn load(&self, name: &str, revalidate: bool) -> Result<Arc<Packument>, NpmError> {
        let url = self.package_url(name)?;
        let (cache, key) = (self.inner.metadata.clone(), url.clone());
        let cached = blocking(move || Ok(cache.read(&key))).await?;
        let offline = self.settings().offline;
        if let Some((head, body)) = &cached
            && (offline || (!revalidate && head.is_fresh()))
            && let Ok(packument) = parse(name, body.clone()).await?
        {
            return Ok(Arc::new(packument));
        }
        if offline {
            return Err(NpmError::Offline { what: name.to_owned() });
        }
        let answer = self.http().get(&url, ACCEPT_METADATA, &conditions(cached.as_ref().map(|(head, _)| head)), MAX_METADATA).await?;
        let text = |name: HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (head, body) = match (answer.status, cached) {
            (StatusCode::NOT_FOUND, _) => {
                return Err(NpmError::NotFound {
                    spec: name.to_owned(),
                    detail: format!("{} does not know it", crate::error::shown(self.settings().registry_for(name))),
                });
            }
            (StatusCode::NOT_MODIFIED, Some((old, body))) => {
                (Head::now(&url, old.etag, old.last_modified, freshness(&answer.headers)), body)
            }
            (StatusCode::NOT_MODIFIED, None) => return Err(NpmError::bad_answer(&url, "304 without a question for it")),
            _ => (Head::now(&url, text(ETAG), text(LAST_MODIFIED), freshness(&answer.headers)), answer.body),
        };
        let packument = parse(name, body.clone()).await?.map_err(|problem| NpmError::bad_answer(&url, problem))?;
        let cache = self.inner.metadata.clone();
        // A cache that cannot be written costs time, no more.
        if let Err(error) = blocking(move || cache.write(&url, &head, &body)).await {
            tracing::debug!(%error, "package metadata were not kept");
        }
        Ok(Arc::new(packument))
    }

    pub(crate) fn package_url(&self, name: &str) -> Result<Url, NpmError> {
        let registry = self.settings().registry_for(name);
        registry.join(&name.replace('/', "%2f")).map_err(|_| NpmError::bad_answer(registry, format!("`{name}` makes no address")))
    }
}

async fn parse(name: &str, body: Vec<u8>) -> Result<Result<Packument, String>, NpmError> {
    let name = name.to_owned();
    blocking(move || Ok(Packument::parse(&name, &body))).await
}

fn conditions(head: Option<&Head>) -> Vec<(HeaderName, String)> {
    let Some(head) = head else { return Vec::new() };
    let tag = head.etag.clone().map(|tag| (IF_NONE_MATCH, tag));
    let time = head.last_modified.clone().map(|time| (IF_MODIFIED_SINCE, time));
    tag.into_iter().chain(time).collect()
}

/// For how long an answer may be used without asking again.
fn freshness(headers: &HeaderMap) -> Duration {
    let Some(control) = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()) else { return MAX_FRESH };
    let mut parts = control.split(',').map(str::trim);
    if parts.clone().any(|part| matches!(part, "no-store" | "no-cache")) {
        return Duration::ZERO;
    }
    let age = parts.find_map(|part| part.strip_prefix("max-age=")).and_then(|age| age.parse().ok());
    age.map_or(MAX_FRESH, Duration::from_secs)
}

/// Bytes on their way: in memory while they are few, else in a file without a name.
struct Spool {
    store: Store,
    memory: Vec<u8>,
    file: Option<fs_err::File>,
}

impl Spool {
    fn new(store: Store) -> Self {
        Self { store, memory: Vec::new(), file: None }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NpmError> {
        if self.file.is_none() && self.memory.len() + bytes.len() > IN_MEMORY {
            let mut file = self.store.spool()?;
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn into_reader(self) -> Result<Box<dyn Read>, NpmError> {
        Ok(match self.file {
            Some(mut file) => {
                file.rewind()?;
                Box::new(std::io::BufReader::with_capacity(256 * 1024, file))
            }
            None => Box::new(Cursor::new(self.memory)),
        })
    }
}
