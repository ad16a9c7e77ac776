//! `$include`: other files as parts of the configuration (GW-129).

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde_json::{Map, Value};

use crate::error::ConfigError;
use crate::json5;
use crate::paths::lexical;

/// The key.
pub const INCLUDE_KEY: &str = "$include";
/// How many files may include each other in a row.
pub const MAX_INCLUDE_DEPTH: usize = 10;
/// Largest included file, in bytes.
pub const MAX_INCLUDE_BYTES: u64 = 2 * 1024 * 1024;

/// Keys that JavaScript gives a meaning of its own; plugins must never see them as data.
const PROTOTYPE_KEYS: &[&str] = &["__proto__", "prototype", "constructor"];

/// Whether a key may not be used in paths and merges.
pub(crate) fn is_prototype_key(key: &str) -> bool {
    PROTOTYPE_KEYS.contains(&key)
}

/// Where included files may lie, and texts that stand in for files (used to check a write before it happens).
pub(crate) struct IncludeContext<'a> {
    roots: Vec<(PathBuf, PathBuf)>,
    overlay: &'a BTreeMap<PathBuf, String>,
    /// Every file that was read, in order.
    pub(crate) files: Vec<PathBuf>,
}

impl<'a> IncludeContext<'a> {
    /// The configuration's own directory and the extra roots are allowed.
    pub(crate) fn new(config_path: &Path, extra_roots: Vec<PathBuf>, overlay: &'a BTreeMap<PathBuf, String>) -> Self {
        let own = config_path.parent().map(lexical).unwrap_or_default();
        let with_real = |dir: PathBuf| {
            let real = fs_err::canonicalize(&dir).unwrap_or_else(|_| dir.clone());
            (dir, real)
        };
        let roots = std::iter::once(own).chain(extra_roots).map(with_real).collect();
        Self { roots, overlay, files: Vec::new() }
    }

    /// Replaces every `$include` in a value read from `file`.
    pub(crate) fn resolve(&mut self, value: &Value, file: &Path) -> Result<Value, ConfigError> {
        self.process(value, &[lexical(file)])
    }

    /// `chain` is the row of files from the configuration to the one the value stands in.
    fn process(&mut self, value: &Value, chain: &[PathBuf]) -> Result<Value, ConfigError> {
        match value {
            Value::Array(items) => items.iter().map(|item| self.process(item, chain)).collect(),
            Value::Object(map) => match map.get(INCLUDE_KEY) {
                Some(include) => self.process_include(map, include, chain),
                None => self.process_members(map, chain).map(Value::Object),
            },
            other => Ok(other.clone()),
        }
    }

    fn process_members(&mut self, map: &Map<String, Value>, chain: &[PathBuf]) -> Result<Map<String, Value>, ConfigError> {
        let mut out = Map::with_capacity(map.len());
        for (key, value) in map {
            if key != INCLUDE_KEY && key != "__proto__" {
                out.insert(key.clone(), self.process(value, chain)?);
            }
        }
        Ok(out)
    }

    fn process_include(&mut self, map: &Map<String, Value>, include: &Value, chain: &[PathBuf]) -> Result<Value, ConfigError> {
        let included = match include {
            Value::String(name) => self.load(name, chain)?,
            Value::Array(names) => {
                let mut merged = Value::Object(Map::new());
                for name in names {
                    let Some(name) = name.as_str() else {
                        return Err(fault(chain, name.to_string(), "a list for `$include` holds file names only"));
                    };
                    let next = self.load(name, chain)?;
                    merged = merge(merged, next);
                }
                merged
            }
            other => {
                return Err(fault(chain, other.to_string(), "`$include` takes a file name or a list of file names"));
            }
        };
        let siblings = self.process_members(map, chain)?;
        if siblings.is_empty() {
            return Ok(included);
        }
        if !included.is_object() {
            return Err(fault(
                chain,
                include.to_string(),
                "the included file must hold an object, because other keys stand beside the `$include`",
            ));
        }
        Ok(merge(included, Value::Object(siblings)))
    }

    /// Path and text of an include, with all checks but those of cycles and depth.
    pub(crate) fn read(&self, name: &str, chain: &[PathBuf]) -> Result<(PathBuf, String), ConfigError> {
        let file = self.locate(name, chain)?;
        let text = match self.overlay.get(&file) {
            Some(text) => text.clone(),
            None => read_guarded(name, &file, chain)?,
        };
        Ok((file, text))
    }

