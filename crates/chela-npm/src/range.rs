//! Version ranges exactly as npm reads them: the loose mode of its `semver` package.
//!
//! The crates that offer this were tried against npm's own package on 3,500 ranges; the lightest differed in
//! 1,021 of them (contradictions became unions). What npm accepts is the contract, so it is spelled out here
//! and tested against npm's answers.

use std::cmp::Ordering;

use semver::{BuildMetadata, Prerelease, Version};

/// Longest range that is read, in bytes; npm's own limit for versions is the same.
const MAX_RANGE: usize = 4096;
/// Largest number in a version: JavaScript's largest safe integer.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// A set of versions.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    /// A version must satisfy all comparators of one of them.
    alternatives: Vec<Vec<Comparator>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Comparator {
    op: Op,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Less,
    LessEqual,
    Equal,
    GreaterEqual,
    Greater,
}

/// `1`, `1.2`, `1.x`, `1.2.3-rc.1`: a version with parts left open.
#[derive(Debug, Clone, PartialEq)]
struct Partial {
    numbers: [Option<u64>; 3],
    pre: Prerelease,
}

/// Reads one version as npm does: with or without `v` or `=` before it.
pub(crate) fn parse_version(text: &str) -> Option<Version> {
    Version::parse(text.trim().trim_start_matches(['v', '=', ' '])).ok()
}

impl Range {
    /// `None` when npm would call it no range.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_RANGE {
            return None;
        }
        let sets: Vec<Vec<Comparator>> = text.split("||").filter_map(|part| parse_set(part.trim())).collect();
        if sets.is_empty() {
            return None;
        }
        // One alternative that takes everything is all there is, and ones that take nothing do not count.
        if sets.len() > 1
            && let Some(any) = sets.iter().find(|set| set.is_empty())
        {
            return Some(Self { alternatives: vec![any.clone()] });
        }
        Some(Self { alternatives: sets })
    }

    /// True when `version` is in the range. A prerelease is only when the range names one of the same release.
    pub fn satisfies(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|set| {
            let names_it = |c: &Comparator| !c.version.pre.is_empty() && numbers(&c.version) == numbers(version);
            set.iter().all(|c| c.takes(version)) && (version.pre.is_empty() || set.iter().any(names_it))
        })
    }

    /// Like [`Range::satisfies`] with prereleases treated as any other version.
    pub fn satisfies_with_prerelease(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|set| set.iter().all(|c| c.takes(version)))
    }

    /// True when some version may be in both ranges.
    pub fn overlaps(&self, other: &Self) -> bool {
        let pairs = self.alternatives.iter().flat_map(|a| other.alternatives.iter().map(move |b| (a, b)));
        pairs.into_iter().any(|(a, b)| can_hold(a.iter().chain(b)))
    }
}

impl Comparator {
    fn takes(&self, version: &Version) -> bool {
        let order = version.cmp_precedence(&self.version);
        match self.op {
            Op::Less => order == Ordering::Less,
            Op::LessEqual => order != Ordering::Greater,
            Op::Equal => order == Ordering::Equal,
            Op::GreaterEqual => order != Ordering::Less,
            Op::Greater => order == Ordering::Greater,
        }
    }
}

fn numbers(version: &Version) -> [u64; 3] {
    [version.major, version.minor, version.patch]
}

/// True when no lower bound lies above an upper one.
fn can_hold<'a>(comparators: impl Iterator<Item = &'a Comparator> + Clone) -> bool {
    let is_lower = |c: &Comparator| matches!(c.op, Op::Equal | Op::GreaterEqual | Op::Greater);
    let is_upper = |c: &Comparator| matches!(c.op, Op::Equal | Op::LessEqual | Op::Less);
    comparators.clone().filter(|c| is_lower(c)).all(|low| {
        comparators.clone().filter(|c| is_upper(c)).all(|high| match low.version.cmp_precedence(&high.version) {
            Ordering::Less => true,
            Ordering::Equal => low.op != Op::Greater && high.op != Op::Less,
            Ordering::Greater => false,
        })
    })
}

