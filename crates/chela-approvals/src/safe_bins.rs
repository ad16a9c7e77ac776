//! Filters that may run in allowlist mode without an entry: they read only their standard input.
//!
//! A part passes when the program is one of them in a trusted directory, every word is literal, no word names a file, and every flag is
//! known to take no file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::Part;

/// Those that are on without any config.
const DEFAULTS: &[&str] = &["cut", "uniq", "head", "tail", "tr", "wc"];
/// Directories that hold only the system's programs.
const TRUSTED_DIRS: &[&str] = &["/bin", "/usr/bin"];

/// What one of them may be given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Profile {
    min_positional: usize,
    max_positional: usize,
    /// Flags that take a value, which is no file.
    value_flags: Vec<String>,
    /// Long flags without a value.
    plain_flags: Vec<String>,
    denied: Vec<String>,
}

fn builtin(name: &str) -> Option<Profile> {
    let list = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let profile = |max, values: &str, plain: &str, denied: &str| Profile {
        min_positional: 0,
        max_positional: max,
        value_flags: list(values),
        plain_flags: list(plain),
        denied: list(denied),
    };
    Some(match name {
        "cut" => profile(
            0,
            "-b -c -d -f --bytes --characters --delimiter --fields --output-delimiter",
            "--complement --only-delimited --zero-terminated",
            "",
        ),
        "uniq" => profile(
            0,
            "-f -s -w --skip-fields --skip-chars --check-chars",
            "--count --repeated --ignore-case --unique --zero-terminated",
            "",
        ),
        "head" => profile(0, "-n -c --lines --bytes", "--quiet --silent --verbose --zero-terminated", ""),
        "tail" => profile(0, "-n -c --lines --bytes", "--quiet --silent --verbose --zero-terminated", "-f -F --follow --retry"),
        "tr" => Profile { min_positional: 1, ..profile(2, "", "--complement --delete --squeeze-repeats --truncate-set1", "") },
        "wc" => profile(0, "", "--bytes --chars --lines --words --max-line-length", "--files0-from"),
        "grep" => profile(
            0,
            "-e -m -A -B -C --regexp --max-count --after-context --before-context --context --color --colour",
            "--extended-regexp --fixed-strings --basic-regexp --perl-regexp --ignore-case --invert-match --word-regexp --line-regexp \
             --count --only-matching --quiet --silent --line-number --text",
            "--dereference-recursive --directories --exclude-from --file --recursive -R -d -f -r -D --devices",
        ),
        "sort" => profile(
            0,
            "-k -t --key --field-separator",
            "--ignore-leading-blanks --dictionary-order --ignore-case --general-numeric-sort --human-numeric-sort --month-sort \
             --numeric-sort --reverse --stable --unique --version-sort --zero-terminated --check",
            "--compress-program --files0-from --output --random-source --temporary-directory -T -o -S --buffer-size",
        ),
        "jq" => profile(
            1,
            "--indent --arg --argjson",
            "--compact-output --raw-output --join-output --sort-keys --tab --null-input --exit-status --slurp --raw-input --ascii-output",
            "--argfile --from-file --library-path --rawfile --slurpfile -L -f",
        ),
        _ => return None,
    })
}

/// The filters of a config.
#[derive(Debug, Clone, Default)]
pub struct SafeBins {
    profiles: BTreeMap<String, Profile>,
    dirs: Vec<PathBuf>,
}

impl SafeBins {
    /// From `tools.exec` of the config and of the agent; the agent's list replaces the general one. Also tells names that are ignored,
    /// since nothing is known about them.
    pub fn new(general: &Value, agent: &Value) -> (Self, Vec<String>) {
        let list = |exec: &Value, name: &str| -> Option<Vec<String>> {
            let words = exec[name].as_array()?.iter().filter_map(Value::as_str);
            Some(words.map(|w| w.trim().to_owned()).filter(|w| !w.is_empty()).collect())
        };
        let names = list(agent, "safeBins").or_else(|| list(general, "safeBins"));
        let names = names.unwrap_or_else(|| DEFAULTS.iter().map(|d| (*d).to_owned()).collect());
        let (mut profiles, mut ignored) = (BTreeMap::new(), Vec::new());
        for name in names {
            let own = [agent, general].iter().find_map(|exec| exec["safeBinProfiles"].get(&name)).filter(|p| p.is_object());
            match own.map(custom).or_else(|| builtin(&name)) {
                Some(profile) => drop(profiles.insert(name, profile)),
                None => ignored.push(name),
            }
        }
        let mut dirs: Vec<PathBuf> = TRUSTED_DIRS.iter().map(PathBuf::from).collect();
        for exec in [general, agent] {
            dirs.extend(list(exec, "safeBinTrustedDirs").unwrap_or_default().into_iter().map(PathBuf::from).filter(|d| d.is_absolute()));
        }
        (Self { profiles, dirs }, ignored)
    }

