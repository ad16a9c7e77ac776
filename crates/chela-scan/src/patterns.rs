//! The reference's text patterns (INS-212 to INS-219), found once and judged by where they are.

use std::sync::LazyLock;

use regex::Regex;

use crate::regions::{Region, Regions};
use crate::report::Severity;

pub(crate) const EXEC: &str = "dangerous-exec";
pub(crate) const EXEC_MESSAGE: &str = "Shell command execution detected (child_process)";
pub(crate) const DYNAMIC: &str = "dynamic-code-execution";
pub(crate) const DYNAMIC_MESSAGE: &str = "Dynamic code execution detected";
pub(crate) const NETWORK: &str = "suspicious-network";
pub(crate) const NETWORK_MESSAGE: &str = "WebSocket connection to non-standard port";
pub(crate) const OBFUSCATED: &str = "obfuscated-code";
pub(crate) const BASE64_MESSAGE: &str = "Large base64 payload with decode call detected (possible obfuscation)";
pub(crate) const HEX_MESSAGE: &str = "Hex-encoded string sequence detected (possible obfuscation)";
pub(crate) const HARVEST: &str = "env-harvesting";
pub(crate) const HARVEST_MESSAGE: &str = "Environment variable access combined with network send — possible credential harvesting";
/// What the reference's text patterns miss is told in words of its own, as a warning: it refuses nothing that the reference lets pass.
pub(crate) const EXEC_BEYOND: &str = "Shell command execution detected under another name (child_process)";
pub(crate) const DYNAMIC_BEYOND: &str = "Dynamic code execution detected under another name";
pub(crate) const HARVEST_BEYOND: &str = "Environment variable access combined with network send under another name";
const UNSEEN_MESSAGE: &str = "The patterns of the code scan cannot be used";
const MINING: &str = "crypto-mining";
const MINING_MESSAGE: &str = "Possible crypto-mining reference detected";
const EXFILTRATION: &str = "potential-exfiltration";
const EXFILTRATION_MESSAGE: &str = "File read combined with network send — possible data exfiltration";

/// Lines between the environment and a network send (INS-215).
pub(crate) const HARVEST_LINES: usize = 8;
/// Ports of WebSocket servers that nobody wonders about (INS-216).
const STANDARD_PORTS: [u64; 5] = [80, 443, 8080, 8443, 3000];

/// A match: which rule, how bad, where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) rule: &'static str,
    pub(crate) message: &'static str,
    pub(crate) severity: Severity,
    pub(crate) offset: usize,
}

/// Places that rules combine.
#[derive(Default)]
pub(crate) struct Places {
    /// Reads of the environment in code.
    pub(crate) env: Vec<usize>,
    /// Network sends in code, as INS-219 has them.
    pub(crate) sends: Vec<usize>,
    /// Reads of the environment in code and in literals.
    pub(crate) env_texts: Vec<usize>,
    /// Network sends in code and in literals.
    pub(crate) send_texts: Vec<usize>,
    /// Other network sends, which the tree rules know.
    pub(crate) other_sends: Vec<usize>,
}

/// White space as JavaScript's `\s` has it.
const S: &str = r"[\s\u{feff}]*";
const S1: &str = r"[\s\u{feff}]+";

/// All patterns, compiled once.
pub(crate) struct Patterns {
    exec_call: Regex,
    exec_object: Regex,
    exec_member: Regex,
    dynamic_call: Regex,
    miner: Regex,
    socket: Regex,
    send: Regex,
    read: Regex,
    env: Regex,
    hex: Regex,
    base64: Regex,
    static_import: Regex,
    called_import: Regex,
    /// Relative specifiers of imports, in text that was not parsed.
    pub(crate) import: Regex,
}