    fn load(&mut self, name: &str, chain: &[PathBuf]) -> Result<Value, ConfigError> {
        let file = self.locate(name, chain)?;
        if chain.contains(&file) {
            let mut row: Vec<String> = chain.iter().map(|f| f.display().to_string()).collect();
            row.push(file.display().to_string());
            return Err(fault(chain, name, format!("the files include each other in a circle: {}", row.join(" -> "))));
        }
        if chain.len() > MAX_INCLUDE_DEPTH {
            return Err(fault(chain, name, format!("more than {MAX_INCLUDE_DEPTH} files include each other in a row")));
        }
        let (file, text) = self.read(name, chain)?;
        let root = json5::parse(&text).map_err(|e| parse_error(&file, &text, e))?;
        self.files.push(file.clone());
        let mut chain = chain.to_vec();
        chain.push(file);
        self.process(&root.to_value(), &chain)
    }

    /// The path of an include, which must lie in an allowed directory as written and as it really is.
    fn locate(&self, name: &str, chain: &[PathBuf]) -> Result<PathBuf, ConfigError> {
        let dir = chain.last().and_then(|file| file.parent()).unwrap_or(Path::new("/"));
        let file = lexical(&dir.join(name));
        let allowed = self.roots.iter().map(|(dir, _)| dir.display().to_string()).collect::<Vec<_>>().join("`, `");
        if !self.roots.iter().any(|(dir, _)| file.starts_with(dir)) {
            return Err(fault(chain, name, format!("it lies outside `{allowed}`; add its directory to `OPENCLAW_INCLUDE_ROOTS`")));
        }
        match fs_err::canonicalize(&file) {
            Ok(real) if self.roots.iter().any(|(_, dir)| real.starts_with(dir)) => Ok(file),
            Ok(_) => Err(fault(chain, name, format!("a symbolic link leads outside `{allowed}`"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(file),
            Err(error) => Err(fault(chain, name, error.to_string())),
        }
    }
}

/// Objects merge, lists are joined, anything else is replaced by the later one.
pub(crate) fn merge(base: Value, later: Value) -> Value {
    match (base, later) {
        (Value::Array(mut base), Value::Array(later)) => {
            base.extend(later);
            Value::Array(base)
        }
        (Value::Object(mut base), Value::Object(later)) => {
            for (key, value) in later {
                if is_prototype_key(&key) {
                    continue;
                }
                let merged = match base.get_mut(&key) {
                    Some(old) => merge(old.take(), value),
                    None => value,
                };
                base.insert(key, merged);
            }
            Value::Object(base)
        }
        (_, later) => later,
    }
}

/// Reads an included file. It is opened once, without following a link, and everything is checked on
/// the open file, so that it cannot be exchanged in between.
fn read_guarded(name: &str, file: &Path, chain: &[PathBuf]) -> Result<String, ConfigError> {
    let io = |error: std::io::Error| fault(chain, name, error.to_string());
    let real = fs_err::canonicalize(file).map_err(io)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open(&real, flags, Mode::empty()).map_err(|e| io(e.into()))?;
    let mut handle = std::fs::File::from(fd);
    let meta = handle.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(fault(chain, name, "it is not a regular file"));
    }
    if meta.nlink() > 1 {
        return Err(fault(chain, name, "it has several hard links; copy it instead"));
    }
    let mut bytes = Vec::new();
    (&mut handle).take(MAX_INCLUDE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_INCLUDE_BYTES {
        return Err(fault(chain, name, format!("it is larger than {MAX_INCLUDE_BYTES} bytes")));
    }
    utf8(file, bytes)
}

/// Text of a file, or the place of the first byte that is not UTF-8.
pub(crate) fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let (line, column) = json5::position(&text, text.len());
        ConfigError::NotUtf8 { path: path.to_path_buf(), line, column }
    })
}

/// A syntax error with its file, line and column.
pub(crate) fn parse_error(path: &Path, text: &str, error: json5::SyntaxError) -> ConfigError {
    let (line, column) = json5::position(text, error.offset);
    ConfigError::Parse { path: path.to_path_buf(), line, column, message: error.message }
}

