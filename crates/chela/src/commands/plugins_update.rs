//! `chela plugins update`.

use std::io::BufRead;

use chela_install::{IntegrityDrift, Status, UpdateRequest};
use serde_json::json;

use super::plugins_install::{LOAD, takes_effect};
use crate::cli::plugins::UpdateArgs;
use crate::context::Context;
use crate::report::{Failure, note, warn};
use crate::{installer, output};

/// Updates plugins and says what came of each.
///
/// # Errors
/// Those of the installer; exit code 1 when a plugin failed or is unknown (INS-293, INS-357).
pub fn run(ctx: &Context, args: &UpdateArgs) -> Result<(), Failure> {
    let request =
        UpdateRequest { id: args.id.clone(), all: args.all, dry_run: args.dry_run, unsafe_code: args.dangerously_force_unsafe_install };
    let ask = !args.dry_run && !args.json;
    let outcomes = installer::make(ctx, Some(args.json)).update(&request, &mut |drift| accepted(drift, ask))?;
    let failed = outcomes.iter().any(|outcome| outcome.status == Status::Error);
    if args.json {
        output::json(&json!({"dryRun": args.dry_run, "outcomes": outcomes}))?;
    } else if outcomes.is_empty() {
        output::text("No tracked plugins or hook packs to update.\n")?;
    } else {
        for outcome in &outcomes {
            match outcome.status {
                Status::Error => note(&format!("error: {}", outcome.message)),
                Status::Skipped => warn(&outcome.message),
                Status::Updated | Status::Unchanged => output::text(&outcome.message)?,
            }
        }
        if !args.dry_run && outcomes.iter().any(|outcome| outcome.status == Status::Updated) {
            output::text(&takes_effect(ctx, LOAD))?;
        }
    }
    if failed { Err(Failure::silent(1)) } else { Ok(()) }
}

/// Shows both hashes; asks where somebody can answer, and takes silence for a no (INS-202).
fn accepted(drift: &IntegrityDrift, ask: bool) -> bool {
    warn(&format!(
        "Integrity drift detected for \"{}\" ({})\nExpected: {}\nActual:   {}",
        drift.plugin_id, drift.spec, drift.expected, drift.actual
    ));
    if !ask {
        return false;
    }
    anstream::eprint!("Continue updating \"{}\" with this artifact? [y/N] ", drift.plugin_id);
    let mut line = String::new();
    let answered = matches!(std::io::stdin().lock().read_line(&mut line), Ok(n) if n > 0);
    if !answered {
        note("");
    }
    answered && line.trim().to_ascii_lowercase().starts_with('y')
}
