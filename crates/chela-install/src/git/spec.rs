//! What a git spec means: an address, a ref and a label that holds no secret (INS-183).

use std::path::PathBuf;

use url::Url;

use crate::redact::redact;

/// Schemes that git may use here (INS-183); anything else could run programs.
const SCHEMES: [&str; 5] = ["https", "http", "ssh", "git", "file"];

/// A repository and what to take of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitSpec {
    /// What git is given; may hold credentials.
    pub url: String,
    /// Branch, tag or commit; the default branch without one.
    pub reference: Option<String>,
    /// How it is called in messages.
    pub label: String,
}

impl GitSpec {
    /// Reads what follows `git:`. `resolve` makes a typed path absolute. `None` for what is no repository.
    pub(crate) fn parse(body: &str, resolve: &dyn Fn(&str) -> PathBuf) -> Option<Self> {
        let body = body.trim();
        let (base, reference) = split(body);
        let found = repository(base, resolve);
        // `user@host:path` without a slash has its only `@` before the host.
        let (found, reference) = match found {
            Some(found) => (found, reference),
            None if !body.contains('#') => (repository(body, resolve)?, None),
            None => return None,
        };
        let (url, label) = found;
        Some(Self { url, label, reference: reference.map(str::to_owned) })
    }

    /// True when the ref is the beginning of this commit's hash: then it means this commit for ever.
    pub(crate) fn is_part_of(&self, commit: Option<&str>) -> bool {
        let short = self.reference.as_deref().filter(|text| text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        short.zip(commit).is_some_and(|(short, commit)| commit.starts_with(&short.to_ascii_lowercase()))
    }

    /// The address as it may be recorded.
    pub(crate) fn public_url(&self) -> String {
        redact(&self.url)
    }

    /// The last part of the path, for a bundle without a name of its own.
    pub(crate) fn name(&self) -> &str {
        let name = self.label.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        let name = name.strip_suffix(".git").unwrap_or(name);
        if matches!(name, "" | "." | "..") { "plugin" } else { name }
    }
}

/// The ref is what follows the last `#`, else a last `@` after the last slash.
fn split(body: &str) -> (&str, Option<&str>) {
    let of = |at: usize| (body[..at].trim(), Some(body[at + 1..].trim()).filter(|reference| !reference.is_empty()));
    if let Some(at) = body.rfind('#').filter(|at| *at > 0) {
        return of(at);
    }
    let slash = body.rfind(['/', '\\']);
    match body.rfind('@').filter(|at| *at > 0 && slash.is_none_or(|slash| *at > slash)) {
        Some(at) => of(at),
        None => (body, None),
    }
}

/// Address and label.
fn repository(base: &str, resolve: &dyn Fn(&str) -> PathBuf) -> Option<(String, String)> {
    if base.is_empty() || base.starts_with('-') || base.contains(char::is_control) {
        return None;
    }
    if ["./", "../", "~/", "/"].iter().any(|start| base.starts_with(start)) {
        return path(base, resolve);
    }
    if let Some((scheme, _)) = base.split_once("://") {
        if !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return None;
        }
        let url = Url::parse(base).ok()?;
        let label = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        return Some((base.to_owned(), without_git(label.trim_start_matches('/')).to_owned()));
    }
    if base.contains("::") {
        return None;
    }
    let lower = base.to_ascii_lowercase();
    let shorthand = if lower.starts_with("github.com/") { &base["github.com/".len()..] } else { base };
    if is_shorthand(shorthand) {
        let repo = without_git(shorthand);
        return Some((format!("https://github.com/{repo}.git"), repo.to_owned()));
    }
    let scp = base.split_once(':').and_then(|(host, rest)| Some((host.split_once('@')?, rest)));
    if let Some(((user, host), rest)) = scp
        && !user.is_empty()
        && !host.is_empty()
        && !host.starts_with('-')
        && !host.contains(['@', '/'])
        && !rest.is_empty()
        && !base.contains(char::is_whitespace)
    {
        return Some((base.to_owned(), base.to_owned()));
    }
    if lower.ends_with(".git") {
        return if base.contains(':') { Some((base.to_owned(), base.to_owned())) } else { path(base, resolve) };
    }
    None
}

fn path(text: &str, resolve: &dyn Fn(&str) -> PathBuf) -> Option<(String, String)> {
    let path = resolve(text).to_str()?.to_owned();
    Some((path.clone(), path))
}

fn without_git(text: &str) -> &str {
    let cut = text.len().saturating_sub(4);
    match text.get(cut..) {
        Some(end) if end.eq_ignore_ascii_case(".git") => &text[..cut],
        _ => text,
    }
}

/// `owner/repo`.
pub(crate) fn is_shorthand(text: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    text.split_once('/').is_some_and(|(owner, repo)| part(owner) && part(repo))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Option<(String, Option<String>, String)> {
        let resolve = |text: &str| PathBuf::from(text.replacen('~', "/home/me", 1).replacen("./", "/cwd/", 1));
        GitSpec::parse(body, &resolve).map(|spec| (spec.url, spec.reference, spec.label))
    }

    // INS-119, INS-183
    #[test]
    fn repositories_are_told_from_other_words() {
        for (body, url, reference, label) in [
            ("a/b", "https://github.com/a/b.git", None, "a/b"),
            ("a/b.git@v1", "https://github.com/a/b.git", Some("v1"), "a/b"),
            ("GitHub.com/a/b#dev", "https://github.com/a/b.git", Some("dev"), "a/b"),
            ("https://u:p@h.org/a/b.git", "https://u:p@h.org/a/b.git", None, "h.org/a/b"),
            ("https://h.org/a/b@v1", "https://h.org/a/b", Some("v1"), "h.org/a/b"),
            ("http://h.org/a#feature/x", "http://h.org/a", Some("feature/x"), "h.org/a"),
            ("ssh://git@h.org/a/b.git", "ssh://git@h.org/a/b.git", None, "h.org/a/b"),
            ("git://h.org/a", "git://h.org/a", None, "h.org/a"),
            ("file:///srv/a.git@v2", "file:///srv/a.git", Some("v2"), "srv/a"),
            ("git@h.org:a/b.git@v1", "git@h.org:a/b.git", Some("v1"), "git@h.org:a/b.git"),
            ("git@h.org:b", "git@h.org:b", None, "git@h.org:b"),
            ("./x", "/cwd/x", None, "/cwd/x"),
            ("~/x#main", "/home/me/x", Some("main"), "/home/me/x"),
            ("repo.git", "repo.git", None, "repo.git"),
            ("a/b#", "https://github.com/a/b.git", None, "a/b"),
        ] {
            let expected = (url.to_owned(), reference.map(str::to_owned), label.to_owned());
            assert_eq!(parse(body), Some(expected), "{body}");
        }
        for body in
            ["", "word", "a/b/c", "ext::sh -c x.git", "ftp://h/a.git", "-u/x", "--upload-pack=x/y", "@", "#v1", "a b:c", "git@-oProxy:x"]
        {
            assert_eq!(parse(body), None, "{body}");
        }
    }

    #[test]
    fn a_repository_has_a_name() {
        let resolve = |text: &str| PathBuf::from(text);
        for (body, name) in [("a/tool", "tool"), ("git@h.org:tool.git", "tool"), ("file:///srv/tool.git", "tool"), ("/", "plugin")] {
            assert_eq!(GitSpec::parse(body, &resolve).unwrap().name(), name, "{body}");
        }
    }
}