fn fault(chain: &[PathBuf], include: impl Into<String>, message: impl Into<String>) -> ConfigError {
    ConfigError::Include { path: chain.last().cloned().unwrap_or_default(), include: include.into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = Self(tempfile::tempdir().unwrap());
            for (name, text) in files {
                let path = dir.path(name);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, text).unwrap();
            }
            dir
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn resolve(&self, value: &Value) -> Result<Value, ConfigError> {
            self.resolve_with(value, vec![])
        }

        fn resolve_with(&self, value: &Value, roots: Vec<PathBuf>) -> Result<Value, ConfigError> {
            let overlay = BTreeMap::new();
            let main = self.path("conf/openclaw.json");
            IncludeContext::new(&main, roots, &overlay).resolve(value, &main)
        }

        fn fails(&self, value: Value, part: &str) {
            let message = self.resolve(&value).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    // GW-129
    #[test]
    fn merging() {
        let dir = Dir::new(&[
            ("conf/a.json5", "{list: [1], o: {x: 1, y: 1}, s: 'a', only: true}"),
            ("conf/b.json5", "{list: [2], o: {y: 2}, s: 'b', __proto__: {p: 1}, constructor: 1}"),
            ("conf/list.json5", "[1, 2]"),
            ("conf/sub/c.json5", "{d: {$include: './d.json5'}}"),
            ("conf/sub/d.json5", "{deep: 1}"),
        ]);
        let cases = [
            (json!({"k": {"$include": "a.json5"}}), json!({"k": {"list": [1], "o": {"x": 1, "y": 1}, "s": "a", "only": true}})),
            (json!({"$include": ["./a.json5", "./b.json5"]}), json!({"list": [1, 2], "o": {"x": 1, "y": 2}, "s": "b", "only": true})),
            (
                json!({"$include": "./a.json5", "list": [9], "o": {"z": 3}, "s": "own"}),
                json!({"list": [1, 9], "o": {"x": 1, "y": 1, "z": 3}, "s": "own", "only": true}),
            ),
            (json!({"k": {"$include": "list.json5"}}), json!({"k": [1, 2]})),
            (json!({"k": [{"$include": "sub/c.json5"}]}), json!({"k": [{"d": {"deep": 1}}]})),
            (json!({"$include": []}), json!({})),
        ];
        for (value, want) in cases {
            assert_eq!(dir.resolve(&value).unwrap(), want, "{value}");
        }
    }

    // GW-129
    #[test]
    fn refusals() {
        let dir = Dir::new(&[
            ("conf/self.json5", "{x: {$include: 'self.json5'}}"),
            ("conf/one.json5", "{$include: 'two.json5'}"),
            ("conf/two.json5", "{$include: 'one.json5'}"),
            ("conf/list.json5", "[1]"),
            ("conf/broken.json5", "{\n a: }"),
            ("conf/latin.json5", ""),
            ("conf/big.json5", ""),
            ("conf/hard.json5", "{}"),
            ("outside/secret.json5", "{s: 1}"),
        ]);
        fs_err::write(dir.path("conf/latin.json5"), b"{a: '\xff'}").unwrap();
        fs_err::write(dir.path("conf/big.json5"), vec![b' '; MAX_INCLUDE_BYTES as usize + 1]).unwrap();
        fs_err::hard_link(dir.path("conf/hard.json5"), dir.path("conf/hard2.json5")).unwrap();
        std::os::unix::fs::symlink(dir.path("outside/secret.json5"), dir.path("conf/link.json5")).unwrap();
        std::os::unix::fs::symlink(dir.path("outside"), dir.path("conf/linkdir")).unwrap();
        dir.fails(json!({"$include": "self.json5"}), "self.json5 -> ");
        dir.fails(json!({"$include": "one.json5"}), "one.json5 -> ");
        dir.fails(json!({"$include": "../outside/secret.json5"}), "OPENCLAW_INCLUDE_ROOTS");
        dir.fails(json!({"$include": "/etc/passwd"}), "outside");
        dir.fails(json!({"$include": "link.json5"}), "symbolic link");
        dir.fails(json!({"$include": "linkdir/secret.json5"}), "symbolic link");
        dir.fails(json!({"$include": "hard.json5"}), "hard link");
        dir.fails(json!({"$include": "big.json5"}), "larger than");
        dir.fails(json!({"$include": "nowhere.json5"}), "nowhere.json5");
        dir.fails(json!({"$include": "."}), "regular file");
        dir.fails(json!({"$include": 5}), "file name");
        dir.fails(json!({"$include": ["list.json5", 5]}), "file names only");
        dir.fails(json!({"$include": "list.json5", "a": 1}), "must hold an object");
        dir.fails(json!({"$include": "broken.json5"}), "broken.json5` at line 2, column 5");
        dir.fails(json!({"$include": "latin.json5"}), "UTF-8 (line 1, column 6)");
    }

    // GW-129
    #[test]
    fn depth_is_limited_to_ten() {
        let names: Vec<String> = (0..12).map(|n| format!("conf/{n}.json5")).collect();
        let texts: Vec<String> =
            (0..12).map(|n| if n == 11 { "{end: 1}".to_owned() } else { format!("{{$include: '{}.json5'}}", n + 1) }).collect();
        let files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
        let dir = Dir::new(&files);
        assert_eq!(dir.resolve(&json!({"$include": "2.json5"})).unwrap(), json!({"end": 1}));
        dir.fails(json!({"$include": "1.json5"}), "more than 10");
    }

    // GW-129
    #[test]
    fn include_roots_widen_the_area() {
        let dir = Dir::new(&[("conf/x", ""), ("shared/a.json5", "{s: 1}")]);
        let value = json!({"$include": dir.path("shared/a.json5").to_str().unwrap()});
        assert!(dir.resolve(&value).is_err());
        assert_eq!(dir.resolve_with(&value, vec![dir.path("shared")]).unwrap(), json!({"s": 1}));
    }
}
