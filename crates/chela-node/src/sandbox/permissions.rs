//! From what a plugin was seen to touch to the set that it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chela_manifest::permissions::{HostRule, Network, Permissions, Programs};
use chela_plugin::Touch;

use super::paths;
use crate::env::is_harmless;

/// More paths than this in one directory are proposed as the directory.
const FEW: usize = 4;

/// Directories of a plugin and its gateway, for placeholders.
#[derive(Clone, Debug)]
pub struct Around {
    /// The plugin's own directory.
    pub plugin: PathBuf,
    /// The workspace of the default agent.
    pub workspace: PathBuf,
    /// The gateway's state directory.
    pub state: PathBuf,
    /// The user's home directory.
    pub home: PathBuf,
    /// Where the gateway keeps temporary files.
    pub temp: PathBuf,
    /// The plugin's id.
    pub id: String,
}

/// Where it is recorded what a watched plugin touches.
pub fn record_file(state_dir: &Path, id: &str) -> PathBuf {
    state_dir.join("chela/permissions").join(format!("{}.json", id.replace('/', "__")))
}

/// What is recorded of a plugin.
pub fn recorded(state_dir: &Path, id: &str) -> Vec<Touch> {
    super::ledger::recorded(&record_file(state_dir, id))
}

/// The smallest set of general entries that covers `seen`, on top of `base`.
pub fn propose(base: &Permissions, seen: &[Touch], around: &Around) -> Permissions {
    let mut set = base.clone();
    let of =
        |permission: &str| seen.iter().filter(move |row| row.permission == permission).map(|row| row.what.as_str()).collect::<Vec<_>>();
    let write = around.entries(&of("files.write"), true);
    let read = around.entries(&of("files.read"), false);
    let known = set.files.write.clone();
    merge(&mut set.files.write, write.into_iter().filter(|path| !covers(&known, path)));
    let covered = set.files.write.clone();
    merge(&mut set.files.read, read.into_iter().filter(|path| !covers(&covered, path)));
    network(&mut set.network, &of("network"));
    merge(&mut set.env, of("env").into_iter().filter(|name| !is_harmless(name)).map(str::to_owned));
    let programs: BTreeSet<String> = of("childProcesses").into_iter().map(str::to_owned).collect();
    if !programs.is_empty() {
        match &mut set.child_processes {
            Programs::Any => {}
            Programs::None => set.child_processes = Programs::List(programs.into_iter().collect()),
            Programs::List(known) => merge(known, programs),
        }
    }
    set.native_addons |= !of("nativeAddons").is_empty();
    set
}

fn merge(list: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for entry in more {
        if !list.contains(&entry) {
            list.push(entry);
        }
    }
}

fn covers(entries: &[String], path: &str) -> bool {
    entries.iter().any(|entry| Path::new(path).starts_with(entry))
}

fn network(known: &mut Network, seen: &[&str]) {
    if *known == Network::Any {
        return;
    }
    // Datagrams cannot be told apart by host.
    if seen.contains(&"udp") {
        *known = Network::Any;
        return;
    }
    let mut rules = known.rules().to_vec();
    for rule in seen.iter().filter_map(|text| HostRule::parse(text).ok()) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    if !rules.is_empty() {
        *known = Network::Hosts(rules);
    }
}

impl Around {
    /// Paths as entries. Of written files the directory is taken, since they are made anew; of many in one directory as well.
    fn entries(&self, seen: &[&str], written: bool) -> BTreeSet<String> {
        let mut by_directory: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        for path in seen.iter().map(PathBuf::from).filter(|path| !self.is_free(path, written)) {
            by_directory.entry(path.parent().unwrap_or(&path).to_path_buf()).or_default().push(path);
        }
        let mut out = BTreeSet::new();
        for (directory, paths) in by_directory {
            if !self.is_broad(&directory) && (written || paths.len() > FEW) {
                out.insert(self.entry(&directory, written));
            } else {
                out.extend(paths.iter().map(|path| self.entry(path, written && path.is_dir())));
            }
        }
        let all: Vec<String> = out.iter().cloned().collect();
        // Paths compare without the slash at their end, so of two that differ in it alone the longer one stays.
        let within = |entry: &str, other: &str| match Path::new(entry) == Path::new(other) {
            true => entry.len() < other.len(),
            false => Path::new(entry).starts_with(other),
        };
        out.retain(|entry| !all.iter().any(|other| within(entry, other)));
        out
    }

