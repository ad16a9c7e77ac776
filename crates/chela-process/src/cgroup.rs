//! Limits for a whole worker, its children included, where this process has a cgroup (version 2) that it may divide: in a systemd
//! service with `Delegate=yes`, or in a container with a writable one.
//!
//! A cgroup with processes of its own can have none below it, so this process first moves into a part of its own, `gateway`. That is
//! only done when nobody else is in the cgroup: a terminal's belongs to the user's other programs too.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Part of the cgroup that this process moves into.
const OWN_PART: &str = "gateway";
/// What is limited.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// The cgroup that may be divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroups {
    base: PathBuf,
}

/// Limits of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes, of all its processes together; the kernel ends one of them beyond it.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub tasks: u64,
}

/// The part of one worker. It is removed when this is dropped, which fails while processes are in it: drop it after the worker.
#[derive(Debug)]
pub struct Part {
    dir: PathBuf,
}

impl Cgroups {
    /// The cgroup of this process, made ready once. The error says in a few words why there is none.
    ///
    /// # Errors
    /// No cgroup of version 2, none that may be written, other programs in it.
    pub fn of_process() -> Result<&'static Self, &'static str> {
        static FOUND: OnceLock<Result<Cgroups, String>> = OnceLock::new();
        FOUND.get_or_init(find).as_ref().map_err(String::as_str)
    }

    /// Makes the cgroup at `dir` ready, in which the process `pid` is.
    fn prepare(dir: &Path, pid: u32) -> Result<Self, String> {
        if let Some(base) = divided_before(dir) {
            return Ok(Self { base });
        }
        let offered = read(dir, "cgroup.controllers")?;
        let missing: Vec<&str> = CONTROLLERS.into_iter().filter(|one| !offered.split_whitespace().any(|name| name == *one)).collect();
        if !missing.is_empty() {
            return Err(format!("the gateway's cgroup `{}` does not offer {}", dir.display(), missing.join(" and ")));
        }
        let inside = read(dir, "cgroup.procs")?;
        if inside.split_whitespace().any(|one| one != pid.to_string()) {
            return Err(format!(
                "other programs share the gateway's cgroup `{}`; a service with `Delegate=yes` has its own",
                dir.display()
            ));
        }
        let failed = |error: io::Error| format!("the gateway's cgroup `{}` cannot be divided: {error}", dir.display());
        let own = dir.join(OWN_PART);
        make(&own).map_err(failed)?;
        fs_err::write(own.join("cgroup.procs"), pid.to_string()).map_err(failed)?;
        fs_err::write(dir.join("cgroup.subtree_control"), CONTROLLERS.map(|one| format!("+{one}")).join(" ")).map_err(failed)?;
        Ok(Self { base: dir.into() })
    }

    /// Makes a part with limits. The guard enters it before it starts the worker.
    ///
    /// # Errors
    /// When it cannot be made or limited.
    pub fn part(&self, name: &str, limits: Limits) -> io::Result<Part> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(64).collect();
        let dir = self.base.join(format!("worker-{plain}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        make(&dir)?;
        let part = Part { dir };
        fs_err::write(part.dir.join("memory.max"), limits.memory_bytes.to_string())?;
        fs_err::write(part.dir.join("pids.max"), limits.tasks.to_string())?;
        // Not there on every kernel: all processes of a worker end together, or one of them would wait for the other for ever.
        let _ = fs_err::write(part.dir.join("memory.oom.group"), "1");
        Ok(part)
    }
}

impl Part {
    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // An empty directory with processes in it is left for the next start's owner; nothing is lost but its name.
        let _ = fs_err::remove_dir(&self.dir);
    }
}

/// Moves the calling process into a part.
pub(crate) fn enter(dir: &Path) -> io::Result<()> {
    fs_err::write(dir.join("cgroup.procs"), "0")
}

fn make(dir: &Path) -> io::Result<()> {
    match fs_err::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn read(dir: &Path, name: &str) -> Result<String, String> {
    fs_err::read_to_string(dir.join(name)).map_err(|error| error.to_string())
}

/// The cgroup above, when this process was moved into its part before: a restarted gateway keeps its process.
fn divided_before(dir: &Path) -> Option<PathBuf> {
    let base = dir.parent().filter(|_| dir.file_name().is_some_and(|name| name == OWN_PART))?;
    let on = read(base, "cgroup.subtree_control").ok()?;
    let is_ours = CONTROLLERS.iter().all(|one| on.split_whitespace().any(|name| name.trim_start_matches('+') == *one));
    is_ours.then(|| base.to_path_buf())
}

fn find() -> Result<Cgroups, String> {
    let own = fs_err::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
    let mounts = fs_err::read_to_string("/proc/self/mounts").map_err(|error| error.to_string())?;
    let dir = directory(&own, &mounts).ok_or("this system has no cgroups of version 2")?;
    Cgroups::prepare(&dir, std::process::id())
}

/// The directory of the cgroup that `/proc/self/cgroup` and `/proc/self/mounts` tell about.
fn directory(own: &str, mounts: &str) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|parts| parts.get(2) == Some(&"cgroup2"))?;
    Some(Path::new(mount.get(1)?).join(path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(controllers: &str, inside: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("cgroup.controllers", controllers), ("cgroup.procs", inside), ("cgroup.subtree_control", "")] {
            fs_err::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn only_a_cgroup_of_ones_own_is_divided() {
        let dir = group("cpu memory pids\n", "7\n");
        let groups = Cgroups::prepare(dir.path(), 7).unwrap();
        let text = |path: &str| fs_err::read_to_string(dir.path().join(path)).unwrap();
        assert_eq!((text("gateway/cgroup.procs"), text("cgroup.subtree_control")), ("7".into(), "+memory +pids".into()));
        let again = Cgroups::prepare(&dir.path().join("gateway"), 7).unwrap();
        assert_eq!(again, groups, "a restarted gateway finds itself in its part");

        let part = groups.part("@a/b", Limits { memory_bytes: 1 << 20, tasks: 9 }).unwrap();
        let name = part.dir().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("worker-_a_b-"), "{name}");
        assert_eq!((text(&format!("{name}/memory.max")), text(&format!("{name}/pids.max"))), ("1048576".into(), "9".into()));
        enter(part.dir()).unwrap();
        assert_eq!(text(&format!("{name}/cgroup.procs")), "0");

        for (controllers, inside, why) in [("cpu pids", "7", "does not offer memory"), ("memory pids", "7\n8\n", "other programs share")] {
            let dir = group(controllers, inside);
            let error = Cgroups::prepare(dir.path(), 7).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert!(!dir.path().join("gateway").exists());
        }
    }

    #[test]
    fn the_directory_is_found_from_what_the_kernel_tells() {
        let mounts = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        assert_eq!(directory("0::/system.slice/chela.service\n", mounts).unwrap(), Path::new("/sys/fs/cgroup/system.slice/chela.service"));
        assert_eq!(directory("3:memory:/x\n0::/\n", mounts).unwrap(), Path::new("/sys/fs/cgroup"));
        assert_eq!(directory("3:memory:/x\n", mounts), None);
        assert_eq!(directory("0::/\n", "proc /proc proc rw 0 0\n"), None);
    }
}
