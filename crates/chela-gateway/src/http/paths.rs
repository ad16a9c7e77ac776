//! Paths as a security check must see them (GW-125, API-160).

/// Times that percent encoding is undone at most.
const MAX_DECODE_PASSES: usize = 32;
/// Path prefixes of plugins that always need the gateway's authentication (API-160).
const PROTECTED_PREFIXES: [&str; 1] = ["/api/channels"];

/// All readings of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathReadings {
    /// From the path as sent to the path with all encoding undone; lower case, no double slashes, no dot
    /// segments, no slash at the end.
    pub candidates: Vec<String>,
    /// Whether some encoding is invalid.
    pub malformed: bool,
    /// Whether it is encoded more often than anyone has reason to.
    pub too_deep: bool,
}

impl PathReadings {
    /// Reads a path.
    pub fn new(path: &str) -> Self {
        let mut readings = PathReadings { candidates: vec![normalize(path)], malformed: false, too_deep: false };
        let mut decoded = path.to_owned();
        for _ in 0..MAX_DECODE_PASSES {
            match percent_decode(&decoded) {
                None => {
                    readings.malformed = true;
                    return readings;
                }
                Some(next) if next == decoded => return readings,
                Some(next) => decoded = next,
            }
            let candidate = normalize(&decoded);
            if !readings.candidates.contains(&candidate) {
                readings.candidates.push(candidate);
            }
        }
        match percent_decode(&decoded) {
            None => readings.malformed = true,
            Some(next) => readings.too_deep = next != decoded,
        }
        readings
    }

    /// The path with all encoding undone.
    pub fn canonical(&self) -> &str {
        self.candidates.last().map_or("/", String::as_str)
    }

    /// Whether the gateway's authentication is needed whatever the route says (GW-125, API-160).
    pub fn is_protected(&self) -> bool {
        let prefixed = |path: &String| {
            PROTECTED_PREFIXES
                .iter()
                .any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '%'])))
        };
        self.malformed || self.too_deep || self.candidates.iter().any(prefixed)
    }
}

/// Undoes percent encoding once; `None` when it is invalid or yields no UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            out.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8(out).ok()
}

fn normalize(path: &str) -> String {
    let lower = path.to_lowercase().replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in lower.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // GW-125, API-160
    #[test]
    fn protected_paths_cannot_be_hidden() {
        let deep = (0..40).fold("/x%2fy".to_owned(), |path, _| path.replace('%', "%25"));
        let cases = [
            ("/api/channels", true),
            ("/api/channels/slack", true),
            ("/API//Channels/slack/", true),
            ("/api/%63hannels/slack", true),
            ("/api%2fchannels%2fslack", true),
            ("/api/%2563hannels", true),
            ("/plugins/x/../../api/channels/y", true),
            ("/plugins/x/%2e%2e/%2e%2e/api/channels", true),
            ("/api/channelsx", false),
            ("/api/other", false),
            ("/plugins/weather", false),
            ("/plugins/%zz", true),
            ("/plugins/%ff", true),
            ("/plugins/%", true),
            (deep.as_str(), true),
        ];
        for (path, expected) in cases {
            assert_eq!(PathReadings::new(path).is_protected(), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_has_a_reading(path in "/[a-zA-Z0-9%./\\\\é-]{0,60}") {
            let readings = PathReadings::new(&path);
            prop_assert!(readings.canonical().starts_with('/'));
            prop_assert!(readings.candidates.iter().all(|path| !path.contains("//")));
        }
    }
}