    /// A path as an entry. With a slash at its end a directory is made where it is missing, as on a machine that is new to the plugin.
    fn entry(&self, path: &Path, made: bool) -> String {
        let name = self.named(path);
        if made && name.contains('/') { format!("{name}/") } else { name }
    }

    /// What every confined worker has anyway.
    fn is_free(&self, path: &Path, written: bool) -> bool {
        let given = |root: &Path| path.starts_with(root);
        given(&self.temp) || path == Path::new("/dev/null") || (!written && (given(&self.plugin) || paths::is_system(path)))
    }

    /// Directories that hold too much to be given for one file in them.
    fn is_broad(&self, path: &Path) -> bool {
        let broad = [&self.home, &self.state];
        path.components().count() <= 2 || broad.iter().any(|root| root.starts_with(path))
    }

    fn named(&self, path: &Path) -> String {
        let own = self.state.join("plugin-state").join(self.id.replace('/', "__"));
        let places: [(&str, &Path); 5] = [
            ("{plugin}", &self.plugin),
            ("{state}", &own),
            ("{workspace}", &self.workspace),
            ("{stateDir}", &self.state),
            ("~", &self.home),
        ];
        for (name, place) in places {
            match path.strip_prefix(place) {
                Ok(rest) if rest.as_os_str().is_empty() => return name.to_owned(),
                Ok(rest) => return format!("{name}/{}", rest.display()),
                Err(_) => {}
            }
        }
        path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(rows: &[(&str, &str)]) -> Vec<Touch> {
        rows.iter().map(|(permission, what)| Touch { permission: (*permission).into(), what: (*what).into(), count: 1 }).collect()
    }

    #[test]
    fn a_proposal_is_small_and_in_words_that_survive_a_move() {
        let around = Around {
            plugin: "/p".into(),
            workspace: "/home/u/.openclaw/workspace".into(),
            state: "/home/u/.openclaw".into(),
            home: "/home/u".into(),
            temp: "/tmp".into(),
            id: "x".into(),
        };
        let rows = seen(&[
            ("files.read", "/p/data.json"),
            ("files.read", "/etc/hosts"),
            ("files.read", "/tmp/a"),
            ("files.read", "/home/u/.netrc"),
            ("files.read", "/home/u/.openclaw/workspace/a/b"),
            ("files.write", "/home/u/.openclaw/workspace/a/new"),
            // The directory was made first, in one that is too broad to be given.
            ("files.write", "/home/u/.openclaw/cache-of-x"),
            ("files.write", "/home/u/.openclaw/cache-of-x/file"),
            ("files.write", "/home/u/.openclaw/plugin-state/x/db"),
            ("files.read", "/srv/many/1"),
            ("files.read", "/srv/many/2"),
            ("files.read", "/srv/many/3"),
            ("files.read", "/srv/many/4"),
            ("files.read", "/srv/many/5"),
            ("network", "api.example.com:443"),
            ("network", "unix:/run/x"),
            ("network", "dns:odd name"),
            ("env", "PATH"),
            ("env", "API_KEY"),
            ("childProcesses", "git"),
            ("nativeAddons", "/p/x.node"),
        ]);
        let set = propose(&Permissions::default(), &rows, &around);
        assert_eq!(
            json!(set),
            json!({
                "files": {"read": ["/srv/many", "~/.netrc"], "write": ["{stateDir}/cache-of-x/", "{state}", "{workspace}/a/"]},
                "network": ["api.example.com:443", "unix:/run/x"], "env": ["API_KEY"], "childProcesses": ["git"], "nativeAddons": true,
            })
        );
        assert_eq!(propose(&set, &rows, &around), set, "what is granted is proposed once");
        assert_eq!(Permissions::read(&json!(set)).1, [], "a proposal is a valid grant");
        assert_eq!(propose(&set, &seen(&[("network", "udp")]), &around).network, Network::Any);
    }
}