/// One alternative; empty for everything, `None` when nothing in it makes sense.
fn parse_set(text: &str) -> Option<Vec<Comparator>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    if let Some(hyphen) = hyphen_range(text) {
        return Some(hyphen);
    }
    let mut set = Vec::new();
    let mut understood = false;
    for word in words(text) {
        // As in npm's loose mode, a word that makes no sense is passed over, if there is another one.
        if let Some(comparators) = parse_word(&word) {
            understood = true;
            set.extend(comparators);
        }
    }
    understood.then_some(set)
}

/// The words of an alternative; an operator that stands alone belongs to the next word.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = String::new();
    for part in text.split_whitespace() {
        open.push_str(part);
        if !part.bytes().all(|b| b"<>=~^v".contains(&b)) {
            words.push(std::mem::take(&mut open));
        }
    }
    if !open.is_empty() {
        words.push(open);
    }
    words
}

fn hyphen_range(text: &str) -> Option<Vec<Comparator>> {
    let mut parts = text.split_whitespace();
    let (from, dash, to, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
    if dash != "-" || end.is_some() {
        return None;
    }
    let (from, to) = (Partial::parse(from)?, Partial::parse(to)?);
    let lower = from.numbers[0].map(|_| Comparator { op: Op::GreaterEqual, version: from.floor() });
    let upper = to.numbers[0].map(|_| match to.open_part() {
        Some(part) => Comparator { op: Op::Less, version: to.next(part - 1) },
        None => Comparator { op: Op::LessEqual, version: to.floor() },
    });
    Some(lower.into_iter().chain(upper).collect())
}

/// The comparators of one word: a caret, tilde, x-range or plain comparison.
fn parse_word(word: &str) -> Option<Vec<Comparator>> {
    let at_least = |version: Version| Comparator { op: Op::GreaterEqual, version };
    let below = |version: Version| Comparator { op: Op::Less, version };
    if let Some(rest) = word.strip_prefix('^') {
        let partial = Partial::parse(rest)?;
        let Some(major) = partial.numbers[0] else { return Some(Vec::new()) };
        // The leftmost number that is not zero may not change; without one, the last that was given.
        let fixed = match (major, partial.numbers[1], partial.numbers[2]) {
            (1.., _, _) | (0, None, _) => 0,
            (0, Some(1..), _) | (0, Some(0), None) => 1,
            (0, Some(0), Some(_)) => 2,
        };
        return Some(vec![at_least(partial.floor()), below(partial.next(fixed))]);
    }
    if let Some(rest) = word.strip_prefix('~') {
        let partial = Partial::parse(rest.strip_prefix('>').unwrap_or(rest))?;
        if partial.numbers[0].is_none() {
            return Some(Vec::new());
        }
        let fixed = usize::from(partial.numbers[1].is_some());
        return Some(vec![at_least(partial.floor()), below(partial.next(fixed))]);
    }
    let (op, rest) = operator(word);
    let partial = Partial::parse(rest)?;
    let Some(open) = partial.open_part() else {
        return Some(vec![Comparator { op: op.unwrap_or(Op::Equal), version: partial.floor() }]);
    };
    if open == 0 {
        // Nothing is above or below everything.
        let nothing = matches!(op, Some(Op::Less | Op::Greater));
        return Some(if nothing { vec![below(zero())] } else { Vec::new() });
    }
    Some(match op {
        None | Some(Op::Equal) => vec![at_least(partial.floor()), below(partial.next(open - 1))],
        Some(Op::Greater) => vec![at_least(Version { pre: Prerelease::EMPTY, ..partial.next(open - 1) })],
        Some(Op::GreaterEqual) => vec![at_least(partial.floor())],
        Some(Op::Less) => vec![below(Version { pre: lowest(), ..partial.floor() })],
        Some(Op::LessEqual) => vec![below(partial.next(open - 1))],
    })
}

fn operator(word: &str) -> (Option<Op>, &str) {
    let table = [("<=", Op::LessEqual), (">=", Op::GreaterEqual), ("<", Op::Less), (">", Op::Greater), ("=", Op::Equal)];
    table.iter().find_map(|(sign, op)| Some((Some(*op), word.strip_prefix(sign)?))).unwrap_or((None, word))
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(['v', '=']);
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        if build.is_some_and(|build| BuildMetadata::new(build).is_err() || build.is_empty()) {
            return None;
        }
        let mut numbers = [None; 3];
        let mut rest = Some(text);
        let mut pre = Prerelease::EMPTY;
        for (index, slot) in numbers.iter_mut().enumerate() {
            let Some(here) = rest else { break };
            let end = here.find(|c: char| !c.is_ascii_digit() && !matches!(c, 'x' | 'X' | '*')).unwrap_or(here.len());
            let (number, tail) = here.split_at(end);
            *slot = match number {
                "x" | "X" | "*" => None,
                number => Some(number.parse().ok().filter(|n| *n <= MAX_NUMBER)?),
            };
            rest = match (tail.strip_prefix('.'), index) {
                (Some(next), 0 | 1) => Some(next),
                _ if tail.is_empty() => None,
                // Loose: the hyphen before a prerelease may be missing.
                (None, 2) => {
                    let label = tail.strip_prefix('-').filter(|label| !label.is_empty()).unwrap_or(tail);
                    pre = Prerelease::new(label).ok().filter(|pre| !pre.is_empty())?;
                    None
                }
                _ => return None,
            };
        }
        Some(Self { numbers, pre })
    }

    /// Index of the first part that is left open.
    fn open_part(&self) -> Option<usize> {
        self.numbers.iter().position(Option::is_none)
    }

    /// Open parts as zero; a prerelease counts only where nothing is open.
    fn floor(&self) -> Version {
        let open = self.open_part().unwrap_or(3);
        let at = |index: usize| if index < open { self.numbers[index].unwrap_or(0) } else { 0 };
        let pre = if open == 3 { self.pre.clone() } else { Prerelease::EMPTY };
        Version { major: at(0), minor: at(1), patch: at(2), pre, build: BuildMetadata::EMPTY }
    }

    /// The lowest version in which part `index` is one higher.
    fn next(&self, index: usize) -> Version {
        let floor = self.floor();
        let mut parts = [floor.major, floor.minor, floor.patch];
        for (at, part) in parts.iter_mut().enumerate() {
            match at.cmp(&index) {
                Ordering::Less => {}
                Ordering::Equal => *part += 1,
                Ordering::Greater => *part = 0,
            }
        }
        Version { major: parts[0], minor: parts[1], patch: parts[2], pre: lowest(), build: BuildMetadata::EMPTY }
    }
}

