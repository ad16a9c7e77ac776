//! Paths of a confined worker: what every worker needs, and what was granted.

use std::path::{Path, PathBuf};

use chela_manifest::permissions::Permissions;
use chela_plugin::PluginSpec;

use super::Places;
use crate::options::NodeLaneOptions;

/// Libraries, certificates, time zones, name resolution, the description of the machine: nothing private is among them.
const SYSTEM: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share",
    "/usr/local/share/ca-certificates",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/ld-musl-x86_64.path",
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
    "/etc/passwd",
    "/etc/group",
    "/etc/os-release",
    "/etc/mime.types",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/version",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/kernel/random",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// Paths that were granted, as they are on this machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
    pub(super) notices: Vec<String>,
}

/// What the system gives to every program.
pub(super) fn system(node: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    paths.push(node.into());
    // A Node that was unpacked somewhere has its libraries beside it.
    paths.extend(node.parent().and_then(Path::parent).filter(|root| *root != Path::new("/")).map(|root| root.join("lib")));
    paths
}

/// True for what the system gives to every program.
pub(super) fn is_system(path: &Path) -> bool {
    SYSTEM.iter().any(|root| path.starts_with(root)) || path.starts_with("/proc/self")
}

/// What belongs to the plugin itself: its files, what Node's resolution reaches from there, the SDK, its compiled code.
pub(super) fn own(spec: &PluginSpec, places: &Places<'_>, compile_cache: &Path) -> Vec<PathBuf> {
    let mut paths = vec![spec.root_dir.clone(), places.sdk.into(), compile_cache.into()];
    let real = fs_err::canonicalize(&spec.root_dir).unwrap_or_else(|_| spec.root_dir.clone());
    for directory in real.ancestors().skip(1) {
        if directory.file_name().is_some_and(|name| name == "node_modules") {
            paths.push(directory.into());
        }
        let modules = directory.join("node_modules");
        if modules.is_dir() {
            paths.push(modules);
        }
    }
    paths
}

/// The plugin's own directory for what it keeps (`{state}`).
pub(crate) fn state_of(spec: &PluginSpec) -> PathBuf {
    // An id is a name or a scoped name; a directory has no `/` in its name.
    spec.state_dir.join("plugin-state").join(spec.id.replace('/', "__"))
}

/// Puts places in for placeholders. The plugin's own directories are made, and those to write to whose entry ends with a slash; a right
/// to anything else that does not exist cannot be given.
///
/// # Errors
/// When the plugin's own directory cannot be made, with the path.
pub(super) fn granted(spec: &PluginSpec, set: &Permissions, options: &NodeLaneOptions, temp: &Path) -> Result<Granted, String> {
    let state = state_of(spec);
    let uses_state = set.files.read.iter().chain(&set.files.write).any(|path| path.starts_with("{state}"));
    if uses_state {
        fs_err::create_dir_all(&state).map_err(|e| e.to_string())?;
    }
    let home = options.env.get("HOME").map_or("/nonexistent", String::as_str);
    let places: [(&str, &Path); 6] = [
        ("{plugin}", &spec.root_dir),
        ("{stateDir}", &spec.state_dir),
        ("{state}", &state),
        ("{workspace}", &spec.workspace_dir),
        ("{temp}", temp),
        ("~", Path::new(home)),
    ];
    let expand = |text: &String| {
        let found = places.iter().find_map(|(name, place)| Some((place, text.strip_prefix(name)?)));
        match found {
            Some((place, rest)) => place.join(rest.trim_start_matches('/')),
            None => PathBuf::from(text),
        }
    };
    let is_made = |path: &&String| path.ends_with('/') || path.starts_with("{state}") || path.starts_with("{temp}");
    for path in set.files.write.iter().filter(is_made).map(expand) {
        fs_err::create_dir_all(path).map_err(|e| e.to_string())?;
    }
    let (read, write): (Vec<PathBuf>, Vec<PathBuf>) =
        (set.files.read.iter().map(expand).collect(), set.files.write.iter().map(expand).collect());
    let absent = read.iter().chain(&write).filter(|path| !path.exists());
    let notices = absent.map(|path| {
        format!("`{}` is granted and does not exist: it stays closed until it exists and the plugin starts again", path.display())
    });
    Ok(Granted { notices: notices.collect(), read, write })
}
