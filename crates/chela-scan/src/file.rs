//! One file: parsed, looked at twice, and told as findings.

use std::collections::HashMap;
use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast_visit::Visit;
use oxc::parser::{ParseOptions, Parser, ParserReturn};
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;

use crate::facts::{Imports, Loads, Names};
use crate::nesting;
use crate::patterns::{self, DYNAMIC_BEYOND, EXEC_BEYOND, HARVEST, HARVEST_BEYOND, HARVEST_LINES, HARVEST_MESSAGE, Hit, Places};
use crate::regions::Regions;
use crate::report::{Finding, Severity};
use crate::rules::Rules;
use crate::value::Values;

/// Longest evidence, in characters (INS-221).
const EVIDENCE: usize = 120;
/// Looks for names that stand for other names: an alias of an alias may be written before what it names.
const ROUNDS: usize = 3;

/// What one file holds.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) findings: Vec<Finding>,
    pub(crate) imports: Imports,
    /// Lines that load something whose name is computed.
    pub(crate) computed_lines: Vec<usize>,
    /// Why the syntax tree was not looked at, only the text.
    pub(crate) problem: Option<String>,
}

/// Scans a source text.
pub(crate) fn scan(path: &Path, source: &str) -> Scanned {
    let lines = Lines::of(source);
    if !nesting::is_sane(source) {
        return text_only(path, source, &lines, "nests deeper than any parser should follow".into());
    }
    let allocator = Allocator::default();
    let parsed = parse(&allocator, path, source);
    let problem = parsed.diagnostics.first().map(|first| {
        let line = first.labels.first().map_or(1, |label| lines.line(label.offset() as usize));
        format!("does not parse (line {line}: {})", first.message)
    });
    if parsed.panicked {
        return text_only(path, source, &lines, problem.unwrap_or_else(|| "does not parse".into()));
    }
    let semantic = SemanticBuilder::new().build(&parsed.program).semantic;
    let mut values = Values { scoping: semantic.scoping(), known: HashMap::new() };
    for _ in 0..ROUNDS {
        let before = values.known.len();
        Names { values: &mut values }.visit_program(&parsed.program);
        if values.known.len() == before {
            break;
        }
    }
    let mut loads = Loads { values: &values, found: Imports::default() };
    loads.visit_program(&parsed.program);
    // With errors the tree may have lost parts: then every match counts as code.
    let regions = if problem.is_some() { Regions::default() } else { Regions::of(&parsed.program) };
    let (mut hits, places) = patterns::find(source, &regions);
    harvest(&mut hits, &places, &lines);
    let mut rules = Rules { values: &values, hits: Vec::new(), places };
    rules.visit_program(&parsed.program);
    hits.append(&mut rules.hits);
    harvest_beyond(&mut hits, &rules.places, &lines);
    let computed_lines = loads.found.computed.iter().map(|offset| lines.line(*offset)).collect();
    Scanned { findings: findings(path, source, &lines, hits), imports: loads.found, computed_lines, problem }
}

fn text_only(path: &Path, source: &str, lines: &Lines, problem: String) -> Scanned {
    let (mut hits, places) = patterns::find(source, &Regions::default());
    harvest(&mut hits, &places, lines);
    Scanned { findings: findings(path, source, lines, hits), problem: Some(problem), ..Scanned::default() }
}

/// Parses in the dialect of the extension, then in others that Node or a bundler may have meant; the first without errors counts.
pub(crate) fn parse<'a>(allocator: &'a Allocator, path: &Path, source: &'a str) -> ParserReturn<'a> {
    let own = SourceType::from_path(path.with_extension(path.extension().unwrap_or_default().to_ascii_lowercase()));
    let own = own.unwrap_or_else(|_| SourceType::unambiguous());
    let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
    let parse = |kind: SourceType| Parser::new(allocator, source, kind).with_options(options).parse();
    let first = parse(own);
    if first.diagnostics.is_empty() {
        return first;
    }
    let others: &[SourceType] = if own.is_typescript() {
        &[own.with_jsx(true), own.with_script(true)]
    } else {
        &[own.with_script(true).with_jsx(true), own.with_module(true).with_jsx(true), SourceType::ts()]
    };
    others.iter().map(|kind| parse(*kind)).find(|other| other.diagnostics.is_empty()).unwrap_or(first)
}

/// INS-215: the environment and a network send within a few lines.
fn harvest(hits: &mut Vec<Hit>, places: &Places, lines: &Lines) {
    near(hits, (&places.env, &places.sends), lines, HARVEST_MESSAGE, Severity::Critical);
    near(hits, (&places.env_texts, &places.send_texts), lines, HARVEST_MESSAGE, Severity::Info);
}

/// The same with the places that only the syntax tree shows.
fn harvest_beyond(hits: &mut Vec<Hit>, places: &Places, lines: &Lines) {
    near(hits, (&places.env, &places.sends), lines, HARVEST_BEYOND, Severity::Warn);
    near(hits, (&places.env, &places.other_sends), lines, HARVEST_MESSAGE, Severity::Warn);
}

fn near(hits: &mut Vec<Hit>, (env, sends): (&[usize], &[usize]), lines: &Lines, message: &'static str, severity: Severity) {
    let mut send_lines: Vec<usize> = sends.iter().map(|send| lines.line(*send)).collect();
    send_lines.sort_unstable();
    let near = env.iter().copied().filter(|env| {
        let line = lines.line(*env);
        let at = send_lines.partition_point(|send| *send + HARVEST_LINES < line);
        send_lines.get(at).is_some_and(|send| *send <= line + HARVEST_LINES)
    });
    hits.extend(near.map(|offset| Hit { rule: HARVEST, message, severity, offset }));
}

/// One finding for each rule and message: the worst, and of those the first (INS-221).
fn findings(path: &Path, source: &str, lines: &Lines, mut hits: Vec<Hit>) -> Vec<Finding> {
    hits.sort_by_key(|hit| (std::cmp::Reverse(hit.severity), hit.offset));
    let mut out: Vec<Finding> = Vec::new();
    for hit in hits {
        let is_beyond = matches!(hit.message, EXEC_BEYOND | DYNAMIC_BEYOND | HARVEST_BEYOND);
        let is_told = |known: &Finding| known.message == hit.message || (is_beyond && known.severity == Severity::Critical);
        if out.iter().any(|known| known.rule_id == hit.rule && is_told(known)) {
            continue;
        }
        let line = lines.line(hit.offset);
        out.push(Finding {
            rule_id: hit.rule,
            severity: hit.severity,
            file: path.into(),
            line,
            message: hit.message,
            evidence: evidence(lines.text(source, line)),
        });
    }
    out
}

fn evidence(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(EVIDENCE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.into(),
    }
}

/// Where lines start.
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn of(source: &str) -> Self {
        let breaks = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    fn text<'s>(&self, source: &'s str, line: usize) -> &'s str {
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let end = self.starts.get(line).map_or(source.len(), |next| next - 1);
        source.get(start..end).unwrap_or_default()
    }
}
