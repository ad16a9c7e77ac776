//! `chela plugins new`: a plugin to begin with, written as a whole or not at all.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::KitError;
use crate::types;

/// Longest id, as the names of packages and directories allow it.
const LONGEST: usize = 64;

/// What the plugin brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tool for the model.
    Tool,
    /// Hooks.
    Hook,
    /// A channel.
    Channel,
    /// A model provider.
    Provider,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Tool, Self::Hook, Self::Channel, Self::Provider];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Hook => "hook",
            Self::Channel => "channel",
            Self::Provider => "provider",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Tool => "A tool that greets somebody by name",
            Self::Hook => "Hooks that watch messages and tool calls",
            Self::Channel => "A channel that sends messages to a webhook",
            Self::Provider => "Models of an OpenAI-compatible server",
        }
    }

    fn files(self, language: Language) -> (&'static str, &'static str) {
        macro_rules! files {
            ($dir:literal) => {
                match language {
                    Language::TypeScript => (
                        include_str!(concat!("../templates/", $dir, "/openclaw.plugin.json")),
                        include_str!(concat!("../templates/", $dir, "/index.ts")),
                    ),
                    Language::JavaScript => (
                        include_str!(concat!("../templates/", $dir, "/openclaw.plugin.json")),
                        include_str!(concat!("../templates/", $dir, "/index.js")),
                    ),
                }
            };
        }
        match self {
            Self::Tool => files!("tool"),
            Self::Hook => files!("hook"),
            Self::Channel => files!("channel"),
            Self::Provider => files!("provider"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The language of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// TypeScript, which the host compiles.
    TypeScript,
    /// JavaScript with types in comments.
    JavaScript,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its directory.
    pub dir: PathBuf,
    /// The plugin's id.
    pub id: String,
    /// Files, from the directory.
    pub files: Vec<String>,
}

/// Makes a plugin. `name` is an id, or a package's name with a scope whose last part is the id; the directory is `dir`, or one with the
/// id as its name in `parent`.
///
/// # Errors
/// [`KitError::Name`], [`KitError::NotEmpty`], and when something cannot be written; nothing is left then.
pub fn create(name: &str, kind: Kind, language: Language, parent: &Path, dir: Option<&Path>) -> Result<Made, KitError> {
    let id = id_of(name)?;
    let dir = parent.join(dir.unwrap_or(Path::new(&id)));
    let is_free = match fs_err::read_dir(&dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_free {
        return Err(KitError::NotEmpty { dir });
    }
    let files = files(name, &id, kind, language)?;
    let above = dir.parent().unwrap_or(parent);
    fs_err::create_dir_all(above)?;
    let scratch = tempfile::Builder::new().prefix(".chela-new-").tempdir_in(above)?;
    let inside = scratch.path().join(&id);
    for (file, text) in &files {
        let path = inside.join(file);
        fs_err::create_dir_all(path.parent().unwrap_or(&inside))?;
        fs_err::write(path, text)?;
    }
    // An empty directory may be replaced; one that was filled meanwhile may not, and the system says so.
    fs_err::rename(&inside, &dir).map_err(|error| match error.kind() {
        std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists => KitError::NotEmpty { dir: dir.clone() },
        _ => error.into(),
    })?;
    Ok(Made { dir, id, files: files.into_iter().map(|(file, _)| file).collect() })
}

fn id_of(name: &str) -> Result<String, KitError> {
    let bad = |why: &'static str| KitError::Name { name: name.into(), why };
    let id = match name.strip_prefix('@') {
        None => name,
        Some(scoped) => {
            scoped.split_once('/').filter(|(scope, _)| is_word(scope)).ok_or_else(|| bad("a scope is written `@scope/name`"))?.1
        }
    };
    if id.len() > LONGEST {
        return Err(bad("it is longer than 64 characters"));
    }
    if !is_word(id) || !id.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(bad("use lower-case letters, digits and hyphens, a letter first"));
    }
    Ok(id.into())
}

fn is_word(text: &str) -> bool {
    let is_plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    is_plain && !text.is_empty() && !text.ends_with('-') && !text.starts_with('-')
}

fn files(name: &str, id: &str, kind: Kind, language: Language) -> Result<Vec<(String, String)>, KitError> {
    let words: Vec<String> = id.split('-').filter(|word| !word.is_empty()).map(capital).collect();
    let (title, snake) = (words.join(" "), id.replace('-', "_"));
    let camel = words.concat();
    let camel = camel[..1].to_lowercase() + &camel[1..];
    let extension = if language == Language::TypeScript { "ts" } else { "js" };
    let channel = match kind {
        Kind::Channel => format!(
            ",\n    \"channel\": {{\n      \"id\": \"{id}\",\n      \"label\": \"{title}\",\n      \"selectionLabel\": \"{title} (webhook)\",\n      \
             \"docsPath\": \"/channels/{id}\",\n      \"blurb\": \"{}\"\n    }}",
            kind.about()
        ),
        _ => String::new(),
    };
    let fill = |text: &str| {
        text.replace("__CHANNEL__", &channel)
            .replace("__PACKAGE__", name)
            .replace("__ABOUT__", kind.about())
            .replace("__TITLE__", &title)
            .replace("__SNAKE__", &snake)
            .replace("__CAMEL__", &camel)
            .replace("__ENV__", &snake.to_uppercase())
            .replace("__EXT__", extension)
            .replace("__ID__", id)
    };
    let (manifest, entry) = kind.files(language);
    let (project, project_text) = match language {
        Language::TypeScript => ("tsconfig.json", include_str!("../templates/shared/tsconfig.json")),
        Language::JavaScript => ("jsconfig.json", include_str!("../templates/shared/jsconfig.json")),
    };
    Ok(vec![
        ("package.json".into(), fill(include_str!("../templates/shared/package.json"))),
        ("openclaw.plugin.json".into(), fill(manifest)),
        (format!("index.{extension}"), fill(entry)),
        ("README.md".into(), fill(include_str!("../templates/shared/README.md"))),
        (".gitignore".into(), include_str!("../templates/shared/gitignore").into()),
        (project.into(), project_text.into()),
        (types::FILE.into(), types::declarations()?),
    ])
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage;

    #[test]
    fn every_template_is_a_plugin_that_imports_only_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        for kind in Kind::ALL {
            for (language, name) in [(Language::TypeScript, format!("@me/my-{kind}")), (Language::JavaScript, format!("plain-{kind}"))] {
                let made = create(&name, kind, language, dir.path(), None).unwrap();
                for file in &made.files {
                    let text = fs_err::read_to_string(made.dir.join(file)).unwrap();
                    assert!(!text.contains("__") || file == types::FILE, "{kind} {file}: a placeholder is left");
                }
                let found = coverage::plugins_in(&made.dir).unwrap();
                assert_eq!((found.len(), found[0].plugin_id.as_str()), (1, made.id.as_str()));
                assert!(found[0].missing_exports.is_empty() && found[0].compatibility.is_empty(), "{:?}", found[0]);
            }
        }
        assert!(fs_err::read_dir(dir.path()).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with('.')));
    }

    #[test]
    fn names_and_directories_that_do_not_do_are_refused_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "Big", "a_b", "1a", "a/b", "@a", "@a/", "@/a", "..", "-a", "a-", &"a".repeat(65)] {
            assert!(matches!(create(name, Kind::Tool, Language::JavaScript, dir.path(), None), Err(KitError::Name { .. })), "{name}");
        }
        fs_err::create_dir(dir.path().join("full")).unwrap();
        fs_err::write(dir.path().join("full/x"), "mine").unwrap();
        fs_err::create_dir(dir.path().join("empty")).unwrap();
        assert!(matches!(create("full", Kind::Tool, Language::JavaScript, dir.path(), None), Err(KitError::NotEmpty { .. })));
        create("empty", Kind::Tool, Language::JavaScript, dir.path(), None).unwrap();
        assert_eq!(fs_err::read_to_string(dir.path().join("full/x")).unwrap(), "mine");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left");
    }
}