impl Patterns {
    fn compile() -> Result<Self, regex::Error> {
        Ok(Self {
            exec_call: Regex::new(&format!(r"(?-u:\b)(exec|execSync|spawn|spawnSync|execFile|execFileSync){S}\("))?,
            exec_object: Regex::new(&format!(r"(?-u:\b)(?:cp|childProcess|child_process){S}\??\.{S}$"))?,
            exec_member: Regex::new(&format!(r"(?-u:\b)(?:cp|childProcess|child_process){S}\.{S}exec{S}\("))?,
            dynamic_call: Regex::new(&format!(r"(?-u:\b)eval{S}\(|new[\s\u{{feff}}]+Function{S}\("))?,
            miner: Regex::new(r"(?i)stratum\+tcp|stratum\+ssl|coinhive|cryptonight|xmrig")?,
            socket: Regex::new(&format!("new[\\s\\u{{feff}}]+WebSocket{S}\\({S}[\"']wss?://[^\"'\\n]*:(\\d+)"))?,
            send: Regex::new(&format!(r"(?i)(?-u:\b)fetch{S}\(|(?-u:\b)post{S}\(|\.{S}post{S}\(|http\.request{S}\("))?,
            read: Regex::new("readFileSync|readFile")?,
            env: Regex::new(r"process\.env")?,
            hex: Regex::new(r"(?:\\x[0-9a-fA-F]{2}){6,}")?,
            base64: Regex::new(&format!("(?:atob|Buffer\\.from){S}\\({S}[\"'][A-Za-z0-9+/=]{{200,}}[\"']"))?,
            static_import: Regex::new(&format!(r#"(?-u:\b)(?:import|export){S1}(?:[^"']*?{S1}from{S})?["']([^"']+)["']"#))?,
            called_import: Regex::new(&format!(r#"(?-u:\b)(?:import|require){S}\({S}["']([^"']+)["']{S}\)"#))?,
            import: Regex::new(r#"\b(?:from|import|export)\s*\(?\s*["'](\.[^"'\n]*)["']|\brequire\s*\(\s*["'](\.[^"'\n]*)["']"#)?,
        })
    }
}

/// The patterns, or why they cannot be used; a scan without them must refuse.
pub(crate) static PATTERNS: LazyLock<Result<Patterns, regex::Error>> = LazyLock::new(Patterns::compile);

/// All matches of the line rules and of the rules without context, and the places for the others.
pub(crate) fn find(source: &str, regions: &Regions) -> (Vec<Hit>, Places) {
    let patterns = match &*PATTERNS {
        Ok(patterns) => patterns,
        // Unseen code is not harmless code.
        Err(_) => {
            return (vec![Hit { rule: DYNAMIC, message: UNSEEN_MESSAGE, severity: Severity::Critical, offset: 0 }], Places::default());
        }
    };
    let mut hits = Vec::new();
    if source.contains("child_process") {
        programs(patterns, source, regions, &mut hits);
    }
    let mut all = |regex: &Regex, rule, message, severity| {
        hits.extend(regex.find_iter(source).map(|found| judged(rule, message, severity, found.start(), regions)));
    };
    all(&patterns.dynamic_call, DYNAMIC, DYNAMIC_MESSAGE, Severity::Critical);
    all(&patterns.hex, OBFUSCATED, HEX_MESSAGE, Severity::Warn);
    all(&patterns.base64, OBFUSCATED, BASE64_MESSAGE, Severity::Warn);
    for hit in hits.iter_mut().filter(|hit| hit.message == DYNAMIC_MESSAGE && hit.severity == Severity::Critical) {
        if patterns.dynamic_call.find_at(source, hit.offset).is_some_and(|found| found.as_str().contains('\n')) {
            (hit.message, hit.severity) = (DYNAMIC_BEYOND, Severity::Warn);
        }
    }
    for hit in hits.iter_mut().filter(|hit| hit.message == HEX_MESSAGE && regions.at(hit.offset) == Region::Text) {
        hit.severity = Severity::Warn; // escapes are only ever in literals
    }
    // A pool's address is a string: only comments do not count.
    hits.extend(patterns.miner.find_iter(source).map(|found| {
        let comment = regions.at(found.start()) == Region::Comment;
        let severity = if comment { Severity::Info } else { Severity::Critical };
        Hit { rule: MINING, message: MINING_MESSAGE, severity, offset: found.start() }
    }));
    for found in patterns.socket.captures_iter(source) {
        let (Some(all), Some(port)) = (found.get(0), found.get(1)) else { continue };
        if is_odd_port(port.as_str()) {
            hits.push(judged(NETWORK, NETWORK_MESSAGE, Severity::Warn, all.start(), regions));
        }
    }
    let places = places(patterns, source, regions, &mut hits);
    (hits, places)
}

/// INS-212. The reference looks at the first match of a line only, and passes the line over when that one is a method of another
/// object: what follows in the same line, which in minified code is the whole file, is beyond it.
fn programs(patterns: &Patterns, source: &str, regions: &Regions, hits: &mut Vec<Hit>) {
    let mut line = 0..0;
    let mut is_seen = false;
    for found in patterns.exec_call.captures_iter(source) {
        let (Some(all), Some(name)) = (found.get(0), found.get(1)) else { continue };
        let at = name.start();
        if at >= line.end {
            let start = source[..at].rfind('\n').map_or(0, |end| end + 1);
            line = start..source[at..].find('\n').map_or(source.len(), |end| at + end + 1);
            let text = &source[line.clone()];
            let is_method = name.as_str() == "exec" && source[..at].ends_with('.');
            is_seen = !is_method || patterns.exec_member.is_match(text);
        }
        if name.as_str() == "exec" && is_other_object(patterns, source, at) {
            continue;
        }
        let hit = judged(EXEC, EXEC_MESSAGE, Severity::Critical, at, regions);
        let beyond = hit.severity == Severity::Critical && (!is_seen || all.as_str().contains('\n'));
        hits.push(if beyond { Hit { message: EXEC_BEYOND, severity: Severity::Warn, ..hit } } else { hit });
    }
}

/// Relative specifiers that the reference follows.
pub(crate) fn followed_imports(source: &str) -> std::collections::BTreeSet<&str> {
    let Ok(patterns) = &*PATTERNS else { return Default::default() };
    let all = patterns.static_import.captures_iter(source).chain(patterns.called_import.captures_iter(source));
    all.filter_map(|found| Some(found.get(1)?.as_str())).filter(|specifier| specifier.starts_with('.')).collect()
}

fn places(patterns: &Patterns, source: &str, regions: &Regions, hits: &mut Vec<Hit>) -> Places {
    let found = |regex: &Regex, worst: Region| -> Vec<usize> {
        let all = regex.find_iter(source).map(|found| found.start());
        all.filter(|offset| matches!(regions.at(*offset), Region::Code) || regions.at(*offset) == worst).collect()
    };
    let places = Places {
        env: found(&patterns.env, Region::Code),
        sends: found(&patterns.send, Region::Code),
        env_texts: found(&patterns.env, Region::Text),
        send_texts: found(&patterns.send, Region::Text),
        other_sends: Vec::new(),
    };
    let read = patterns.read.find_iter(source).find(|found| regions.at(found.start()) != Region::Comment);
    if let (Some(read), false) = (read, places.send_texts.is_empty()) {
        hits.push(Hit { rule: EXFILTRATION, message: EXFILTRATION_MESSAGE, severity: Severity::Warn, offset: read.start() });
    }
    places
}

fn judged(rule: &'static str, message: &'static str, severity: Severity, offset: usize, regions: &Regions) -> Hit {
    let severity = if regions.at(offset) == Region::Code { severity } else { Severity::Info };
    Hit { rule, message, severity, offset }
}

/// `pattern.exec(` and the like: a method of something that is not called as `child_process` mostly is.
fn is_other_object(patterns: &Patterns, source: &str, at: usize) -> bool {
    let before = &source[..at];
    let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
    line.ends_with('.') && !patterns.exec_object.is_match(line)
}

/// Whether a port is worth a warning.
pub(crate) fn is_odd_port(text: &str) -> bool {
    !text.parse().is_ok_and(|port: u64| STANDARD_PORTS.contains(&port))
}

/// Whether text that is going to be run would be critical itself.
pub(crate) fn is_dangerous(code: &str) -> bool {
    let is_bad = |hit: &Hit| hit.severity == Severity::Critical || matches!(hit.message, EXEC_BEYOND | DYNAMIC_BEYOND);
    find(code, &Regions::default()).0.iter().any(is_bad)
}
