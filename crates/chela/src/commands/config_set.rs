//! `chela config set`: one value, a reference to a secret, or a batch; all or nothing.

use chela_config::{Config, Edit, SecretInput, SecretSource, SetMode, WriteOptions, format_path, get_path, parse_cli_value, parse_path};
use serde_json::{Value, json};

use crate::cli::config::{RefSource, SetArgs};
use crate::context::Context;
use crate::lockfile;
use crate::output;
use crate::report::{Failure, note, warn};

/// What is to be set, and how it was given.
struct Wanted {
    edits: Vec<(Vec<String>, Value)>,
    mode: &'static str,
}

/// Sets values, or checks with `--dry-run` that they could be set.
///
/// # Errors
/// A path or value that cannot be read, a result that would be invalid, a secret that cannot be resolved (dry run only).
pub fn run(ctx: &Context, args: &SetArgs) -> Result<(), Failure> {
    let wanted = wanted(args)?;
    let mode = match (args.replace, args.merge) {
        (true, _) => SetMode::Replace,
        (_, true) => SetMode::Merge,
        _ => SetMode::Guarded,
    };
    let edits: Vec<Edit> = wanted.edits.iter().map(|(path, value)| Edit::Set { path: path.clone(), value: value.clone(), mode }).collect();
    let options = WriteOptions { dry_run: args.dry_run, ..WriteOptions::default() };
    let written = chela_config::write(&ctx.paths, &ctx.env, &edits, &options);
    let paths: Vec<String> = wanted.edits.iter().map(|(path, _)| format_path(path)).collect();
    if args.dry_run {
        return dry_run(ctx, args, &wanted, written);
    }
    let outcome = written.map_err(Failure::not_written)?;
    outcome.warnings.iter().for_each(|warning| warn(warning));
    if outcome.comments_lost {
        warn("comments of the config file were lost; the file before is kept as `.bak`");
    }
    if args.json {
        return output::json(&json!({"ok": true, "paths": paths, "changed": outcome.changed}));
    }
    let names = paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    output::text(&match outcome.changed {
        true => format!("Updated {names}"),
        false => format!("{names} had this value already"),
    })?;
    if outcome.changed && lockfile::look(&ctx.paths).pid().is_some() {
        note("The gateway runs; what it does not take over by itself needs `chela gateway restart`");
    }
    Ok(())
}

fn wanted(args: &SetArgs) -> Result<Wanted, Failure> {
    if let Some(text) = &args.batch_json {
        return batch(text, "`--batch-json`");
    }
    if let Some(file) = &args.batch_file {
        let text = fs_err::read_to_string(file).map_err(|error| Failure::new("cannot read the batch").cause(error.to_string()))?;
        return batch(&text, &format!("`{}`", file.display()));
    }
    let path = parse_path(args.path.as_deref().unwrap_or_default())?;
    if let (Some(source), Some(id)) = (args.ref_source, &args.ref_id) {
        let source = match source {
            RefSource::Env => "env",
            RefSource::File => "file",
            RefSource::Exec => "exec",
        };
        let value = json!({"source": source, "provider": args.ref_provider, "id": id});
        return Ok(Wanted { edits: vec![(path, value)], mode: "builder" });
    }
    let Some(value) = &args.value else {
        return Err(Failure::usage("no value given").hint("write it as `chela config set PATH VALUE`"));
    };
    let strict = args.strict_json || args.json;
    let value = parse_cli_value(value, strict)
        .map_err(|error| Failure::from(error).hint("quote text as `'\"text\"'`, or leave `--strict-json` out"))?;
    Ok(Wanted { edits: vec![(path, value)], mode: if strict { "json" } else { "value" } })
}

fn batch(text: &str, origin: &str) -> Result<Wanted, Failure> {
    let bad = |why: String| {
        Failure::usage(format!("{origin} is not a batch: {why}")).hint("write it as `[{\"path\": \"gateway.port\", \"value\": 18789}]`")
    };
    let parsed = parse_cli_value(text, true).map_err(|error| bad(error.to_string()))?;
    let rows = parsed.as_array().ok_or_else(|| bad("it is not a list".into()))?;
    let mut edits = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let path = row["path"].as_str().ok_or_else(|| bad(format!("entry {at} has no `path`")))?;
        let given: Vec<&Value> = ["value", "ref", "provider"].iter().filter_map(|key| row.get(*key)).collect();
        let [value] = given[..] else {
            return Err(bad(format!("entry {at} needs one of `value`, `ref` and `provider`")));
        };
        edits.push((parse_path(path)?, value.clone()));
    }
    if edits.is_empty() {
        return Err(bad("it is empty".into()));
    }
    Ok(Wanted { edits, mode: "json" })
}

fn dry_run(
    ctx: &Context,
    args: &SetArgs,
    wanted: &Wanted,
    written: Result<chela_config::WriteOutcome, chela_config::ConfigError>,
) -> Result<(), Failure> {
    let mut errors = Vec::new();
    let (mut checked, mut skipped) = (0, 0);
    match &written {
        Err(error) => errors.push(json!({"kind": "schema", "message": error.to_string()})),
        Ok(outcome) => {
            for (path, _) in &wanted.edits {
                match resolve(&outcome.config, path, args.allow_exec) {
                    Resolved::Nothing => {}
                    Resolved::Skipped => skipped += 1,
                    Resolved::Yes => checked += 1,
                    Resolved::No(message, reference) => {
                        checked += 1;
                        errors.push(json!({"kind": "resolvability", "message": message, "ref": reference}));
                    }
                }
            }
        }
    }
    if args.json {
        let mut report = json!({
            "ok": errors.is_empty(), "operations": wanted.edits.len(), "configPath": ctx.paths.config_path, "inputModes": [wanted.mode],
            "checks": {"schema": true, "resolvability": true, "resolvabilityComplete": skipped == 0},
            "refsChecked": checked, "skippedExecRefs": skipped,
        });
        if !errors.is_empty() {
            report["errors"] = Value::Array(errors.clone());
        }
        output::json(&report)?;
        return if errors.is_empty() { Ok(()) } else { Err(Failure::silent(1)) };
    }
    let outcome = written.map_err(Failure::not_written)?;
    if let Some(error) = errors.first() {
        return Err(Failure::new(error["message"].as_str().unwrap_or("a secret cannot be resolved"))
            .hint("set the secret first, or leave `--dry-run` out"));
    }
    if skipped > 0 {
        note(&format!("{skipped} secret references that run programs were not tried; pass `--allow-exec` to try them"));
    }
    output::text(&format!(
        "Would update {} of `{}`",
        if outcome.changed { "the values" } else { "nothing" },
        ctx.show(&ctx.paths.config_path)
    ))
}

enum Resolved {
    Nothing,
    Skipped,
    Yes,
    No(String, String),
}

fn resolve(config: &Config, path: &[String], allow_exec: bool) -> Resolved {
    let Some(value) = get_path(&config.effective, path).filter(|value| value.is_object()) else { return Resolved::Nothing };
    let Some(input) = config.secret_input(value) else { return Resolved::Nothing };
    let SecretInput::Ref(reference) = &input else { return Resolved::Nothing };
    if reference.source == SecretSource::Exec && !allow_exec {
        return Resolved::Skipped;
    }
    let name = format!("{}:{}:{}", value["source"].as_str().unwrap_or_default(), reference.provider, reference.id);
    match config.resolve_secret(&format_path(path), &input) {
        Ok(_) => Resolved::Yes,
        Err(error) => Resolved::No(error.to_string(), name),
    }
}
