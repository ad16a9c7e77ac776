//! `chela plugins registry`: the stored index beside a new one (INS-099..INS-105).

use serde_json::{Value, json};

use crate::cli::plugins::RegistryArgs;
use crate::context::Context;
use crate::report::Failure;
use crate::{installer, output};

/// Shows how the index compares, or writes it anew. It works while the config is invalid (INS-346).
///
/// # Errors
/// Those of the installer.
pub fn run(ctx: &Context, args: &RegistryArgs) -> Result<(), Failure> {
    let installer = installer::make(ctx, Some(args.json));
    if args.refresh {
        let index = installer.refresh_registry()?;
        return match args.json {
            true => output::json(&json!({"refreshed": true, "registry": index})),
            false => output::text(&format!("Plugin registry refreshed: {} enabled plugins indexed.\n", counts(Some(&index)))),
        };
    }
    let found = installer.inspect_registry()?;
    if args.json {
        return output::json(&json!({
            "state": found.state.as_str(), "refreshReasons": found.reasons, "persisted": found.persisted, "current": found.current,
        }));
    }
    let mut out = format!(
        "State: {}\nCurrent: {} enabled plugins\nPersisted: {} enabled plugins\n",
        found.state.as_str(),
        counts(Some(&found.current)),
        counts(found.persisted.as_ref())
    );
    if !found.reasons.is_empty() {
        out.push_str(&format!("Refresh reasons: {}\nRepair: chela plugins registry --refresh\n", found.reasons.join(", ")));
    }
    output::text(&out)
}

fn counts(index: Option<&Value>) -> String {
    let rows = index.and_then(|index| index["plugins"].as_array()).map_or(&[][..], Vec::as_slice);
    let enabled = rows.iter().filter(|row| row["enabled"] == true).count();
    format!("{enabled}/{}", rows.len())
}
