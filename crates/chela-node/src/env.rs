//! The environment of a worker: the gateway's, without names that look like credentials and were not granted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chela_manifest::permissions::Permissions;

/// A name that contains one of these as a whole word looks like a credential.
const CREDENTIAL_WORDS: &[&str] = &[
    "APIKEY",
    "APIKEYS",
    "AUTH",
    "AUTHORIZATION",
    "AUTHTOKEN",
    "BEARER",
    "COOKIE",
    "COOKIES",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    "JWT",
    "KEY",
    "KEYS",
    "OAUTH",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PASSWORDS",
    "PAT",
    "PRIVATE",
    "PGPASSWORD",
    "PSK",
    "SECRET",
    "SECRETS",
    "SIGNING",
    "TOKEN",
    "TOKENS",
];

/// Variables that would make Node misunderstand the worker's descriptors or run code of somebody else's choice.
const NEVER: &[&str] = &["NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID", "NODE_REPL_EXTERNAL_MODULE"];

/// What a worker gets, and the names of what it does not get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerEnv {
    /// The variables.
    pub vars: BTreeMap<String, String>,
    /// Names that were kept from it, sorted. Never values.
    pub withheld: Vec<String>,
    /// Credential-like variables that it has because they were granted or set for it.
    pub granted: BTreeMap<String, String>,
}

/// True when a variable's name looks like that of a credential.
pub fn looks_like_credential(name: &str) -> bool {
    // `PWD` and `OLDPWD` are directories; `MYSQL_PWD` is not.
    let upper = name.to_ascii_uppercase();
    upper.ends_with("_PWD") || words(name).iter().any(|word| CREDENTIAL_WORDS.contains(&word.as_str()))
}

/// The words of a name in upper case: `my_apiKey2` has `MY`, `API`, `KEY2`, and `KEY` because digits end a word as well.
fn words(name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        found.insert(part.to_ascii_uppercase());
        let (mut word, mut previous) = (String::new(), ' ');
        for c in part.chars() {
            let starts = (previous.is_ascii_lowercase() && c.is_ascii_uppercase()) || c.is_ascii_digit() != previous.is_ascii_digit();
            if starts {
                found.insert(std::mem::take(&mut word));
            }
            word.push(c.to_ascii_uppercase());
            previous = c;
        }
        found.insert(word);
    }
    found
}

/// Builds a worker's environment from the gateway's, the granted names and the plugin's own settings.
pub fn worker_env(gateway: &BTreeMap<String, String>, grants: &[String], own: &[(String, String)]) -> WorkerEnv {
    let mut env = WorkerEnv::default();
    for (name, value) in gateway.iter().filter(|(name, _)| !NEVER.contains(&name.as_str())) {
        let secret = looks_like_credential(name);
        if secret && !grants.contains(name) {
            env.withheld.push(name.clone());
            continue;
        }
        if secret {
            env.granted.insert(name.clone(), value.clone());
        }
        env.vars.insert(name.clone(), value.clone());
    }
    for (name, value) in own {
        env.vars.insert(name.clone(), value.clone());
        env.granted.insert(name.clone(), value.clone());
        env.withheld.retain(|w| w != name);
    }
    env
}

/// Names that tell a program where and in which language it runs, and nothing else.
const HARMLESS: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "FORCE_COLOR",
    "NODE_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "OPENCLAW_STATE_DIR",
    "OPENCLAW_CONFIG_PATH",
    "OPENCLAW_HOME",
    "OPENCLAW_PROFILE",
];

/// True for a variable that every confined worker gets.
pub(crate) fn is_harmless(name: &str) -> bool {
    HARMLESS.contains(&name) || name.starts_with("LC_") || ["TMPDIR", "TMP", "TEMP"].contains(&name)
}

/// Builds the environment of a confined worker: what is harmless, granted, or set for it; nothing else, whatever it is called.
pub(crate) fn confined_env(gateway: &BTreeMap<String, String>, granted: &Permissions, own: &[(String, String)], temp: &Path) -> WorkerEnv {
    let mut env = WorkerEnv::default();
    for (name, value) in gateway.iter().filter(|(name, _)| !NEVER.contains(&name.as_str())) {
        let allowed = granted.allows_env(name);
        if !allowed && !is_harmless(name) {
            env.withheld.push(name.clone());
            continue;
        }
        if allowed {
            env.granted.insert(name.clone(), value.clone());
        }
        env.vars.insert(name.clone(), value.clone());
    }
    for name in ["TMPDIR", "TMP", "TEMP"] {
        env.vars.insert(name.into(), temp.display().to_string());
        env.withheld.retain(|w| w != name);
    }
    for (name, value) in own {
        env.vars.insert(name.clone(), value.clone());
        env.granted.insert(name.clone(), value.clone());
        env.withheld.retain(|w| w != name);
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_whole_words() {
        let secret = [
            "OPENAI_API_KEY",
            "GITHUB_TOKEN",
            "OPENCLAW_GATEWAY_TOKEN",
            "CHELA_GATEWAY_PASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "SSH_AUTH_SOCK",
            "PGPASSWORD_PASS",
            "token",
            "myApiKey",
            "SERVICE-COOKIE",
            "DB_PASSWD",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "KEY2",
            "X_PRIVATE",
            "PGPASSWORD",
            "MYSQL_PWD",
        ];
        let harmless =
            ["PATH", "HOME", "KEYBOARD", "MONKEY", "TOKENIZERS_PARALLELISM", "AUTHOR", "PWD", "OPENCLAW_STATE_DIR", "LANG", "COMPASS"];
        for name in secret {
            assert!(looks_like_credential(name), "{name}");
        }
        for name in harmless {
            assert!(!looks_like_credential(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_granted_is_withheld_and_named() {
        let gateway: BTreeMap<String, String> =
            [("PATH", "/bin"), ("A_TOKEN", "1"), ("B_TOKEN", "2"), ("C_KEY", "3"), ("NODE_CHANNEL_FD", "3")]
                .map(|(k, v)| (k.into(), v.into()))
                .into();
        let env = worker_env(&gateway, &["B_TOKEN".into(), "ABSENT_KEY".into()], &[("C_KEY".into(), "own".into())]);
        let list = |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
        assert_eq!(list(&env.vars), ["B_TOKEN=2", "C_KEY=own", "PATH=/bin"]);
        assert_eq!(list(&env.granted), ["B_TOKEN=2", "C_KEY=own"]);
        assert_eq!(env.withheld, ["A_TOKEN"]);
    }

    #[test]
    fn a_confined_worker_gets_what_is_harmless_granted_or_its_own() {
        let gateway: BTreeMap<String, String> = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("DATABASE_URL", "postgres://u:p@h"),
            ("MY_TOKEN", "1"),
            ("TMPDIR", "/tmp"),
            ("NODE_OPTIONS", "-r x"),
        ]
        .map(|(k, v)| (k.into(), v.into()))
        .into();
        let set = Permissions { env: vec!["MY_*".into()], ..Permissions::default() };
        let env = confined_env(&gateway, &set, &[("OWN".into(), "o".into())], Path::new("/t"));
        let list = |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
        assert_eq!(list(&env.vars), ["LC_ALL=C", "MY_TOKEN=1", "OWN=o", "PATH=/bin", "TEMP=/t", "TMP=/t", "TMPDIR=/t"]);
        assert_eq!(
            (env.withheld, list(&env.granted)),
            (vec!["DATABASE_URL".to_string(), "NODE_OPTIONS".into()], vec!["MY_TOKEN=1".into(), "OWN=o".into()])
        );
    }
}
