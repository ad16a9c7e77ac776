//! Secrets in addresses: taken out of everything that is shown, logged or recorded (INS-190).

/// What stands where a secret was.
const HIDDEN: &str = "***";
/// Query parameters whose values are secrets, with `_` for `-`.
const SECRET_PARAMETERS: [&str; 14] = [
    "token",
    "access_token",
    "refresh_token",
    "auth_token",
    "private_token",
    "key",
    "api_key",
    "apikey",
    "secret",
    "client_secret",
    "password",
    "pass",
    "signature",
    "auth",
];

/// The text without user names and passwords of addresses and without values of secret query parameters. The user of an `ssh`
/// address stays: it is no secret, and the address means nothing without it.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        let scheme = head[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).next().unwrap_or_default();
        let end = tail.find(|c: char| c.is_whitespace() || "'\"<>`".contains(c)).unwrap_or(tail.len());
        out.push_str(head);
        out.push_str(&address(scheme, &tail[..end]));
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

/// What follows `://`.
fn address(scheme: &str, text: &str) -> String {
    let authority_end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (authority, rest) = text.split_at(authority_end);
    let host = match authority.rsplit_once('@') {
        None => authority.to_owned(),
        Some((user, host)) if scheme.eq_ignore_ascii_case("ssh") => match user.split_once(':') {
            None => format!("{user}@{host}"),
            Some((user, _)) => format!("{user}:{HIDDEN}@{host}"),
        },
        Some((_, host)) => format!("{HIDDEN}@{host}"),
    };
    let Some((path, query)) = rest.split_once('?') else {
        return host + rest;
    };
    let (query, fragment) = query.split_once('#').map_or((query, None), |(query, fragment)| (query, Some(fragment)));
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
            _ => pair.to_owned(),
        })
        .collect();
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{host}{path}?{}{fragment}", pairs.join("&"))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_PARAMETERS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-190
    #[test]
    fn no_secret_of_an_address_is_shown() {
        for (text, expected) in [
            ("https://bob:pw@h.example/x.git", "https://***@h.example/x.git"),
            ("https://ghp_token@h/x", "https://***@h/x"),
            ("https://a:p@q@h/x", "https://***@h/x"),
            ("ssh://git@h/x", "ssh://git@h/x"),
            ("ssh://git:pw@h/x", "ssh://git:***@h/x"),
            ("git@github.com:a/b", "git@github.com:a/b"),
            (
                "fatal: 'https://u:p@h/x' gone, see https://h/y?token=1&a=2#f",
                "fatal: 'https://***@h/x' gone, see https://h/y?token=***&a=2#f",
            ),
            ("https://h/x?Access-Token=1", "https://h/x?Access-Token=***"),
            ("https://h/@scope/pkg", "https://h/@scope/pkg"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }
}
