//! Bars for what takes longer than a moment: on a terminal only, on stderr, gone when done.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chela_install::{NoteLevel, Progress, Step};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::{note, warn};

/// What is over sooner shows no bar.
const MOMENT: Duration = Duration::from_millis(300);

/// Shows progress where somebody looks.
pub struct Terminal {
    bars: MultiProgress,
    shown: bool,
    /// Notes of no weight are left out.
    terse: bool,
    steps: Mutex<HashMap<Step, Part>>,
}

struct Part {
    began: Instant,
    done: u64,
    total: Option<u64>,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// Bars only when stderr is a terminal.
    pub fn new(terse: bool) -> Self {
        let shown = std::io::stderr().is_terminal() && !terse;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), shown, terse, steps: Mutex::default() }
    }

    fn bar(&self, step: Step, part: &Part) -> ProgressBar {
        let (word, bytes) = match step {
            Step::Resolve => ("Resolving", false),
            Step::Download => ("Downloading", true),
            Step::Extract => ("Extracting", false),
            Step::Materialise => ("Copying", false),
            Step::Scan => ("Scanning", false),
        };
        let counts = match (part.total.is_some(), bytes) {
            (true, true) => "{bar:30} {bytes}/{total_bytes}",
            (true, false) => "{bar:30} {pos}/{len}",
            (false, true) => "{spinner} {bytes}",
            (false, false) => "{spinner}",
        };
        let bar = part.total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        // A template that is part of the program is valid; a plain bar would do as well.
        if let Ok(style) = ProgressStyle::with_template(&format!("{{prefix:12}} {counts}")) {
            bar.set_style(style);
        }
        bar.set_prefix(word);
        self.bars.add(bar)
    }
}

impl Progress for Terminal {
    fn begin(&self, step: Step, total: Option<u64>) {
        if let Ok(mut steps) = self.steps.lock() {
            let part = steps.entry(step).or_insert_with(|| Part { began: Instant::now(), done: 0, total, bar: None });
            part.total = total.or(part.total);
            if let (Some(bar), Some(total)) = (&part.bar, part.total) {
                bar.set_length(total);
            }
        }
    }

    fn advance(&self, step: Step, by: u64) {
        let Ok(mut steps) = self.steps.lock() else { return };
        let Some(part) = steps.get_mut(&step) else { return };
        part.done += by;
        if self.shown && part.bar.is_none() && part.began.elapsed() >= MOMENT {
            part.bar = Some(self.bar(step, part));
        }
        if let Some(bar) = &part.bar {
            bar.set_position(part.done);
        }
    }

    fn end(&self, step: Step) {
        if let Ok(mut steps) = self.steps.lock()
            && let Some(Part { bar: Some(bar), .. }) = steps.remove(&step)
        {
            bar.finish_and_clear();
        }
    }

    fn note(&self, level: NoteLevel, text: &str) {
        self.bars.suspend(|| match level {
            NoteLevel::Warn => warn(text),
            NoteLevel::Info if !self.terse => note(text),
            NoteLevel::Info => {}
        });
    }
}