    /// True when this part only filters its input.
    pub fn covers(&self, part: &Part, program: Option<&Path>) -> bool {
        let Some((name, words)) = part.argv.split_first() else { return false };
        let trusted = program.and_then(Path::parent).is_some_and(|dir| self.dirs.iter().any(|d| d == dir));
        let plain = part.literal && trusted && !name.contains('/');
        plain && self.profiles.get(name).is_some_and(|profile| profile.permits(words))
    }
}

fn custom(profile: &Value) -> Profile {
    let list = |name: &str| -> Vec<String> {
        profile[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(|w| w.trim().to_owned()).collect()
    };
    let count = |name: &str| profile[name].as_u64().map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    Profile {
        min_positional: count("minPositional").unwrap_or(0),
        max_positional: count("maxPositional").unwrap_or(0),
        value_flags: list("allowedValueFlags"),
        plain_flags: Vec::new(),
        denied: list("deniedFlags"),
    }
}

impl Profile {
    fn permits(&self, words: &[String]) -> bool {
        let (mut positional, mut flags_over) = (0, false);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if flags_over || !word.starts_with('-') || word == "-" {
                // `-` is the standard input, and everything else could be a file unless the program takes such words.
                if word != "-" && looks_like_file(word) {
                    return false;
                }
                positional += usize::from(word != "-");
            } else if word == "--" {
                flags_over = true;
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                let flag = format!("--{name}");
                if self.denied.contains(&flag) {
                    return false;
                }
                let takes = self.value_flags.contains(&flag);
                let value_is_fine = match (takes, value) {
                    (true, Some(value)) => !looks_like_file(value),
                    (true, None) => words.next().is_some_and(|value| !looks_like_file(value)),
                    (false, None) => self.plain_flags.contains(&flag),
                    (false, Some(_)) => false,
                };
                if !value_is_fine {
                    return false;
                }
            } else if !self.permits_cluster(&word[1..], &mut words) {
                return false;
            }
        }
        (self.min_positional..=self.max_positional).contains(&positional)
    }

    /// Short flags in one word; the first that takes a value has the rest of the word, or the next word.
    fn permits_cluster(&self, cluster: &str, words: &mut std::slice::Iter<'_, String>) -> bool {
        for (at, letter) in cluster.char_indices() {
            let flag = format!("-{letter}");
            if self.denied.contains(&flag) || !letter.is_ascii_alphanumeric() {
                return false;
            }
            if self.value_flags.contains(&flag) {
                let rest = &cluster[at + letter.len_utf8()..];
                return if rest.is_empty() { words.next().is_some_and(|v| !looks_like_file(v)) } else { !looks_like_file(rest) };
            }
        }
        true
    }
}

fn looks_like_file(word: &str) -> bool {
    word.starts_with(['.', '~', '/']) || word.contains("/..") || word.contains("../") || word.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Analysis;
    use serde_json::json;

    fn covers(exec: &Value, command: &str, dir: &str) -> bool {
        let (bins, _) = SafeBins::new(exec, &Value::Null);
        let analysis = Analysis::of(command);
        let Some(part) = analysis.parts().first() else { return false };
        bins.covers(part, Some(&Path::new(dir).join(&part.argv[0])))
    }

    #[test]
    fn filters_pass_without_files() {
        let none = json!({});
        for (command, want) in [
            ("head -n 5", true),
            ("head -5", true),
            ("cut -d, -f1", true),
            ("cut --fields=1", true),
            ("tr a-z A-Z", true),
            ("wc -l", true),
            ("wc -", true),
            ("tail -f", false),
            ("head secrets", false),
            ("head -n 5 /etc/passwd", false),
            ("head --unknown", false),
            ("wc --files0-from=x", false),
            ("tr", false),
            ("tr a b c", false),
            ("cut -f 1 *", false),
            ("cut -d $X -f1", false),
            ("grep -e x", false),
            ("python3 x", false),
            ("/usr/bin/head -n 5", false),
        ] {
            assert_eq!(covers(&none, command, "/usr/bin"), want, "{command}");
        }
        assert!(!covers(&none, "head -n 5", "/usr/local/bin"), "an untrusted directory");
        assert!(covers(&json!({"safeBinTrustedDirs": ["/usr/local/bin"]}), "head -n 5", "/usr/local/bin"));
    }

    #[test]
    fn what_the_config_adds_needs_a_profile() {
        let exec = json!({"safeBins": ["grep", "mine", "python3"],
            "safeBinProfiles": {"mine": {"maxPositional": 1, "allowedValueFlags": ["-n"], "deniedFlags": ["-o"]}}});
        let (_, ignored) = SafeBins::new(&exec, &Value::Null);
        assert_eq!(ignored, ["python3"]);
        for (command, want) in [
            ("grep -e x", true),
            ("grep x", false),
            ("grep -re x", false),
            ("mine a", true),
            ("mine -n 5 a", true),
            ("mine a b", false),
            ("mine -o x", false),
            ("mine --long", false),
            ("head -n 5", false),
        ] {
            assert_eq!(covers(&exec, command, "/usr/bin"), want, "{command}");
        }
    }
}
