//! Skill directories that plugins publish (MAN-084..MAN-089): which ones there are, and what is wrong with the others.
//!
//! Nothing here reads a skill; whoever uses skills takes the list.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Level};
use crate::fsio::real_path;
use crate::record::{Lane, PluginRecord};
use crate::snapshot::Snapshot;

/// The file that makes a directory a skill.
pub const SKILL_FILE: &str = "SKILL.md";

/// Most children of one skill directory that are looked at: a stranger names the directory.
const MOST_CHILDREN: usize = 512;

/// A skill of an enabled plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedSkill {
    /// The plugin that brings it.
    pub plugin_id: String,
    /// Name of its directory, unique among all published skills (MAN-089).
    pub name: String,
    /// The directory, as a real path.
    pub dir: PathBuf,
}

/// All published skills, and remarks about paths that are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skills {
    /// In the order of plugins, then of their lists, then by name.
    pub published: Vec<PublishedSkill>,
    /// One for each path that was skipped.
    pub diagnostics: Vec<Diagnostic>,
}

impl Snapshot {
    /// The skills of all enabled plugins. Reads directories; callers that only list plugins do not need it.
    pub fn skills(&self) -> Skills {
        let mut finder = Finder { out: Skills::default(), taken: HashMap::new() };
        for plugin in self.plugins.iter().filter(|plugin| plugin.enabled && plugin.lane != Lane::Builtin) {
            finder.plugin(plugin);
        }
        finder.out
    }
}

struct Finder {
    out: Skills,
    taken: HashMap<String, PathBuf>,
}

impl Finder {
    fn plugin(&mut self, plugin: &PluginRecord) {
        let mut seen = Vec::new();
        for text in &plugin.manifest.skills {
            let path = chela_config::paths::lexical(&plugin.root_dir.join(text));
            let Some(real) = real_path(&path) else {
                self.remark(plugin, "skill-path-missing", &path, format!("skill path `{text}` does not exist"));
                continue;
            };
            if !real.starts_with(&plugin.root_dir) {
                self.remark(plugin, "skill-path-escapes", &path, format!("skill path `{text}` leaves the plugin root"));
            } else if !seen.contains(&real) {
                self.directory(plugin, &real);
                seen.push(real);
            }
        }
    }

    /// A directory that is a skill, or whose children are (MAN-087).
    fn directory(&mut self, plugin: &PluginRecord, dir: &Path) {
        if self.is_skill(plugin, dir) {
            return self.publish(plugin, dir);
        }
        let Ok(entries) = fs_err::read_dir(dir) else { return };
        // A link is not followed: it would publish a directory that the manifest does not name.
        let is_dir = |entry: &fs_err::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let mut children: Vec<PathBuf> =
            entries.take(MOST_CHILDREN).flatten().filter(is_dir).map(|entry| dir.join(entry.file_name())).collect();
        children.sort();
        for child in children {
            if self.is_skill(plugin, &child) {
                self.publish(plugin, &child);
            }
        }
    }

    fn is_skill(&mut self, plugin: &PluginRecord, dir: &Path) -> bool {
        let file = dir.join(SKILL_FILE);
        match file.symlink_metadata() {
            Err(_) => false,
            Ok(stat) if stat.is_file() => true,
            Ok(_) => {
                self.remark(plugin, "skill-file-unsafe", &file, format!("`{SKILL_FILE}` of a skill is not a regular file"));
                false
            }
        }
    }

    fn publish(&mut self, plugin: &PluginRecord, dir: &Path) {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(first) = self.taken.get(&name) {
            let message = format!("skill `{name}` is published from `{}` already; this one is left out", first.display());
            return self.remark(plugin, "skill-name-taken", dir, message);
        }
        self.taken.insert(name.clone(), dir.to_owned());
        self.out.published.push(PublishedSkill { plugin_id: plugin.id.clone(), name, dir: dir.to_owned() });
    }

    fn remark(&mut self, plugin: &PluginRecord, code: &'static str, at: &Path, message: String) {
        self.out.diagnostics.push(Diagnostic::new(Level::Warn, code, message).plugin(Some(&plugin.id)).at(at));
    }
}
