//! Writes the files of a tree, packages in parallel.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::{Fetched, Placed, bins};
use crate::error::{NpmError, below};
use crate::store::{Store, StoredFile, StoredPackage};

/// Threads that write: more do not help on one disk.
const MAX_THREADS: usize = 8;

/// One package to write.
struct Job<'a> {
    location: &'a str,
    stored: &'a StoredPackage,
    programs: HashSet<&'a str>,
    copy: bool,
}

#[derive(Default)]
struct Counters {
    files: AtomicU64,
    linked: AtomicU64,
    bytes: AtomicU64,
    /// The file system refused a link once; it would refuse them all.
    no_links: AtomicBool,
}

pub(super) fn lay_out(fetched: &Fetched, store: &Store, into: &Path, done: impl Fn() + Sync) -> Result<Placed, NpmError> {
    let node_modules = into.join("node_modules");
    if fs_err::symlink_metadata(&node_modules).is_ok() {
        return Err(NpmError::Io(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{}` is there already", node_modules.display()))));
    }
    fs_err::create_dir_all(&node_modules)?;
    let (links, programs) = bins::plan(fetched);
    let none = Vec::new();
    let jobs: Vec<Job> = fetched
        .stored
        .iter()
        .map(|(location, stored)| Job {
            location,
            stored,
            programs: programs.get(location).unwrap_or(&none).iter().map(String::as_str).collect(),
            copy: *location == fetched.resolution.root,
        })
        .collect();
    let counters = Counters::default();
    run(&jobs, |job| write_package(job, store, into, &counters).inspect(|()| done()))?;
    bins::make(&links, into)?;
    let packages = &fetched.resolution.packages;
    let with_links = fetched.stored.iter().filter(|(_, stored)| stored.skipped_links > 0);
    let mut skipped: Vec<String> = with_links.filter_map(|(location, _)| Some(packages.get(location)?.manifest.id())).collect();
    skipped.sort();
    skipped.dedup();
    Ok(Placed {
        files: counters.files.into_inner(),
        linked: counters.linked.into_inner(),
        bytes: counters.bytes.into_inner(),
        install_scripts: fetched.with_install_scripts(),
        skipped_links: skipped,
    })
}

/// Runs `work` on all jobs with a few threads; the first error ends it.
fn run<T: Sync>(jobs: &[T], work: impl Fn(&T) -> Result<(), NpmError> + Sync) -> Result<(), NpmError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS).min(jobs.len().max(1));
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = work(job) {
                        next.store(jobs.len(), Ordering::Relaxed);
                        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map_or(Ok(()), Err)
}

fn write_package(job: &Job, store: &Store, into: &Path, counters: &Counters) -> Result<(), NpmError> {
    let root = below(into, job.location);
    fs_err::create_dir_all(&root)?;
    let dirs: BTreeSet<&str> = job.stored.files.iter().filter_map(|file| Some(file.path.rsplit_once('/')?.0)).collect();
    for dir in dirs {
        fs_err::create_dir_all(below(&root, dir))?;
    }
    for file in &job.stored.files {
        let executable = file.executable || job.programs.contains(file.path.as_str());
        write_file(store, file, executable, &below(&root, &file.path), job.copy, counters)?;
        counters.files.fetch_add(1, Ordering::Relaxed);
        counters.bytes.fetch_add(file.size, Ordering::Relaxed);
    }
    Ok(())
}

fn write_file(store: &Store, file: &StoredFile, executable: bool, to: &Path, copy: bool, counters: &Counters) -> Result<(), NpmError> {
    let copy = copy || counters.no_links.load(Ordering::Relaxed);
    if !copy {
        let from = if executable && !file.executable { store.executable_content(file)? } else { store.content(file) };
        match std::fs::hard_link(&from, to) {
            Ok(()) => {
                counters.linked.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            // One file has too many links; the next may not.
            Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {}
            Err(error) if refuses_links(&error) => counters.no_links.store(true, Ordering::Relaxed),
            Err(error) => return Err(NpmError::io("link", to, &error)),
        }
    }
    fs_err::copy(store.content(file), to)?;
    Ok(fs_err::set_permissions(to, std::fs::Permissions::from_mode(if executable { 0o555 } else { 0o444 }))?)
}

/// Another file system, one without hard links, or one that protects files of others.
fn refuses_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::CrossesDevices | io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}