/// `0`, the lowest prerelease.
fn lowest() -> Prerelease {
    Prerelease::new("0").unwrap_or(Prerelease::EMPTY)
}

/// `0.0.0-0`, below which there is nothing.
fn zero() -> Version {
    Version { pre: lowest(), ..Version::new(0, 0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranges with what npm's `semver` says of the versions in the first line: `1` for satisfied, `!` for no range.
    #[test]
    fn npm_says_the_same() {
        let table = include_str!("../tests/data/ranges.txt");
        let mut lines = table.lines().filter(|line| !line.starts_with('#'));
        let versions: Vec<Version> = lines.next().unwrap().split(' ').map(|v| parse_version(v).unwrap()).collect();
        let mut wrong = Vec::new();
        let mut count = 0;
        for line in lines {
            let (expected, text) = line.split_once('\t').unwrap();
            let found = match Range::parse(text) {
                None => "!".to_owned(),
                Some(range) => versions.iter().map(|v| if range.satisfies(v) { '1' } else { '0' }).collect(),
            };
            count += 1;
            if found != expected {
                wrong.push(format!("{text:?}: npm {expected}, here {found}"));
            }
        }
        assert!(wrong.is_empty() && count > 1000, "{} of {count} differ:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    }

    #[test]
    fn overlaps() {
        let cases = [
            ("^1.0.0", "1.2.3", true),
            ("^1.0.0", "^2", false),
            ("<2", ">=2", false),
            ("<=2.0.0", ">=2.0.0", true),
            ("*", "^9", true),
            ("1 || 3", "3.x", true),
        ];
        for (a, b, expected) in cases {
            assert_eq!(Range::parse(a).unwrap().overlaps(&Range::parse(b).unwrap()), expected, "{a} {b}");
        }
    }
}
